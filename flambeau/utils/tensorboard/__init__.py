"""Logs for TensorBoard (``torch.utils.tensorboard``), written by the ``tensorboard`` package."""

import importlib.util

if importlib.util.find_spec("tensorboard") is None:
    raise ModuleNotFoundError(
        "flambeau.utils.tensorboard needs the tensorboard package: "
        "pip install 'flambeau[tensorboard]'   (or: pip install tensorboard pillow)",
        name="tensorboard",
    )

from tensorboard.summary.writer.record_writer import RecordWriter

from .writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "RecordWriter", "SummaryWriter"]

from ..._missing import raise_missing

__getattr__ = raise_missing(__name__)
