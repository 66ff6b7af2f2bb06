"""What every declared operation must keep, whatever it computes.

One function, :func:`check_operation`, is run for each call in samples.py.
"""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import contextmanager

import numpy as np

import flambeau as torch
import flambeau.nn.functional
import flambeau.ops
from flambeau.ops.declare import DECLARED
from flambeau.record.execute import settings

from .samples import Call, seed_of

for _module in pkgutil.iter_modules(flambeau.ops.__path__):
    importlib.import_module(f"flambeau.ops.{_module.name}")

_FLOATS = {torch.float32: (2e-4, 1e-5), torch.float64: (1e-8, 1e-10),
           torch.float16: (2e-2, 2e-2), torch.bfloat16: (1e-1, 1e-1)}
_REFUSALS = (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError)


@contextmanager
def tier(compiled: bool):
    """Run programs by the interpreter alone, or compiled from their first run on."""
    before = settings.compile, settings.interpreted_runs, settings.strict
    settings.compile, settings.interpreted_runs, settings.strict = compiled, 0, True
    try:
        yield
    finally:
        settings.compile, settings.interpreted_runs, settings.strict = before


def tensors_of(x, make):
    """`x` with its arrays made tensors."""
    if isinstance(x, np.ndarray):
        return make(x)
    if isinstance(x, list):
        return [tensors_of(i, make) for i in x]
    return x


def plain(array):
    return torch.from_numpy(array.copy())


def strided(array):
    """The same tensor as a view of memory in another order, with gaps."""
    wide = np.zeros(tuple(2 * e for e in array.T.shape), array.dtype)
    wide[tuple(slice(None, None, 2) for _ in wide.shape)] = array.T
    base = torch.from_numpy(wide)
    view = base[tuple(slice(None, None, 2) for _ in wide.shape)] if array.ndim else base
    return view.permute(tuple(reversed(range(array.ndim))))


def cast_to(dtype):
    def make(array):
        kind = array.dtype.kind
        return plain(array).to(dtype) if kind == "f" else plain(array)
    return make


class Run:
    """A call on tensors: its float64 leaves, and its results as a list."""

    def __init__(self, key: str, call: Call, make=plain, grad: bool = False):
        self.leaves: list[torch.Tensor] = []

        def made(array):
            x = make(array)
            if grad and x.dtype.is_floating_point:
                x.requires_grad_()
                self.leaves.append(x)
            return x

        args = [tensors_of(a, made) for a in call.args]
        options = {k: tensors_of(v, made) for k, v in call.options.items()}
        self.args, self.options = args, options
        self.result = DECLARED[key].function(*args, **options)
        several = isinstance(self.result, tuple)
        self.results = list(self.result) if several else [self.result]

    def arrays(self):
        return [numbers(r) for r in self.results]


def numbers(tensor):
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy().copy()


def assert_close(found, expected, dtypes, what: str, loose: float = 1.0):
    assert len(found) == len(expected), what
    for a, b, dtype in zip(found, expected, dtypes):
        assert a.shape == b.shape, f"{what}: shapes {a.shape} and {b.shape}"
        rtol, atol = _FLOATS.get(dtype, (1e-8, 1e-10) if dtype is torch.complex128 else (
            (2e-4, 1e-5) if dtype is torch.complex64 else (0, 0)))
        scale = max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0))) if b.size else 1.0
        np.testing.assert_allclose(a, b, rtol * loose, atol * loose * scale, err_msg=what)


# ---- gradients -----------------------------------------------------------------------------------


def weighted(results, seed: int):
    """A fixed random combination of all elements that have gradients."""
    rng = np.random.default_rng(seed)
    total = None
    for r in results:
        if not r.requires_grad:
            continue
        parts = [r] if not r.is_complex() else [r.real, r.imag]
        for part in parts:
            term = (part * torch.from_numpy(rng.uniform(0.5, 1.5, tuple(part.shape))).to(
                part.dtype)).sum()
            total = term if total is None else total + term
    return total


def _moved(arrays, directions, step):
    return [np.asarray(a + step * d) for a, d in zip(arrays, directions)]


def slopes(function, arrays, seed: int, symmetric: bool, step: float = 1e-6):
    """(analytical, numerical) derivative of the scalar function along a random direction."""
    rng = np.random.default_rng(seed)
    directions = [rng.standard_normal(a.shape) for a in arrays]
    if symmetric:
        directions = [d + np.swapaxes(d, -1, -2) for d in directions]
    value, grads = function(arrays, True)
    analytical = sum(float((g * d).sum()) for g, d in zip(grads, directions))
    high, low = (function(_moved(arrays, directions, s), False)[0] for s in (step, -step))
    return analytical, (high - low) / (2 * step)


def _with_floats(call: Call, arrays):
    """`call` with its float64 arrays replaced, in order."""
    left = iter(arrays)

    def replaced(x):
        if isinstance(x, np.ndarray) and x.dtype == np.float64:
            return next(left)
        return [replaced(i) for i in x] if isinstance(x, list) else x

    return Call([replaced(a) for a in call.args], {k: replaced(v) for k, v in call.options.items()},
                call.smooth, call.symmetric)


def _floats(call: Call):
    found = []

    def visit(x):
        if isinstance(x, np.ndarray) and x.dtype == np.float64:
            found.append(x)
        elif isinstance(x, list):
            for i in x:
                visit(i)
    for x in (*call.args, *call.options.values()):
        visit(x)
    return found


def _gradient_of(key, call, seed):
    def function(arrays, want):
        run = Run(key, _with_floats(call, arrays), grad=True)
        total = weighted(run.results, seed)
        if total is None:
            return None, None
        if not want:
            return float(total.detach()), None
        grads = torch.autograd.grad(total, run.leaves, allow_unused=True)
        return float(total.detach()), [np.zeros(a.shape) if g is None else numbers(g)
                                       for a, g in zip(arrays, grads)]
    return function


def _second_gradient_of(key, call, seed):
    """The same for the scalar sum(u * gradient), u fixed and random."""
    def function(arrays, want):
        rng = np.random.default_rng(seed + 1)
        run = Run(key, _with_floats(call, arrays), grad=True)
        grads = torch.autograd.grad(weighted(run.results, seed), run.leaves, allow_unused=True,
                                    create_graph=True)
        total = None
        for a, g in zip(arrays, grads):
            u = rng.standard_normal(a.shape)
            if g is not None and g.requires_grad:
                term = (g * torch.from_numpy(u)).sum()
                total = term if total is None else total + term
        if total is None:
            return None, None
        if not want:
            return float(total.detach()), None
        second = torch.autograd.grad(total, run.leaves, allow_unused=True)
        return float(total.detach()), [np.zeros(a.shape) if g is None else numbers(g)
                                       for a, g in zip(arrays, second)]
    return function


def check_gradients(key: str, call: Call, order: int = 2):
    """Gradients, and gradients of gradients, against finite differences."""
    arrays, seed = _floats(call), seed_of(key)
    if not call.smooth or not arrays or any(a.size == 0 for a in arrays):
        return
    makers = (_gradient_of, _second_gradient_of)[:order]
    for number, make in enumerate(makers, 1):
        function = make(key, call, seed)
        if function(arrays, False)[0] is None:
            return
        found, expected = slopes(function, arrays, seed, call.symmetric)
        bound = 2e-5 * max(1.0, abs(expected), abs(found))
        assert abs(found - expected) <= bound, (
            f"{key}: derivative {number} is {found}, finite differences give {expected}")


# ---- forms --------------------------------------------------------------------------------------


def check_in_place(key: str, call: Call, expected: Run):
    """``name_`` writes what the function returns, into the same tensor."""
    declaration = DECLARED[key]
    if not declaration.inplace or declaration.view or not isinstance(call.args[0], np.ndarray):
        return
    args = [tensors_of(a, plain) for a in call.args]
    options = {k: tensors_of(v, plain) for k, v in call.options.items()}
    first, result = args[0], expected.results[0]
    method = getattr(first, declaration.name + "_")
    if result.shape != first.shape or result.dtype.category > first.dtype.category:
        try:
            method(*args[1:], **options)
        except RuntimeError:
            return
        raise AssertionError(f"{key}_ wrote a result of {result.dtype} {list(result.shape)} into "
                             f"{first.dtype} {list(first.shape)}")
    view, version = first.view(-1), first._version
    assert method(*args[1:], **options) is first
    assert first._version > version, f"{key}_ did not count as a write"
    wanted = result.to(first.dtype)
    assert_close([numbers(first)], [numbers(wanted)], [first.dtype], f"{key}_")
    assert_close([numbers(view)], [numbers(wanted).reshape(-1)], [first.dtype], f"view of {key}_")


def check_out(key: str, call: Call, expected: Run):
    """``out=`` receives the result and is returned."""
    if not DECLARED[key].out:
        return
    outs = [torch.zeros_like(r.detach()) for r in expected.results]
    args = [tensors_of(a, plain) for a in call.args]
    options = {k: tensors_of(v, plain) for k, v in call.options.items()}
    out = tuple(outs) if isinstance(expected.result, tuple) else outs[0]
    returned = DECLARED[key].function(*args, out=out, **options)
    assert returned is out or all(r is o for r, o in zip(returned, outs))
    assert_close([numbers(o) for o in outs], expected.arrays(), [o.dtype for o in outs],
                 f"{key} with out=")


def check_dtypes(key: str, call: Call, expected: Run):
    """Other types give the same numbers to their precision, or say that they are not supported."""
    kinds = [r.dtype for r in expected.results]
    if not _floats(call):
        return
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        try:
            with tier(False):
                run = Run(key, call, cast_to(dtype))
                found = run.arrays()
        except _REFUSALS:
            assert dtype is not torch.float32, f"{key} refuses float32"
            continue
        for r, kind in zip(run.results, kinds):
            floating = kind is torch.float64 and key != "_private.to_dtype"
            assert not floating or r.dtype in (dtype, torch.float32, torch.float64), (
                f"{key} of {dtype} gives {r.dtype}")
        if dtype is torch.float32 and call.smooth:
            for f, e, kind in zip(found, expected.arrays(), kinds):
                if kind is torch.float64:
                    assert_close([f], [e], [torch.float32], f"{key} in float32", 20)
        with tier(True):
            again = Run(key, call, cast_to(dtype))
            assert_close(again.arrays(), found, [r.dtype for r in run.results],
                         f"{key} in {dtype}, compiled", 5)


def check_operation(key: str, call: Call, first: bool = True):
    """All of the above for one call; for an operation's first also other types, and compiled."""
    with tier(False):
        expected = Run(key, call)
        dtypes = [r.dtype for r in expected.results]
        results = expected.arrays()
        views = Run(key, call, strided)
        assert_close(views.arrays(), results, dtypes, f"{key} of views")
        check_in_place(key, call, expected)
        check_out(key, call, expected)
        check_gradients(key, call)
    with tier(True):
        compiled = Run(key, call)
        assert [r.dtype for r in compiled.results] == dtypes
        assert_close(compiled.arrays(), results, dtypes, f"{key}, compiled")
        if first:
            check_gradients(key, call, order=1)
    if first:
        check_dtypes(key, call, expected)
