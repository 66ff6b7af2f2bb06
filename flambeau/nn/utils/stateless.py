"""Calling a module with other parameters than its own."""
import contextlib

__all__ = ["functional_call"]


def _check_keys(module, tensors):
    own = dict(module.named_parameters(remove_duplicate=False))
    own.update(module.named_buffers(remove_duplicate=False))
    unexpected = sorted(tensors.keys() - own.keys())
    missing = sorted(own.keys() - tensors.keys())
    messages = []
    if unexpected:
        messages.append(f"Unexpected key(s): {', '.join(map(repr, unexpected))}.")
    if missing:
        messages.append(f"Missing key(s): {', '.join(map(repr, missing))}.")
    if messages:
        raise RuntimeError(
            "Error(s) in reparametrizing for {}:\n\t{}".format(
                module._get_name(), "\n\t".join(messages)
            )
        )


def _untied(module, tensors):
    """``tensors`` with every given tensor under all names of the tensor that it replaces."""
    own = dict(module.named_parameters(remove_duplicate=False))
    own.update(module.named_buffers(remove_duplicate=False))
    names = {}
    for name, tensor in own.items():
        names.setdefault(id(tensor), []).append(name)
    untied = dict(tensors)
    for tied in names.values():
        given = [name for name in tied if name in tensors]
        if len(tied) > 1 and given:
            if len({id(tensors[name]) for name in given}) != 1:
                raise ValueError(
                    f"functional_call got multiple values for keys {sorted(tied)}, which are tied. "
                    "Consider using tie_weights=False"
                )
            untied.update((name, tensors[given[0]]) for name in tied)
    return untied


@contextlib.contextmanager
def _reparametrize_module(module, tensors, tie_weights=False, strict=False):
    """Put ``tensors`` (dotted name to tensor) in place of the module's own while it lasts."""
    tensors = _untied(module, tensors) if tie_weights else tensors
    if strict:
        _check_keys(module, tensors)
    owners = dict(module.named_modules(remove_duplicate=False))
    replaced = []
    try:
        for key, tensor in tensors.items():
            path, _, name = key.rpartition(".")
            owner = owners.get(path)
            if owner is None:  # names that do not exist are skipped unless strict
                continue
            for table in (owner._parameters, owner._buffers):
                if name in table:
                    replaced.append((table, name, table[name]))
                    table[name] = tensor
                    break
        yield
    finally:
        for table, name, tensor in reversed(replaced):
            table[name] = tensor


def functional_call(
    module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """Return ``module(*args, **kwargs)`` with the given tensors instead of the module's own.

    Args:
        parameters_and_buffers: dotted names to tensors, or a tuple of such dictionaries.
        tie_weights: a tensor given for one name of a shared tensor replaces all of them.
        strict: every name must be given, and no other.

    >>> import flambeau as torch
    >>> layer = torch.nn.Linear(2, 1, bias=False)
    >>> torch.func.functional_call(layer, {"weight": torch.ones(1, 2)}, torch.ones(1, 2))
    tensor([[2.]])
    """
    from ..parallel import DataParallel

    if isinstance(module, DataParallel):
        raise RuntimeError("The stateless API can't be used with nn.DataParallel module")
    if isinstance(parameters_and_buffers, (tuple, list)):
        merged = {}
        for tensors in parameters_and_buffers:
            repeated = merged.keys() & tensors.keys()
            if repeated:
                raise ValueError(f"{sorted(repeated)[0]} appeared in multiple dictionaries")
            merged.update(tensors)
        parameters_and_buffers = merged
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with _reparametrize_module(module, parameters_and_buffers, tie_weights, strict):
        return module(*args, **(kwargs or {}))
