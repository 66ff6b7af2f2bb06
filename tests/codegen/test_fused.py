"""Fused kernels from bodies written by hand: the three shapes, masks, computed indices, names."""

import numpy as np
import pytest

from flambeau import dtypes
from flambeau.codegen.cells import (
    ZERO,
    Atom,
    Body,
    Cell,
    Store,
    affine_range,
    affine_sum,
    atom,
    number,
    scaled,
    shifted,
)
from flambeau.codegen.fused import EpiloguePlan, Plan, plan_fused
from flambeau.codegen.kernel_call import Pointer
from flambeau.runtime import _cpu, _pool
from flambeau.runtime.buffer import Buffer

F32 = dtypes.float32


def loops(*extents, reduced=()):
    return {k: Atom(e, k in reduced) for k, e in enumerate(extents)}


def index(*coefficients, constant=0):
    terms = tuple((k, c) for k, c in enumerate(coefficients) if c)
    return (constant, terms)


def load(name, place, dtype=F32, guard=None, values=()):
    depends = frozenset(k for k, _ in place[1])
    operands = tuple(values) + ((guard,) if guard is not None else ())
    for operand in operands:
        depends |= operand.depends
    return Cell("load", operands, dtype, (name, place, guard), depends)


def op(name, *operands, dtype=None):
    depends = frozenset().union(*(o.depends for o in operands))
    return Cell(name, operands, dtype or operands[0].dtype, None, depends)


def constant(value, dtype=F32):
    return Cell("constant", (), dtype, value, frozenset())


def reduction(kind, operand, reduced, along=None, dtype=None):
    cell = Cell("reduce", (operand,), dtype or operand.dtype, (kind, along),
                operand.depends - frozenset(reduced))
    cell.phase = operand.phase + 1
    return cell


def run(body, scalars=(), **arrays):
    """Runs a body; arrays by buffer name are changed in place. Returns the plan's kernel call."""
    names = list(arrays)
    numbers = np.zeros(2 * max(1, len(scalars)))
    numbers[::2][:len(scalars)] = scalars
    flags = np.zeros(8, np.int64)
    call = plan_fused(body, lambda name: Pointer(names.index(name)), Pointer(len(names)),
                      Pointer(len(names) + 1))
    slots = [_pool.Pointer(a.buffer, a.offset) if isinstance(a, Pointer)
             else _pool.Integer(a.value) for a in call.args]
    program = _pool.Program([_pool.KernelCall(call.name, call.ir_text, slots, call.items,
                                              call.grain, call.scratch)], len(names) + 2)
    program.run([a.ctypes.data for a in (*arrays.values(), numbers, flags)])
    return call, flags


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


# ---- affine indices -----------------------------------------------------------------------------


def test_affine_arithmetic():
    i, j = atom(0), atom(1)
    place = affine_sum(scaled(i, 10), shifted(j, 3))
    assert place == (3, ((0, 10), (1, 1)))
    assert affine_sum(place, scaled(j, -1)) == (3, ((0, 10),))
    assert scaled(place, 0) == ZERO and number(4) == (4, ())
    assert affine_range((3, ((0, 10), (1, -1))), {0: 4, 1: 3}) == (1, 33)


# ---- pointwise ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 7, 16, 63, 4096, 9001])
def test_pointwise_of_any_length(n):
    x, y = random(n), random(n) + 1
    out = np.zeros(n, np.float32)
    place = index(1)
    body = Body(loops(n), [Store("out", place, op(
        "add", op("mul", load("x", place), constant(0.3)), load("y", place)))])
    run(body, x=x, y=y, out=out)
    np.testing.assert_array_equal(out, x * np.float32(0.3) + y)


def test_scalars_are_read_from_the_table():
    x, out = random(50), np.zeros(50, np.float32)
    rate = Cell("scalar", (), F32, 2, frozenset())     # the second number: word 2
    body = Body(loops(50), [Store("out", index(1), op("mul", load("x", index(1)), rate))])
    run(body, scalars=[9.0, 0.25], x=x, out=out)
    np.testing.assert_array_equal(out, x * np.float32(0.25))


def test_transposed_broadcast_and_offset():
    x, row = random(33, 21), random(21)
    out = np.zeros((21, 33), np.float32)
    # loops (21, 33): out[i, j] = x[j, i] + row[i], and only rows from the second on
    cells = op("add", load("x", index(1, 21)), load("row", index(1, 0)))
    run(Body(loops(21, 33), [Store("out", index(33, 1), cells)]), x=x, row=row, out=out)
    np.testing.assert_array_equal(out, x.T + row[:, None])
    part = np.zeros((20, 33), np.float32)
    body = Body(loops(20, 33), [Store("out", index(33, 1), load("x", index(1, 21, constant=1)))])
    run(body, x=x, out=part)
    np.testing.assert_array_equal(part, x.T[1:])


def test_guarded_reads_stay_inside():
    x = random(10)
    out = np.zeros(14, np.float32)
    place = index(1, constant=-2)
    guard = Cell("guard", (), dtypes.bool_, ((place, 10),), frozenset((0,)))
    value = op("where", guard, load("x", place, guard=guard), constant(7.0), dtype=F32)
    run(Body(loops(14), [Store("out", index(1), value)]), x=x, out=out)
    np.testing.assert_array_equal(out, np.pad(x, 2, constant_values=7))


def test_checked_indices_raise_a_flag():
    table, places = random(6, 20), np.array([3, 0, 5, 9], np.int64)
    out = np.zeros((4, 20), np.float32)
    place = load("places", index(1, 0), dtypes.int64)
    checked = Cell("checked", (place,), dtypes.int64, (6, 1), place.depends)
    atoms = loops(4, 20)
    atoms[2] = Atom(6, False, checked)
    row = load("table", (0, ((1, 1), (2, 20))), values=(checked,))
    row.depends = frozenset((0, 1))
    _, flags = run(Body(atoms, [Store("out", index(20, 1), row)]), table=table, places=places,
                   out=out)
    np.testing.assert_array_equal(out[:3], table[[3, 0, 5]])
    assert flags[2:4].tolist() == [1, 9] and flags[:2].tolist() == [0, 0]


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64", "int64", "int32", "int16",
                                  "int8", "uint8", "bool"])
def test_types_in_memory(name):
    dtype = dtypes.dtype.by_name[name]
    bits = np.random.default_rng(1).integers(0, 2 if name == "bool" else 100, 37)
    x = bits.astype(dtype.storage)
    if name == "bfloat16":
        x = (bits.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    out, wide = np.zeros_like(x), np.zeros(37)
    value = load("x", index(1), dtype)
    as_double = Cell("cast", (value,), dtypes.float64, None, value.depends)
    run(Body(loops(37), [Store("out", index(1), value), Store("wide", index(1), as_double)]),
        x=x, out=out, wide=wide)
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(wide, bits)


# ---- reductions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rows, n", [(1, 5), (3, 16), (10, 130), (200, 1000)])
def test_rows_that_are_walked_three_times(rows, n):
    x, out, total = random(rows, n), np.zeros((rows, n), np.float32), np.zeros(rows, np.float32)
    place = index(n, 1)
    value = load("x", place)
    top = reduction("reduce_max", value, (1,))
    power = op("exp", op("sub", value, top))
    power.phase = 1
    power.operands[0].phase = 1
    summed = reduction("reduce_sum", power, (1,))
    result = op("div", power, summed)
    result.phase = summed.phase
    call, _ = run(Body(loops(rows, n, reduced=(1,)), [
        Store("out", place, result), Store("total", index(1, 0), summed)]),
        x=x, out=out, total=total)
    powers = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    np.testing.assert_allclose(out, powers / powers.sum(1, keepdims=True), rtol=2e-6)
    np.testing.assert_allclose(total, powers.sum(1), rtol=2e-6)
    assert call.items == rows
    # the walk that computes the exponentials fetches the next row; a plain sum leaves that to the
    # processor
    assert "llvm.prefetch" in str(call.ir_text)
    plain = plan(Body(loops(rows, n, reduced=(1,)), [
        Store("total", index(1, 0), reduction("reduce_sum", load("x", place), (1,)))]))
    assert "llvm.prefetch" not in str(plain)


@pytest.mark.parametrize("kind", ["reduce_sum", "reduce_prod", "reduce_max", "reduce_min"])
@pytest.mark.parametrize("rows, columns", [(5, 3), (17, 64), (9, 70), (100, 200)])
def test_columns(kind, rows, columns):
    x, out = random(rows, columns), np.zeros(columns, np.float32)
    value = load("x", index(1, columns))
    body = Body({0: Atom(columns), 1: Atom(rows, True)},
                [Store("out", index(1, 0), reduction(kind, value, (1,)))])
    run(body, x=x, out=out)
    expected = getattr(np, kind[7:])(x.astype(np.float64), 0)
    np.testing.assert_allclose(out, expected, rtol=2e-5, atol=1e-6)
    assert Plan(body, lambda name: Pointer(name), Pointer("s"), Pointer("f")).shape == "columns"


@pytest.mark.parametrize("n", [3, 40, 333])
def test_argmax_takes_the_first_and_nan(n):
    x = np.round(random(12, n) * 2)
    x[3, n // 2] = np.nan
    x[3, n - 1] = np.nan
    x[4] = -np.inf
    out = np.zeros(12, np.int64)
    value = load("x", index(n, 1))
    cell = reduction("argmax", value, (1,), along=atom(1), dtype=dtypes.int64)
    run(Body(loops(12, n, reduced=(1,)), [Store("out", index(1, 0), cell)]), x=x, out=out)
    np.testing.assert_array_equal(out, np.argmax(x, 1))


def test_half_precision_sums_in_float32():
    x = np.full((2, 4096), 1, np.float16)
    out = np.zeros(2, np.float16)
    value = load("x", index(4096, 1), dtypes.float16)
    body = Body(loops(2, 4096, reduced=(1,)),
                [Store("out", index(1, 0), reduction("reduce_sum", value, (1,)))])
    run(body, x=x, out=out)
    assert out.tolist() == [4096, 4096]      # sums in float16 would stop at 2048


# ---- plans --------------------------------------------------------------------------------------


def plan(body):
    return Plan(body, lambda name: Pointer(name), Pointer("s"), Pointer("f"))


def addition(*shape, transposed=False):
    strides = [1] * len(shape)
    for d in reversed(range(len(shape) - 1)):
        strides[d] = strides[d + 1] * shape[d + 1]
    other = strides[::-1] if transposed else strides
    cell = op("add", load("x", index(*strides)), load("y", index(*other)))
    return Body(loops(*shape), [Store("out", index(*strides), cell)])


def test_contiguous_loops_are_merged():
    found = plan(addition(4, 5, 6))
    assert found.shape == "pointwise" and list(found.extents.values()) == [120]
    assert len(plan(addition(6, 7, transposed=True)).extents) == 2


def test_names_depend_on_the_expression_alone():
    assert plan(addition(4, 5)).name == plan(addition(100)).name
    assert plan(addition(6, 7, transposed=True)).name == plan(
        addition(90, 70, transposed=True)).name
    assert plan(addition(6, 7)).name != plan(addition(6, 7, transposed=True)).name
    numbers = [plan(Body(loops(9), [Store("out", index(1), op(
        "mul", load("x", index(1)), constant(value)))])).name for value in (0.1, 0.7, 1)]
    assert numbers[0] == numbers[1] != numbers[2]


def test_epilogues_need_rows():
    place = index(10, 1)
    given = Cell("given", (), F32, None, frozenset((0, 1)))
    cell = op("add", given, load("bias", index(0, 1)))
    body = Body(loops(4, 10), [Store("out", place, cell)])
    found = EpiloguePlan(body, lambda name: Pointer(name), Pointer("s"), Pointer("f"), place, 10,
                         "out")
    assert found.lane_extent == 10 and found.epilogue().key.startswith("e")
    crooked = index(1, 4)
    with pytest.raises(ValueError, match="columns of an epilogue"):
        EpiloguePlan(Body(loops(4, 10), [Store("out", crooked, cell)]), lambda name: Pointer(name),
                     Pointer("s"), Pointer("f"), crooked, 40, "out")


# ---- stores past the caches ---------------------------------------------------------------------


def aligned(*shape, dtype=np.float32):
    return Buffer(int(np.prod(shape)) * np.dtype(dtype).itemsize).array(dtype, shape)


def streams(body):
    for store in body.stores:
        store.is_stream = True
    return body


def skips_caches(call):
    text = str(call.ir_text)
    assert ("!nontemporal" in text) == ("sfence" in text)
    return "!nontemporal" in text


x86_only = pytest.mark.skipif(not _cpu.is_x86(), reason="only x86 code has such stores")


@x86_only
@pytest.mark.parametrize("n", [1, 64, 4096, 9001])
def test_large_results_go_past_the_caches(n):
    x, out = random(n), aligned(n)
    body = streams(Body(loops(n), [Store("out", index(1), op("neg", load("x", index(1))))]))
    call, _ = run(body, x=x, out=out)
    assert skips_caches(call)
    np.testing.assert_array_equal(out, -x)


@x86_only
@pytest.mark.parametrize("width, fits", [(64, True), (100, False), (48, True)])
def test_rows_go_past_the_caches_where_each_begins_a_line(width, fits):
    x, out = random(9, width), aligned(9, width)
    value = load("x", index(width, 1))
    largest = reduction("reduce_max", value, (1,))
    body = streams(Body(loops(9, width, reduced=(1,)),
                        [Store("out", index(width, 1), op("sub", value, largest))]))
    call, _ = run(body, x=x, out=out)
    assert skips_caches(call) == fits
    np.testing.assert_array_equal(out, x - x.max(1, keepdims=True))


@x86_only
@pytest.mark.parametrize("dtype", [dtypes.uint8, dtypes.int16, dtypes.float64])
def test_other_types_go_past_the_caches(dtype):
    x = np.arange(5000).astype(dtype.storage)
    out = aligned(5000, dtype=dtype.storage)
    value = load("x", index(1), dtype)
    body = streams(Body(loops(5000), [Store("out", index(1), op("add", value, value))]))
    call, _ = run(body, x=x, out=out)
    assert skips_caches(call)
    np.testing.assert_array_equal(out, x + x)


def test_stores_past_the_caches_have_code_of_their_own():
    named = [plan(addition(5, 64)).name, plan(streams(addition(5, 64))).name]
    assert len(set(named)) == (2 if _cpu.is_x86() else 1)
    off = Plan(streams(addition(5, 64)), lambda name: Pointer(name, 4), Pointer("s"), Pointer("f"))
    assert off.name == named[0]               # not at the beginning of a line
