"""Every function against extended precision, in units of the last place; special cases."""

import math

import numpy as np
import pytest
from emitted import mapped

from flambeau.codegen import vector_math
from flambeau.codegen.emitter import F32, F64, I32, Module

INF, NAN = math.inf, math.nan
Long = np.longdouble
ELEMENTS = {"float32": F32, "float64": F64}


def compute(name, dtype, *arrays, lanes=8):
    count = len(arrays[0])
    padded = [np.resize(np.asarray(a, dtype), -(-count // 16) * 16) for a in arrays]
    out = mapped(lambda f, *v: vector_math.call(f, name, *v), lanes, padded, dtype,
                 [ELEMENTS[dtype]] * len(arrays))
    return out[:count]


class Samples:
    """Arguments spread over where a function may go wrong."""

    def __init__(self, dtype, count):
        self.rng, self.count = np.random.default_rng(0), count
        single = dtype == "float32"
        self.tiny, self.big = (1e-44, 3e38) if single else (5e-324, 1e308)
        self.exp_range = 88 if single else 709
        self.exp2_low = -149 if single else -1074

    def uniform(self, low, high):
        return self.rng.uniform(low, high, self.count)

    def spread(self, low, high):
        return np.exp(self.rng.uniform(math.log(low), math.log(high), self.count))

    def either_sign(self, values):
        return values * self.rng.choice([-1, 1], len(values))

    def small(self, high=1.0):
        return self.either_sign(self.spread(self.tiny, high))

    def all_sizes(self):
        return self.either_sign(self.spread(self.tiny, self.big))

    def positive(self):
        return np.concatenate([self.spread(self.tiny, self.big), self.uniform(0.5, 2),
                               self.uniform(0.99, 1.01)])

    def within(self, bound):
        return np.concatenate([self.uniform(-bound, bound), self.uniform(-1, 1), self.small()])

    def unit(self):
        return np.concatenate([self.within(1), 1 - self.spread(1e-16, 1)])

    def angles(self):
        return np.concatenate([self.uniform(-10, 10), self.all_sizes(), self.uniform(-1e5, 1e5),
                               np.arange(1, self.count) * (np.pi / 2)])

    def pairs(self, *rows):
        return tuple(map(np.concatenate, zip(*rows)))


# name: (arguments, reference in extended precision)
_CASES = {
    "exp": (lambda s: s.within(s.exp_range), np.exp),
    "exp2": (lambda s: np.concatenate([s.uniform(s.exp2_low, -s.exp2_low * 0.8), s.within(1)]),
             np.exp2),
    "expm1": (lambda s: s.within(s.exp_range), np.expm1),
    "log": (Samples.positive, np.log),
    "log1p": (lambda s: np.concatenate([s.positive(), s.uniform(-1, 2), s.small(0.1)]), np.log1p),
    "log2": (Samples.positive, np.log2),
    "log10": (Samples.positive, np.log10),
    "sigmoid": (lambda s: s.within(s.exp_range), lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (lambda s: s.within(25), np.tanh),
    "sinh": (lambda s: s.within(s.exp_range), np.sinh),
    "cosh": (lambda s: s.within(s.exp_range), np.cosh),
    "asinh": (lambda s: np.concatenate([s.all_sizes(), s.uniform(-2, 2)]), np.arcsinh),
    "acosh": (lambda s: np.concatenate([s.spread(1, s.big), s.uniform(1, 2)]), np.arccosh),
    "atanh": (lambda s: s.within(1), np.arctanh),
    "rsqrt": (Samples.positive, lambda x: 1 / np.sqrt(x)),
    "sin": (Samples.angles, np.sin),
    "cos": (Samples.angles, np.cos),
    "tan": (Samples.angles, np.tan),
    "asin": (Samples.unit, np.arcsin),
    "acos": (Samples.unit, np.arccos),
    "atan": (lambda s: np.concatenate([s.all_sizes(), s.uniform(-3, 3)]), np.arctan),
    "atan2": (lambda s: s.pairs((s.all_sizes(), s.all_sizes()),
                                (s.uniform(-1, 1), s.uniform(-1, 1))), np.arctan2),
    "pow": (lambda s: s.pairs((s.spread(1e-3, 1e3), s.uniform(-10, 10)),
                              (s.spread(s.tiny, s.big), s.uniform(-2, 2)),
                              (s.uniform(0.9, 1.1), s.uniform(-300, 300))), np.power),
    "fmod": (lambda s: s.pairs((s.all_sizes(), s.all_sizes()),
                               (s.uniform(-99, 99), s.uniform(-9, 9))), np.fmod),
    "remainder": (lambda s: s.pairs((s.all_sizes(), s.all_sizes()),
                                    (s.uniform(-99, 99), s.uniform(-9, 9))), np.remainder),
}
# these need arbitrary precision
_SPECIAL_CASES = {
    "erf": lambda s: s.within(6),
    "erfc": lambda s: np.concatenate([s.within(6), s.uniform(5, 0.97 * s.exp_range ** 0.5)]),
    "erfinv": lambda s: np.concatenate([s.within(1), 1 - s.spread(1e-15, 0.1)]),
    "lgamma": lambda s: np.concatenate([s.uniform(0, 10), s.spread(s.tiny, 1e30),
                                        s.uniform(-20, 0)]),
    "digamma": lambda s: np.concatenate([s.uniform(0, 20), s.spread(1e-5, 1e30),
                                         s.uniform(-20, 0)]),
}


def ulps(got, reference, at_least_one):
    """Distance in units of the last place of the reference (of 1, where that is more)."""
    with np.errstate(all="ignore"):
        rounded = reference.astype(got.dtype)
        size = np.abs(rounded)
        unit = np.spacing(np.maximum(size, size.dtype.type(1)) if at_least_one else size)
        distance = np.abs(got.astype(Long) - reference) / unit.astype(Long)
        infinite = np.isinf(rounded) | np.isinf(got)
        distance = np.where(infinite, np.where(rounded == got, 0, np.inf), distance)
    both_nan = np.isnan(got) & np.isnan(reference)
    return np.where(both_nan, 0, np.where(np.isnan(distance), np.inf, distance))


def assert_within_bound(name, dtype, arguments, got, reference):
    errors = ulps(got, reference, name in ("lgamma", "digamma"))
    worst = int(np.argmax(errors))
    bound = vector_math.ULP_BOUNDS[name][dtype == "float64"]
    assert errors[worst] <= bound, (
        f"{name}({[float(a[worst]) for a in arguments]}) is {got[worst]!r}, "
        f"{float(errors[worst]):.2f} ulp from {reference[worst]!r}")


@pytest.mark.skipif(np.finfo(Long).nmant < 63, reason="needs an 80-bit longdouble as reference")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(_CASES))
def test_error_bound(name, dtype):
    sample, reference = _CASES[name]
    arguments = sample(Samples(dtype, 4000))
    arguments = arguments if isinstance(arguments, tuple) else (arguments,)
    arguments = [a.astype(dtype) for a in arguments]
    with np.errstate(all="ignore"):
        expected = reference(*(a.astype(Long) for a in arguments))
    assert_within_bound(name, dtype, arguments, compute(name, dtype, *arguments), expected)


@pytest.mark.skipif(np.finfo(Long).nmant < 63, reason="needs an 80-bit longdouble to compare in")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(_SPECIAL_CASES))
def test_error_bound_of_special_functions(name, dtype):
    mpmath = pytest.importorskip("mpmath")
    x = _SPECIAL_CASES[name](Samples(dtype, 50)).astype(dtype)

    def lgamma(v):
        if v > 0:
            return mpmath.loggamma(v)
        return mpmath.log(mpmath.pi / abs(v * mpmath.sin(mpmath.pi * v))) - mpmath.loggamma(-v)

    function = lgamma if name == "lgamma" else getattr(mpmath, name)
    with mpmath.workdps(40):
        expected = np.array([Long(mpmath.nstr(function(mpmath.mpf(float(v))), 25)) for v in x])
    assert_within_bound(name, dtype, [x], compute(name, dtype, x), expected)


# name: [(argument, ..., result)]
_EXACT = {
    "exp": [(INF, INF), (-INF, 0), (0, 1), (-0.0, 1), (1e4, INF), (-1e4, 0)],
    "exp2": [(INF, INF), (-INF, 0), (0, 1), (3, 8), (-1, 0.5), (1e5, INF), (-1e5, 0)],
    "expm1": [(INF, INF), (-INF, -1), (0, 0), (-0.0, -0.0), (1e4, INF), (-100, -1)],
    "log": [(INF, INF), (0, -INF), (-0.0, -INF), (1, 0), (-1, NAN), (-INF, NAN)],
    "log1p": [(INF, INF), (-1, -INF), (0, 0), (-0.0, -0.0), (-2, NAN)],
    "log2": [(INF, INF), (0, -INF), (8, 3), (0.25, -2), (1, 0), (-1, NAN)],
    "log10": [(INF, INF), (0, -INF), (1000, 3), (1, 0), (-1, NAN)],
    "sigmoid": [(INF, 1), (-INF, 0), (0, 0.5)],
    "tanh": [(INF, 1), (-INF, -1), (0, 0), (-0.0, -0.0)],
    "sinh": [(INF, INF), (-INF, -INF), (-0.0, -0.0)],
    "cosh": [(INF, INF), (-INF, INF), (0, 1)],
    "asinh": [(INF, INF), (-INF, -INF), (-0.0, -0.0)],
    "acosh": [(INF, INF), (1, 0), (0.5, NAN), (-INF, NAN)],
    "atanh": [(1, INF), (-1, -INF), (-0.0, -0.0), (2, NAN)],
    "rsqrt": [(4, 0.5), (INF, 0), (0, INF), (-1, NAN)],
    "sin": [(0, 0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)],
    "cos": [(0, 1), (-0.0, 1), (INF, NAN), (-INF, NAN)],
    "tan": [(0, 0), (-0.0, -0.0), (INF, NAN)],
    "asin": [(0, 0), (-0.0, -0.0), (1, math.pi / 2), (-1, -math.pi / 2), (1.5, NAN)],
    "acos": [(1, 0), (0, math.pi / 2), (-1, math.pi), (1.5, NAN)],
    "atan": [(INF, math.pi / 2), (-INF, -math.pi / 2), (-0.0, -0.0), (1, math.pi / 4)],
    "erf": [(INF, 1), (-INF, -1), (0, 0), (-0.0, -0.0)],
    "erfc": [(INF, 0), (-INF, 2), (0, 1)],
    "erfinv": [(1, INF), (-1, -INF), (0, 0), (1.5, NAN)],
    "lgamma": [(INF, INF), (-INF, INF), (0, INF), (-0.0, INF), (-1, INF), (1, 0), (2, 0)],
    "digamma": [(INF, INF), (0, -INF), (-0.0, INF), (-1, NAN)],
    "atan2": [(0.0, 1.0, 0.0), (-0.0, 1.0, -0.0), (0.0, -1.0, math.pi), (-0.0, -1.0, -math.pi),
              (0.0, 0.0, 0.0), (0.0, -0.0, math.pi), (1, 0, math.pi / 2), (-1, 0, -math.pi / 2),
              (INF, INF, math.pi / 4), (INF, -INF, 3 * math.pi / 4), (1, INF, 0), (NAN, 1, NAN),
              (1, -INF, math.pi), (-INF, 1, -math.pi / 2), (1, NAN, NAN)],
    "pow": [(0, 0, 1), (NAN, 0, 1), (1, NAN, 1), (2, 3, 8), (-2, 3, -8), (-2, 2, 4), (-2, -1, -.5),
            (-2, 0.5, NAN), (0, 2, 0), (-0.0, 3, -0.0), (-0.0, 2, 0), (0, -1, INF),
            (-0.0, -1, -INF),
            (INF, 2, INF), (INF, -2, 0), (-INF, 3, -INF), (-INF, 2, INF), (-INF, -3, -0.0),
            (2, INF, INF), (0.5, INF, 0), (2, -INF, 0), (0.5, -INF, INF), (-1, INF, 1),
            (1, INF, 1), (2, NAN, NAN), (NAN, 2, NAN), (10, 400, INF), (10, -400, 0),
            (-INF, 0.5, INF), (4, 0.5, 2)],
    "fmod": [(5, 3, 2), (-5, 3, -2), (5, -3, 2), (-0.0, 3, -0.0), (5, INF, 5), (INF, 3, NAN),
             (5, 0, NAN), (6, 3, 0), (-6, 3, -0.0), (NAN, 1, NAN), (1, NAN, NAN)],
    "remainder": [(5, 3, 2), (-5, 3, 1), (5, -3, -1), (-6, 3, -0.0), (5, 0, NAN), (INF, 3, NAN)],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", vector_math.names())
def test_special_values(name, dtype):
    rows = list(_EXACT[name])
    if len(rows[0]) == 2:
        rows.append((NAN, NAN))
    *arguments, expected = np.array(rows, dtype).T
    got = compute(name, dtype, *arguments)
    np.testing.assert_allclose(got, expected, rtol=1e-7 if dtype == "float32" else 3e-16)
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(expected[zero]))


@pytest.mark.parametrize("name", ["exp", "log", "sin", "pow", "erf", "lgamma"])
def test_every_width_gives_the_same_bits(name):
    rng = np.random.default_rng(0)
    count = 2 if name == "pow" else 1
    for dtype in ("float32", "float64"):
        arguments = [rng.uniform(0.1, 20, 64).astype(dtype) for _ in range(count)]
        arguments[0][5] = 1e30  # a lane of its own way in sin
        scalar = compute(name, dtype, *arguments, lanes=0)
        for lanes in (4, 8, 16):
            np.testing.assert_array_equal(compute(name, dtype, *arguments, lanes=lanes), scalar)


def test_wrong_arguments_are_told():
    f = Module("m").kernel("k")
    with pytest.raises(TypeError, match="pow takes 2 arguments; received 1"):
        vector_math.call(f, "pow", f.constant(F32, 1))
    with pytest.raises(TypeError, match="takes float32 or float64 values of one type"):
        vector_math.call(f, "exp", f.constant(I32, 1))
