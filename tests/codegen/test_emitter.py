import numpy as np
import pytest
from emitted import kernel, mapped

from flambeau.codegen.emitter import BOOL, F32, F64, I8, I16, I32, I64, PTR, VOID, Module, vector
from flambeau.codegen.types import storage_type
from flambeau.runtime import _cpu

LANES = [0, 4, 8, 16]


def floats(n, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(dtype)


def test_the_example_of_the_module_docstring():
    def body(f):
        x, y = f.pointer_arg(0), f.pointer_arg(1)
        a = f.splat(f.cast(f.load(F64, f.pointer_arg(2)), F32), 8)
        V = vector(F32, 8)
        whole = f.begin + ((f.end - f.begin) & -8)
        with f.loop(f.begin, whole, 8) as loop:
            f.store(f.fma(a, f.load(V, x, loop.index), f.load(V, y, loop.index)), y, loop.index)
        mask = f.tail_mask(f.end - whole, 8)
        x_tail, y_tail = (f.load_masked(V, p, mask, whole) for p in (x, y))
        f.store_masked(f.fma(a, x_tail, y_tail), y, mask, whole)

    run = kernel(body)
    for begin, end in ((0, 64), (0, 3), (5, 5), (5, 40), (7, 63)):
        x, y = floats(64), floats(64, seed=1)
        expected = y.copy()
        expected[begin:end] = np.float32(2.5) * x[begin:end] + y[begin:end]
        run(begin, end, x, y, np.array([2.5]))
        np.testing.assert_allclose(y, expected, rtol=1e-6)


@pytest.mark.parametrize("lanes", LANES)
def test_float_arithmetic(lanes):
    x, y = floats(32), floats(32, seed=1)
    cases = [
        (lambda f, a, b: a + b, x + y), (lambda f, a, b: a - b, x - y),
        (lambda f, a, b: a * b, x * y), (lambda f, a, b: a / b, x / y),
        (lambda f, a, b: 1.0 - a, 1 - x), (lambda f, a, b: 2.0 / a, 2 / x),
        (lambda f, a, b: -a, -x), (lambda f, a, b: f.abs(a), abs(x)),
        (lambda f, a, b: f.sqrt(f.abs(a)), np.sqrt(abs(x))),
        (lambda f, a, b: f.floor(a), np.floor(x)), (lambda f, a, b: f.ceil(a), np.ceil(x)),
        (lambda f, a, b: f.trunc(a * 3.0), np.trunc(x * 3)),
        (lambda f, a, b: f.rint(a * 3.0), np.rint(x * 3)),
        (lambda f, a, b: f.copysign(a, b), np.copysign(x, y)),
        (lambda f, a, b: f.maximum(a, b), np.maximum(x, y)),
        (lambda f, a, b: f.minimum(a, 0.5), np.minimum(x, 0.5)),
        (lambda f, a, b: f.select(a < b, a, 7.0), np.where(x < y, x, np.float32(7))),
    ]
    for build, expected in cases:
        np.testing.assert_array_equal(mapped(build, lanes, [x, y], "f4", [F32, F32]), expected)
    got = mapped(lambda f, a, b: f.fma(a, b, 1.0), lanes, [x, y], "f4", [F32, F32])
    np.testing.assert_allclose(got, x * y + 1, rtol=1e-5, atol=1e-7)


def test_maximum_and_minimum_keep_nan_and_relu_does():
    x = np.array([np.nan, 1, np.nan, -1], "f4")
    y = np.array([0, np.nan, np.nan, 2], "f4")
    for build, expected in ((lambda f, a, b: f.maximum(a, b), np.maximum(x, y)),
                            (lambda f, a, b: f.minimum(a, b), np.minimum(x, y)),
                            (lambda f, a, b: f.fmax(0.0, a), np.maximum(x, 0))):
        np.testing.assert_array_equal(mapped(build, 4, [x, y], "f4", [F32, F32]), expected)


@pytest.mark.parametrize("lanes", LANES)
def test_integer_arithmetic_and_comparisons(lanes):
    rng = np.random.default_rng(0)
    x, y = rng.integers(-50, 50, 32, "i4"), rng.integers(1, 9, 32, "i4")
    cases = [
        (lambda f, a, b: a + b, x + y), (lambda f, a, b: 3 - a, 3 - x),
        (lambda f, a, b: a / b, np.trunc(x / y)), (lambda f, a, b: a % b, np.fmod(x, y)),
        (lambda f, a, b: a << 2, x << 2), (lambda f, a, b: a >> 1, x >> 1),
        (lambda f, a, b: f.binary("lshr", a, 28), x.view("u4") >> 28),
        (lambda f, a, b: (a & 12) | (b ^ 5), (x & 12) | (y ^ 5)),
        (lambda f, a, b: ~a, ~x), (lambda f, a, b: f.abs(a), abs(x)),
        (lambda f, a, b: f.maximum(a, b), np.maximum(x, y)),
    ]
    cases += [(lambda f, a, b, n=n: f.cast(getattr(f, n)(a, b), I32), expected)
              for n, expected in (("lt", x < y), ("le", x <= y), ("gt", x > y), ("ge", x >= y),
                                  ("eq", x == y), ("ne", x != y))]
    for build, expected in cases:
        got = mapped(build, lanes, [x, y], "i4", [I32, I32])
        np.testing.assert_array_equal(got, np.asarray(expected).astype("i4"))


def test_float_comparisons_with_nan():
    x = np.array([1, np.nan, 2, np.nan], "f4")
    y = np.array([1, 1, np.nan, np.nan], "f4")
    for name, expected in (("lt", x < y), ("ge", x >= y), ("eq", x == y), ("ne", x != y)):
        got = mapped(lambda f, a, b, n=name: f.cast(getattr(f, n)(a, b), I32), 4, [x, y], "i4",
                     [F32, F32])
        np.testing.assert_array_equal(got.astype(bool), expected)
    got = mapped(lambda f, a: f.cast(f.isnan(a), I32), 4, [x], "i4", [F32])
    np.testing.assert_array_equal(got, np.isnan(x))


def test_loop_carries_values_and_may_be_empty():
    def body(f):
        with f.loop(f.begin, f.end, carried=[f.constant(F32, 1.0), f.i64(0)]) as loop:
            total, count = loop.carried
            loop.next(total + f.load(F32, f.pointer_arg(0), loop.index), count + 1)
        total, count = loop.results
        f.store(total, f.pointer_arg(1))
        f.store(count, f.pointer_arg(2))

    run = kernel(body)
    x, total, count = np.arange(10, dtype="f4"), np.zeros(1, "f4"), np.zeros(1, "i8")
    for begin, end in ((0, 10), (3, 4), (5, 5), (6, 2)):
        run(begin, end, x, total, count)
        assert total[0] == 1 + x[begin:end].sum() and count[0] == max(0, end - begin)


def test_nested_loops_with_branches_and_while():
    def body(f):
        # collatz lengths
        with f.loop(f.begin, f.end) as loop:
            with f.while_loop([loop.index + 1, f.i64(0)]) as walk:
                n, steps = walk.carried
                walk.leave_if(f.le(n, 1))
                with f.if_(f.eq(n & 1, 0)) as branch:
                    branch.give(n >> 1)
                with branch.otherwise():
                    branch.give(n * 3 + 1)
                walk.next(branch.results[0], steps + 1)
            with f.if_(f.gt(walk.results[1], 20)):
                f.store(walk.results[1], f.pointer_arg(0), loop.index)

    def length(n):
        steps = 0
        while n > 1:
            n, steps = (n // 2 if n % 2 == 0 else 3 * n + 1), steps + 1
        return steps

    out = np.full(30, -1)
    kernel(body)(0, 30, out)
    lengths = [length(i + 1) for i in range(30)]
    np.testing.assert_array_equal(out, [n if n > 20 else -1 for n in lengths])


def test_loop_mistakes_are_told():
    f = Module("m").kernel("k")
    with pytest.raises(ValueError, match="carries 1 values"), \
            f.loop(0, 4, carried=[f.i64(0)]) as loop:
        loop.next()
    f = Module("m").kernel("k")
    with pytest.raises(ValueError, match="must call loop.next"), f.loop(0, 4, carried=[f.i64(0)]):
        pass
    f = Module("m").kernel("k")
    with pytest.raises(TypeError, match="a carried value of type i64 was given float"), \
            f.loop(0, 4, carried=[f.i64(0)]) as loop:
        loop.next(f.constant(F32, 1.0))
    with pytest.raises(TypeError, match="two values of one type"):
        f.constant(F32, 1.0) + f.i64(1)
    with pytest.raises(ValueError, match="already defined"):
        module = Module("m")
        module.kernel("k"), module.kernel("k")


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("element,dtype", [(F32, "f4"), (F64, "f8"), (I32, "i4"), (I8, "i1"),
                                           (I16, "i2"), (I64, "i8")])
def test_masked_memory(lanes, element, dtype):
    V = vector(element, lanes)

    def body(f):
        mask = f.tail_mask(f.int_arg(2), lanes)
        f.store_masked(f.load_masked(V, f.pointer_arg(0), mask, 1, other=9), f.pointer_arg(1),
                       f.tail_mask(f.int_arg(3), lanes))

    run = kernel(body)
    for loaded, stored in ((0, 1), (1, lanes), (lanes - 1, lanes - 1), (lanes + 5, lanes)):
        x = np.arange(1, lanes + 2).astype(dtype)[:min(loaded, lanes) + 1].copy()
        y = np.full(lanes, -1, dtype)
        run(0, 1, x, y, loaded, stored)
        expected = np.full(lanes, 9, dtype)
        expected[:len(x) - 1] = x[1:]
        expected[stored:] = -1
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("index", [I32, I64])
def test_gather_and_scatter(lanes, index):
    V = vector(F32, lanes)

    def body(f):
        indices = f.cast(f.load(vector(I64, lanes), f.pointer_arg(1)), index)
        some = f.tail_mask(f.i64(lanes - 1), lanes)
        f.store(f.gather(V, f.pointer_arg(0), indices), f.pointer_arg(2))
        f.scatter(f.gather(V, f.pointer_arg(0), indices, some), f.pointer_arg(3), indices, some)

    table = floats(100)
    indices = np.random.default_rng(1).permutation(100)[:lanes]
    y, z = np.zeros(lanes, "f4"), np.zeros(100, "f4")
    kernel(body)(0, 1, table, indices, y, z)
    np.testing.assert_array_equal(y, table[indices])
    expected = np.zeros(100, "f4")
    expected[indices[:-1]] = table[indices[:-1]]
    np.testing.assert_array_equal(z, expected)


@pytest.mark.parametrize("lanes", [0, 4, 8, 16])
def test_reductions_lanes_and_shuffles(lanes):
    x = floats(max(1, lanes))

    def body(f):
        v = f.load(vector(F32, lanes), f.pointer_arg(0))
        for i, r in enumerate((f.reduce_add(v), f.reduce_max(v), f.reduce_min(v), f.reduce_mul(v))):
            f.store(r, f.pointer_arg(1), i)
        if lanes:
            f.store(f.extract(v, lanes - 1), f.pointer_arg(1), 4)
            f.store(f.extract(v, f.int_arg(2)), f.pointer_arg(1), 5)
            inserted = f.insert(v, f.constant(F32, 3.0), 1)
            f.store(f.extract(inserted, 1), f.pointer_arg(1), 6)
            both = f.concatenate(v, f.iota(v.type, 1))
            f.store(f.extract(f.shuffle(both, [2 * lanes - 1, None]), 0), f.pointer_arg(1), 7)
            f.store(f.cast(f.any(v > 100.0), F32), f.pointer_arg(1), 8)
            f.store(f.cast(f.all(v < 100.0), F32), f.pointer_arg(1), 9)

    out = np.zeros(10, "f4")
    kernel(body)(0, 1, x, out, 2)
    expected = [x.sum(), x.max(), x.min(), x.prod()]
    np.testing.assert_allclose(out[:4], expected, rtol=1e-5)
    if lanes:
        np.testing.assert_array_equal(out[4:], [x[-1], x[2], 3, lanes, 0, 1])


def test_conversions_between_numbers():
    x = np.array([0, 1.5, -2.7, 300, -1e20, 1e20, np.nan, 0.3], "f4")
    got = mapped(lambda f, a: f.cast(a, I32), 8, [x], "i4", [F32])
    np.testing.assert_array_equal(got, [0, 1, -2, 300, -2 ** 31, 2 ** 31 - 1, 0, 0])
    got = mapped(lambda f, a: f.cast(a, I8, signed=False), 8, [x], "u1", [F32])
    np.testing.assert_array_equal(got, [0, 1, 0, 255, 0, 255, 0, 0])
    got = mapped(lambda f, a: f.cast(f.cast(a, BOOL), F32), 8, [x], "f4", [F32])
    np.testing.assert_array_equal(got, x.astype(bool))
    np.testing.assert_array_equal(mapped(lambda f, a: f.cast(a, F64), 8, [x], "f8", [F32]),
                                  x.astype("f8"))
    n = np.array([0, 1, 127, 128, 255, 200, 3, 4], "u1")
    for signed, view in ((True, n.view("i1")), (False, n)):
        for element, dtype in ((F32, "f4"), (I64, "i8"), (I16, "i2"), (F64, "f8")):
            got = mapped(lambda f, a, e=element, s=signed: f.cast(a, e, s), 8, [n], dtype, [I8])
            np.testing.assert_array_equal(got, view.astype(dtype))


@pytest.mark.parametrize("lanes", [0, 4, 8, 16])
def test_float16_every_value_and_rounding(lanes):
    bits = np.arange(65536).astype("u2")
    with np.errstate(all="ignore"):
        wide = bits.view("f2").astype("f4")
        np.testing.assert_array_equal(
            mapped(lambda f, a: f.f16_to_f32(a), lanes, [bits], "f4", [I16]), wide)
        rng = np.random.default_rng(0)
        x = np.concatenate([wide, np.nextafter(wide, np.float32(np.inf)),
                            (wide[:-1] + wide[1:]) / 2, [65519, 65520, -65520, 1e30, 2.0 ** -25],
                            rng.integers(0, 2 ** 32, 60000, "u4").view("f4")]).astype("f4")
        x = np.resize(x, len(x) // 16 * 16)
        got = mapped(lambda f, a: f.f32_to_f16(a), lanes, [x], "u2", [F32]).view("f2")
        np.testing.assert_array_equal(got, x.astype("f2"))


@pytest.mark.parametrize("lanes", [0, 8, 16])
def test_bfloat16_rounds_to_nearest_even(lanes):
    bits = np.arange(65536).astype("u2")
    wide = (bits.astype("u4") << 16).view("f4")
    np.testing.assert_array_equal(
        mapped(lambda f, a: f.bf16_to_f32(a), lanes, [bits], "f4", [I16]), wide)
    raw = np.random.default_rng(0).integers(0, 2 ** 32, 1 << 16, "u4")
    raw[:1024] = (raw[:1024] & 0xFFFF0000) | 0x8000  # ties
    x = raw.view("f4")
    got = mapped(lambda f, a: f.f32_to_bf16(a), lanes, [x], "u2", [F32])
    expected = ((raw.astype("u8") + 0x7FFF + ((raw >> 16) & 1)) >> 16).astype("u2")
    nan = np.isnan(x)
    np.testing.assert_array_equal(got[~nan], expected[~nan])
    assert np.isnan((got[nan].astype("u4") << 16).view("f4")).all()


@pytest.mark.parametrize("dtype,numpy_dtype", [("float32", "f4"), ("float16", "f2")])
def test_load_and_store_as_f32(dtype, numpy_dtype):
    def body(f):
        mask = f.tail_mask(f.int_arg(2), 8)
        v = f.load_as_f32(dtype, f.pointer_arg(0), 8, mask=mask)
        f.store_from_f32(dtype, v * 2.0, f.pointer_arg(1), mask=mask)
        f.store_from_f32(dtype, f.load_as_f32(dtype, f.pointer_arg(0), 8), f.pointer_arg(1), 8)

    x, y = np.arange(8).astype(numpy_dtype), np.full(16, -1, numpy_dtype)
    kernel(body)(0, 1, x, y, 5)
    np.testing.assert_array_equal(y, [0, 2, 4, 6, 8, -1, -1, -1, *range(8)])
    assert storage_type("bfloat16") is I16


def test_functions_calls_tables_and_scratch():
    module = Module("m")
    table = module.constant_array("squares", F32, [i * i for i in range(8)])
    helper = module.function("twice", F32, [F32], "nounwind", "internal")
    helper.ret(helper.parameters[0] * 2.0)
    f = module.kernel("k")
    place = f.alloca(F32, 8)
    with f.loop(f.begin, f.end) as loop:
        doubled = f.call("twice", F32, [f.load(F32, f.address(table), loop.index)])
        f.store(doubled, f.scratch, loop.index)
        f.store(f.load(F32, f.scratch, loop.index), place, loop.index)
    f.fill_bytes(f.pointer_arg(0), 0, 32)
    f.copy_bytes(f.pointer_arg(0), place, f.end * 4)
    f.prefetch(f.pointer_arg(0))
    f.call("pass_through", VOID, [f.pointer_arg(0)])
    other = module.function("pass_through", VOID, [PTR], "nounwind", "internal")
    other.store(other.constant(F32, -1.0), other.parameters[0], 7)
    import ctypes

    from flambeau.runtime._jit import compile_module
    address = compile_module("m", module.text(), ["k"])["k"]
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                           ctypes.c_void_p)(address)
    out, scratch = np.ones(8, "f4"), np.zeros(64, "f4")
    run(np.array([out.ctypes.data]).ctypes.data, 0, 5, scratch.ctypes.data)
    np.testing.assert_array_equal(out, [0, 2, 8, 18, 32, 0, 0, -1])


def test_unique_pointers_and_the_light_pipeline_change_no_result():
    def body(f):
        x, y = f.pointer_arg(0, unique=True), f.pointer_arg(1, unique=True)
        with f.loop(f.begin, f.end) as loop, f.fast_math("reassoc contract"):
            scale = f.load(F32, x)  # may be hoisted now
            f.store(f.load(F32, x, loop.index) * scale, y, loop.index, nontemporal=True)

    for pipeline in ("standard", "light"):
        x, y = floats(50), np.zeros(50, "f4")
        kernel(body, pipeline)(0, 50, x, y)
        np.testing.assert_array_equal(y, x * x[0])
    with pytest.raises(ValueError, match="pipeline must be"):
        Module("m", pipeline="fast")


def test_a_function_must_return_its_value():
    module = Module("m")
    module.function("f", F32, [])
    with pytest.raises(ValueError, match="does not end with f.ret"):
        module.text()


def test_width_is_one_of_three():
    assert _cpu.vector_width() in (4, 8, 16)
