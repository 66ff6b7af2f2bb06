"""The order of steps: values die early, updates still happen in place, results stay equal."""

import dataclasses

import numpy as np
from graphs import array_for, input_node
from test_compile import compare

from flambeau import dtypes
from flambeau.graph.compile import compile_program
from flambeau.graph.ir import full, p
from flambeau.graph.passes.order_steps import first_leaf, order_steps, update_order


@dataclasses.dataclass(eq=False)
class Step:
    name: str
    reads: set
    results: list


def names(steps):
    return "".join(s.name for s in steps)


def test_what_frees_memory_runs_early():
    x = input_node(0, (8,))
    a, b, c = (p.add(x, x) for _ in range(3))
    steps = [Step("a", {x}, [a]), Step("b", {a}, [b]), Step("c", {b}, [c]), Step("s", {a}, []),
             Step("t", {b}, [])]
    sizes = {n: n.nbytes for n in (a, b, c)}
    assert names(order_steps(steps, sizes, {})) == "asbtc"
    # nothing runs before what it needs, and a wish that cannot be granted is none
    assert names(order_steps(steps, sizes, {0: {4}, 3: {2}})) == "abtcs"


def chain(layers, batch=256, width=64, rate=0.1):
    """One step of SGD of a chain of linear layers with ReLU, and its donated inputs."""
    x = input_node(0, (batch, width))
    weights = [input_node(1 + i, (width, width)) for i in range(layers)]
    products = dict(batch_a=(), batch_b=(), contract_b=(0,))
    values = [x]
    for w in weights:
        values.append(p.relu(p.contract(values[-1], w, contract_a=(1,), **products)))
    g, outputs = values[-1], []
    for w, before, after in zip(reversed(weights), values[-2::-1], values[:0:-1]):
        zero = full(g.shape, 0, dtypes.float32)
        g = p.where(p.gt(after, zero), g, zero)
        gw = p.contract(before, g, contract_a=(0,), **products)
        outputs.append(p.sub(w, p.mul(gw, full(w.shape, rate, dtypes.float32))))
        g = p.contract(g, w, batch_a=(), batch_b=(), contract_a=(1,), contract_b=(1,))
    return [g, *outputs], [x, *weights]


def test_backward_takes_no_more_memory_than_forward():
    layers = 12
    outputs, inputs = chain(layers)
    donated = set(range(1, layers + 1))
    executable = compile_program(outputs, inputs, donated=donated)
    activation = inputs[0].nbytes
    assert executable.arena_bytes <= (layers + 3) * activation + (1 << 18)
    # every weight is updated in its own memory, though the next gradient reads it
    assert sum(s is not None for s in executable._sources) == layers


def test_ordered_steps_compute_the_same():
    outputs, inputs = chain(3, 16, 8)
    rng = np.random.default_rng(0)
    arrays = [array_for(i, rng) * np.float32(0.3) for i in inputs]
    compare(outputs, inputs, arrays, donated={1, 2, 3})


def test_updates_wait_for_other_readers():
    outputs, inputs = chain(2)
    weight = inputs[1]
    update = next(o for o in outputs if first_leaf(o) is weight)
    steps = [Step("u", {weight}, [update]), Step("r", {weight}, [])]
    assert update_order(steps, outputs, {weight}) == {0: {1}}
    assert update_order(steps, outputs, set()) == {}
