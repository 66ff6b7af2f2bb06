"""Elementary and special functions on float32 and float64 vectors of any width, as LLVM code.

    y = vector_math.call(f, "exp", x)       # into the function f under construction

Short functions are expanded in place; the others become functions of the module, defined on demand
and called. All are correct for infinities, NaN, denormals and huge arguments. `ULP_BOUNDS` states
how far results may lie from the true value, in units of the last place; the tests hold them to it.

Where float32 has no version of its own it is computed in float64 and rounded once, which costs two
to four times as much. Half precision is computed in float32.
"""

from flambeau.codegen import _math_exp, _math_special, _math_trig
from flambeau.codegen.types import F32, F64

__all__ = ["ULP_BOUNDS", "call", "names"]

# name: (arguments, own float32 version, expanded in place, ulp float32, ulp float64)
_FUNCTIONS = {
    "exp": (1, True, True, 1, 1),
    "exp2": (1, True, True, 1.2, 1.2),
    "expm1": (1, True, True, 2, 2),
    "log": (1, True, True, 1, 1),
    "log1p": (1, True, False, 1.5, 1.5),
    "log2": (1, False, False, 0.51, 1),
    "log10": (1, False, False, 0.51, 1),
    "sigmoid": (1, True, True, 2.5, 2.5),
    "tanh": (1, True, True, 2.5, 2.5),
    "sinh": (1, False, False, 0.51, 2.5),
    "cosh": (1, False, False, 0.51, 1.5),
    "asinh": (1, False, False, 0.51, 2),
    "acosh": (1, False, False, 0.51, 2.5),
    "atanh": (1, False, False, 0.51, 2),
    "pow": (2, True, False, 0.51, 1.5),
    "rsqrt": (1, True, True, 1.5, 1.5),
    "sin": (1, True, False, 1.5, 1),
    "cos": (1, True, False, 1.5, 1),
    "tan": (1, False, False, 0.51, 2),
    "asin": (1, False, False, 0.51, 1.5),
    "acos": (1, False, False, 0.51, 1),
    "atan": (1, False, False, 0.51, 2),
    "atan2": (2, False, False, 0.51, 2),
    "erf": (1, True, True, 1.5, 2),
    "erfc": (1, False, False, 0.51, 4),
    "erfinv": (1, False, False, 0.51, 2),
    "lgamma": (1, False, False, 0.51, 4),
    "digamma": (1, False, False, 0.51, 8),
    "fmod": (2, False, False, 0, 0),
    "remainder": (2, False, False, 0.5, 0.5),
}

#: name -> (largest error of float32, of float64), in units of the last place. lgamma below 0 and
#: digamma are meant relative to max(1, |result|), since their zeros are not exact numbers.
ULP_BOUNDS = {name: row[3:] for name, row in _FUNCTIONS.items()}


def names():
    """The names of all functions, sorted."""
    return sorted(_FUNCTIONS)


def _builder(name):
    for module in (_math_exp, _math_trig, _math_special):
        if name in module.__all__:
            return getattr(module, name)
    raise KeyError(name)


def _expand(f, name, arguments):
    own_single = _FUNCTIONS[name][1]
    build = _builder(name)
    with f.fast_math(""):
        if arguments[0].type.element is F32 and not own_single:
            return f.cast(build(f, *(f.cast(a, F64) for a in arguments)), F32)
        return build(f, *arguments)


def call(f, name, *arguments):
    """Emits the function `name` of float32 or float64 values into the function `f`."""
    count, _, inline, *_ = _FUNCTIONS[name]
    if len(arguments) != count:
        raise TypeError(f"{name} takes {count} arguments; received {len(arguments)}")
    type = arguments[0].type
    if type.element not in (F32, F64) or any(a.type is not type for a in arguments):
        raise TypeError(f"{name} takes float32 or float64 values of one type; received "
                        f"{', '.join(str(a.type) for a in arguments)}")
    if inline:
        return _expand(f, name, arguments)
    symbol = f"math.{name}.{type.mangled}"
    f.module.define_once(symbol, lambda module: _define(module, symbol, name, type, count))
    return f.call(symbol, type, arguments)


def _define(module, symbol, name, type, count):
    function = module.function(symbol, type, [type] * count, "nounwind noinline", "internal")
    function.ret(_expand(function, name, function.parameters))
