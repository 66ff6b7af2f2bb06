"""``DataParallel`` without accelerators: the wrapped module's own forward."""
from ..modules.module import Module

__all__ = ["DataParallel", "data_parallel"]


class DataParallel(Module):
    """Wrap a module; without GPUs its forward runs as it is, as in PyTorch.

    ``state_dict`` keys begin with ``module.``; ``model.module`` is the wrapped module.

    >>> import flambeau as torch
    >>> torch.nn.DataParallel(torch.nn.Linear(2, 3))(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        if device_ids:
            raise NotImplementedError(
                f"DataParallel: device_ids={device_ids} need GPUs, and there is no device backend; "
                "leave out device_ids"
            )
        self.module = module
        self.device_ids = []
        self.output_device = output_device
        self.dim = dim

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)


def data_parallel(
    module, inputs, device_ids=None, output_device=None, dim=0, module_kwargs=None
):
    """Evaluate ``module(inputs)``; device ids need GPUs and raise."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return DataParallel(module, device_ids, output_device, dim)(*inputs, **(module_kwargs or {}))
