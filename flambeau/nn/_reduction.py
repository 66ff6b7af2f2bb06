"""The old ``size_average`` and ``reduce`` options of losses, translated to ``reduction``."""
import warnings


def legacy_get_string(size_average, reduce, emit_warning=True):
    """Return the ``reduction`` that the two old options mean."""
    size_average = True if size_average is None else size_average
    reduce = True if reduce is None else reduce
    reduction = ("mean" if size_average else "sum") if reduce else "none"
    if emit_warning:
        warnings.warn(
            "size_average and reduce args will be deprecated, "
            f"please use reduction='{reduction}' instead.",
            stacklevel=3,
        )
    return reduction
