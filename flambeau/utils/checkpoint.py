"""``torch.utils.checkpoint``: what is saved for backward is decided when a program is compiled.

The functions give the same results and gradients as PyTorch's. Whether a value is saved or
computed again is the compiler's choice for the whole step, not that of the call.
"""

from __future__ import annotations

import contextlib

__all__ = ["checkpoint", "checkpoint_sequential", "noop_context_fn",
           "set_checkpoint_early_stop"]


def noop_context_fn():
    """Two contexts that change nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(function, *args, use_reentrant=None, context_fn=noop_context_fn,
               determinism_check="default", debug=False, early_stop=True, preserve_rng_state=True,
               **kwargs):
    """function(*args, **kwargs); its random numbers are drawn once."""
    if use_reentrant and kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    with context_fn()[0]:
        return function(*args, **kwargs)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """Apply the modules one after the other."""
    from ..nn import Sequential
    members = list(functions.children()) if isinstance(functions, Sequential) else functions
    if not 1 <= segments <= len(members):
        raise ValueError(f"segments must be between 1 and {len(members)}; received {segments}")
    for function in members:
        input = function(input)
    return input


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool):
    """Nothing is computed twice here, so there is nothing to stop."""
    yield
