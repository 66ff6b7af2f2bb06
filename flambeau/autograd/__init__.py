"""Automatic differentiation: backward passes, gradient modes, user-defined functions, checks."""

from __future__ import annotations

from .._missing import raise_missing
from . import functional, graph
from ._backward import backward, grad
from .anomaly import detect_anomaly, set_detect_anomaly
from .function import Function
from .gradcheck import gradcheck, gradgradcheck
from .modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)

__all__ = ["Function", "Variable", "backward", "detect_anomaly", "enable_grad", "functional",
           "grad", "gradcheck", "gradgradcheck", "graph", "inference_mode", "is_grad_enabled",
           "is_inference_mode_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled"]


def Variable(data, requires_grad: bool = False, volatile=None):
    """The old name of a tensor: `data` itself, requiring gradients if asked."""
    out = data.detach() if not data.requires_grad else data
    return out.requires_grad_() if requires_grad else out


_raise_missing = raise_missing(__name__)


def __getattr__(name: str):
    if name == "profiler":                       # loaded when it is asked for
        import importlib
        return importlib.import_module(".profiler", __name__)
    return _raise_missing(name)
