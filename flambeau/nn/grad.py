"""The gradients of convolutions as functions: ``conv2d_input``, ``conv2d_weight`` and the like."""
import flambeau

from . import functional as F

__all__ = [
    "conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input",
    "conv3d_weight",
]


def _input_gradient(convolve, name):
    def gradient(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
        with flambeau.enable_grad():
            x = flambeau.zeros(input_size, dtype=grad_output.dtype).requires_grad_()
            out = convolve(x, weight, None, stride, padding, dilation, groups)
        return flambeau.autograd.grad(out, x, grad_output)[0]

    gradient.__name__ = gradient.__qualname__ = f"{name}_input"
    gradient.__doc__ = f"The gradient of ``{name}`` with respect to an input of ``input_size``."
    return gradient


def _weight_gradient(convolve, name):
    def gradient(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
        with flambeau.enable_grad():
            w = flambeau.zeros(weight_size, dtype=grad_output.dtype).requires_grad_()
            out = convolve(input, w, None, stride, padding, dilation, groups)
        return flambeau.autograd.grad(out, w, grad_output)[0]

    gradient.__name__ = gradient.__qualname__ = f"{name}_weight"
    gradient.__doc__ = f"The gradient of ``{name}`` with respect to a weight of ``weight_size``."
    return gradient


conv1d_input, conv2d_input, conv3d_input = (
    _input_gradient(getattr(F, name), name) for name in ("conv1d", "conv2d", "conv3d")
)
conv1d_weight, conv2d_weight, conv3d_weight = (
    _weight_gradient(getattr(F, name), name) for name in ("conv1d", "conv2d", "conv3d")
)
