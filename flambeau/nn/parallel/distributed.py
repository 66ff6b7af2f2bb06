"""``DistributedDataParallel``: named, so that scripts which only mention it can be imported."""
from ..modules.module import Module

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(Module):
    """Training in several processes; not supported: the constructor raises."""

    def __init__(self, module, *args, **kwargs):
        super().__init__()
        raise NotImplementedError(
            "DistributedDataParallel needs a distributed backend, which does not exist yet: train "
            "in one process (a step uses all cores already), or wrap the model in DataParallel"
        )
