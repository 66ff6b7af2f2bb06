"""Comparing gradients with finite differences."""

from __future__ import annotations

import numpy as np

from ..tensor import Tensor
from ._backward import grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient differs from its finite difference."""


def _outputs(result) -> list[Tensor]:
    result = result if isinstance(result, (tuple, list)) else (result,)
    return [r for r in result if isinstance(r, Tensor) and r.requires_grad]


def gradcheck(func, inputs, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
              raise_exception: bool = True, nondet_tol: float = 0.0,
              check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
              check_batched_grad: bool = False, check_forward_ad: bool = False,
              check_backward_ad: bool = True, fast_mode: bool = False, masked=None) -> bool:
    """Whether analytical gradients of func(*inputs) agree with central differences of step eps.

    Inputs should be float64. Raises GradcheckError (or returns False) where
    |analytical - numerical| > atol + rtol * |numerical|.
    """
    for name, value in (("check_batched_grad", check_batched_grad),
                        ("check_forward_ad", check_forward_ad),
                        ("check_grad_dtypes", check_grad_dtypes), ("masked", masked)):
        if value:
            raise NotImplementedError(f"gradcheck: {name}=True is not supported")
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    try:
        for i, x in enumerate(inputs):
            if isinstance(x, Tensor) and x.requires_grad:
                _check_input(func, inputs, i, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check_input(func, inputs, number: int, eps: float, atol: float, rtol: float) -> None:
    x = inputs[number]
    base = x.detach()._array().copy()
    outputs = _outputs(func(*inputs))
    if not outputs:
        raise ValueError("gradcheck expects at least one output that requires grad")

    def evaluate(array):
        from ..construct import new_array_tensor
        moved = new_array_tensor(array, x.dtype).requires_grad_()
        given = inputs[:number] + (moved,) + inputs[number + 1:]
        return [o.detach()._array().copy() for o in _outputs(func(*given))]

    numerical = [np.zeros((base.size, o.numel()), o.dtype.compute) for o in outputs]
    for j in range(base.size):
        for unit in ((1.0, 1j) if x.dtype.is_complex else (1.0,)):
            high, low = base.copy(), base.copy()
            high.reshape(-1)[j] += eps * unit
            low.reshape(-1)[j] -= eps * unit
            for k, (a, b) in enumerate(zip(evaluate(high), evaluate(low))):
                difference = ((a - b) / (2 * eps)).reshape(-1)
                if unit == 1.0:
                    numerical[k][j] = difference
                else:      # conjugate Wirtinger gradient: d/dx + i d/dy, as PyTorch defines it
                    numerical[k][j] = numerical[k][j] + 1j * difference
    for k, output in enumerate(outputs):
        analytical = np.zeros((base.size, output.numel()), base.dtype)
        for m in range(output.numel()):
            from ..construct import zeros_like
            seed = zeros_like(output)
            seed._array().reshape(-1)[m] = 1
            found = grad(output, x, seed, retain_graph=True, allow_unused=True)[0]
            if found is not None:
                analytical[:, m] = found.detach()._array().reshape(-1)
        if not np.allclose(analytical, numerical[k], rtol, atol, equal_nan=True):
            raise GradcheckError(
                f"Jacobian mismatch for output {k} with respect to input {number},\n"
                f"numerical:{numerical[k]}\nanalytical:{analytical}\n")


def gradgradcheck(func, inputs, grad_outputs=None, *, eps: float = 1e-6, atol: float = 1e-5,
                  rtol: float = 1e-3, raise_exception: bool = True, **options) -> bool:
    """gradcheck of the gradients themselves."""
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        from ..construct import new_array_tensor
        grad_outputs = [new_array_tensor(rng.standard_normal(tuple(o.shape)),
                                         o.dtype).requires_grad_()
                        for o in _outputs(func(*inputs))]
    elif isinstance(grad_outputs, Tensor):
        grad_outputs = [grad_outputs]
    count = len(inputs)
    wanted = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]

    def first(*given):
        xs, gs = given[:count], given[count:]
        found = grad(_outputs(func(*xs)), [xs[i] for i in wanted], gs, create_graph=True,
                     allow_unused=True)
        return tuple(f for f in found if f is not None)

    return gradcheck(first, (*inputs, *grad_outputs), eps=eps, atol=atol, rtol=rtol,
                     raise_exception=raise_exception, **options)
