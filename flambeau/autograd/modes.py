"""Whether operations are recorded for differentiation: no_grad and its relatives."""

from __future__ import annotations

import functools
import inspect

from ..graph.ir import building

__all__ = ["enable_grad", "inference_mode", "is_grad_enabled", "is_inference_mode_enabled",
           "no_grad", "set_grad_enabled"]

_inference = [False]


def is_grad_enabled() -> bool:
    """Whether operations are recorded for differentiation now."""
    return building.grad_enabled


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on."""
    return _inference[0]


class _Mode:
    """A context manager and decorator that sets the gradient mode."""

    mode = True

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(building.grad_enabled)
        building.grad_enabled = self.mode

    def __exit__(self, *error) -> None:
        building.grad_enabled = self._before.pop()

    def clone(self) -> _Mode:
        return type(self)()

    def __call__(self, function):
        if inspect.isclass(function):
            function.__init__ = self(function.__init__)
            return function
        if inspect.isgeneratorfunction(function):
            @functools.wraps(function)
            def generator(*args, **kwargs):
                with self.clone():
                    source = function(*args, **kwargs)
                while True:
                    with self.clone():
                        try:
                            item = next(source)
                        except StopIteration as stop:
                            return stop.value
                    yield item
            return generator

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self.clone():
                return function(*args, **kwargs)
        return wrapped


class _DecoratorMode(_Mode):
    """A mode that also decorates a function without a call: ``@no_grad``."""

    def __new__(cls, function=None):
        made = super().__new__(cls)
        if function is None:
            return made
        made.__init__()
        return made(function)

    def __init__(self, function=None) -> None:
        super().__init__()


class no_grad(_DecoratorMode):
    """Nothing is recorded for differentiation inside.

    >>> import flambeau as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    mode = False


class enable_grad(_DecoratorMode):
    """Operations are recorded for differentiation inside, also within no_grad."""

    mode = True


class set_grad_enabled(_Mode):
    """Set the gradient mode at once; as a context manager, until its end."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.mode = bool(mode)
        self._outer = building.grad_enabled
        building.grad_enabled = self.mode

    def __enter__(self) -> None:
        self._before.append(self._outer)
        building.grad_enabled = self.mode

    def __call__(self, function):
        building.grad_enabled = self._outer
        return super().__call__(function)

    def clone(self) -> set_grad_enabled:
        return type(self)(self.mode)


class inference_mode(_Mode):
    """no_grad for inference; mode=False turns gradients on."""

    def __new__(cls, mode=True):
        made = super().__new__(cls)
        if isinstance(mode, bool):
            return made
        made.__init__()
        return made(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.inference = mode is not False
        self.mode = not self.inference
        self._outer: list[bool] = []

    def __enter__(self) -> None:
        super().__enter__()
        self._outer.append(_inference[0])
        _inference[0] = self.inference

    def __exit__(self, *error) -> None:
        super().__exit__(*error)
        _inference[0] = self._outer.pop()

    def clone(self) -> inference_mode:
        return type(self)(self.inference)
