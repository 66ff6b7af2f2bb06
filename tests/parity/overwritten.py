"""Programs that write over an operand or a result before backward, for Flambeau and PyTorch."""

from __future__ import annotations

import warnings

import numpy as np

MESSAGE = "has been modified by an inplace operation"
WAYS = ("plain", "detached", "no_grad", "after a run", "through a view")


def outcome(library, function, call, required, target, way) -> str:
    """"fine", "refused" or "other": what backward says after a write.

    required: the numbers of the floating-point operands that require gradients; target: the number
    of the one that is written, or -1 for the (first) result; way: how it is written.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tensors: list = []

            def made(x):
                if isinstance(x, list):
                    return [made(i) for i in x]
                if not isinstance(x, np.ndarray):
                    return x
                tensor = library.from_numpy(x.copy())
                if x.dtype.kind != "f":
                    return tensor
                if len(tensors) in required:
                    tensor.requires_grad_()
                tensor = tensor * 1
                tensors.append(tensor)
                return tensor

            args = [made(a) for a in call.args]
            options = {k: made(v) for k, v in call.options.items()}
            results = function(*args, **options)
            results = list(results) if isinstance(results, (tuple, list)) else [results]
            results = [r for r in results if r.requires_grad]
            if not results:
                return "other"
            write(library, results[0] if target < 0 else tensors[target], way)
            total = results[0].sum()
            if total.is_complex():
                total = total.real
            for other in results[1:]:
                total = total + (other.sum().real if other.is_complex() else other.sum())
            total.backward()
            return "fine"
        except RuntimeError as error:
            return "refused" if MESSAGE in str(error) else "other"
        except (TypeError, ValueError, IndexError, NotImplementedError, AttributeError):
            return "other"


def write(library, tensor, way):
    """Change all elements of a tensor."""
    if way == "detached":
        tensor.detach().add_(1)
    elif way == "no_grad":
        with library.no_grad():
            tensor.add_(1)
    elif way == "after a run":
        tensor.sum().tolist()
        tensor.add_(1)
    elif way == "through a view":
        tensor.view(-1)[:1].add_(1)
    else:
        tensor.add_(1)


def floats(call) -> int:
    """How many floating-point operands a call has."""
    count = 0
    stack = list(call.args) + list(call.options.values())
    while stack:
        x = stack.pop()
        if isinstance(x, list):
            stack.extend(x)
        elif isinstance(x, np.ndarray) and x.dtype.kind == "f":
            count += 1
    return count


def cases(call):
    """(required, target) to try: all operands require gradients, or one alone."""
    count = floats(call)
    every = frozenset(range(count))
    sets = dict.fromkeys([every] + [frozenset((i,)) for i in range(count)])
    return [(required, target) for required in sets for target in (*range(count), -1)]


# ---- layers -------------------------------------------------------------------------------------

LAYERS = {
    "linear": (lambda nn: nn.Linear(4, 3), (2, 4)),
    "linear of three dimensions": (lambda nn: nn.Linear(4, 3), (2, 5, 4)),
    "convolution": (lambda nn: nn.Conv2d(2, 3, 3), (2, 2, 6, 6)),
    "transposed convolution": (lambda nn: nn.ConvTranspose1d(2, 3, 3), (2, 2, 6)),
    "batch norm": (lambda nn: nn.BatchNorm2d(2), (2, 2, 4, 4)),
    "layer norm": (lambda nn: nn.LayerNorm(4), (2, 4)),
    "group norm": (lambda nn: nn.GroupNorm(2, 4), (2, 4, 3)),
    "recurrent": (lambda nn: nn.LSTM(4, 3), (5, 2, 4)),
    "multi-layer": (lambda nn: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), (2, 4)),
    "prelu": (lambda nn: nn.PReLU(), (2, 4)),
    "max pool": (lambda nn: nn.MaxPool2d(2), (2, 2, 4, 4)),
    "avg pool": (lambda nn: nn.AvgPool2d(2), (2, 2, 4, 4)),
    "global pool": (lambda nn: nn.AdaptiveAvgPool2d(1), (2, 2, 4, 4)),
    "attention": (lambda nn: nn.MultiheadAttention(4, 2, batch_first=True), (2, 3, 4)),
}


def updated(library, make, shape, way) -> list[str]:
    """What backward says after a step of the weights, and after a write over the input."""
    return [_said(library, make, shape, way, weights) for weights in (True, False)]


def _said(library, make, shape, way, weights):
    library.manual_seed(0)
    layer = make(library.nn)
    x = library.rand(*shape, requires_grad=True)
    moved = x * 1
    result = layer(moved, moved, moved) if "Attention" in type(layer).__name__ else layer(moved)
    result = result[0] if isinstance(result, tuple) else result
    if way == "after a run":
        result.sum().tolist()
    if not weights:
        moved.add_(1)
    elif not list(layer.parameters()):
        return "none"
    else:
        optimizer = library.optim.SGD(layer.parameters(), lr=0.1)
        for p in layer.parameters():
            p.grad = library.ones_like(p)
        optimizer.step()
    try:
        (result * result).sum().backward()
        return "fine"
    except RuntimeError as error:
        assert MESSAGE in str(error)
        return "refused"


# ---- random programs ----------------------------------------------------------------------------


def run_program(library, seed) -> str:
    """Runs a random program of operations, views and writes; what its backward says."""
    draw = np.random.default_rng(seed)
    leaf = library.from_numpy(draw.uniform(0.5, 1.5, (3, 3)).astype(np.float32))
    leaf.requires_grad_()
    plain = library.from_numpy(draw.uniform(0.5, 1.5, (3, 3)).astype(np.float32))
    pool = [leaf * 1, plain.clone(), leaf * plain]
    for _ in range(int(draw.integers(3, 12))):
        kind = int(draw.integers(0, len(_ACTIONS)))
        a, b = (pool[int(i)] for i in draw.integers(0, len(pool), 2))
        try:
            made = _ACTIONS[kind](library, a, b)
        except RuntimeError:          # a write that both refuse, such as over a view of a leaf
            made = None
        if made is not None:
            pool.append(made)
    total = pool[0].sum()
    for x in pool[-3:]:
        total = total + x.sum()
    try:
        total.backward()
        return "fine"
    except RuntimeError as error:
        assert MESSAGE in str(error), error
        return "refused"


def _quietly(library, a, b):
    with library.no_grad():
        a.mul_(2)


def _row(library, a, b):
    a[0] = 1.0


_ACTIONS = [
    lambda library, a, b: a * b, lambda library, a, b: a + b, lambda library, a, b: a.exp(),
    lambda library, a, b: a.relu(), lambda library, a, b: a @ b, lambda library, a, b: a.tanh(),
    lambda library, a, b: a / (b * b + 1), lambda library, a, b: a.t(),
    lambda library, a, b: a.view(9).view(3, 3) if a.is_contiguous() else None,
    lambda library, a, b: a[:], lambda library, a, b: library.where(a > 1, a, b),
    lambda library, a, b: (a.add_(1), None)[1],
    lambda library, a, b: (a.mul_(0.5), None)[1],
    lambda library, a, b: (a.detach().add_(1), None)[1],
    lambda library, a, b: (a.data.add_(1), None)[1],
    lambda library, a, b: (a.sum().tolist(), None)[1],
    _quietly, _row]
