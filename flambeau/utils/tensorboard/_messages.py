"""Building blocks of summaries: values, tensors and plugin metadata as protobuf messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto


def shape_message(shape: Sequence[int]) -> Any:
    """Return a shape as a message."""
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=extent) for extent in shape])


def tensor_message(dtype: str, shape: Sequence[int] | None, **values: Any) -> Any:
    """Return a tensor as a message.

    Args:
        dtype: such as ``DT_FLOAT``.
        shape: None leaves the shape out.
        **values: one of the fields of values, such as ``float_val=[1.0]``.
    """
    message = TensorProto(dtype=dtype, **values)
    if shape is not None:
        message.tensor_shape.CopyFrom(shape_message(shape))
    return message


def metadata_message(plugin: str, content: bytes = b"") -> Any:
    """Return the metadata that hands a value to a plugin of TensorBoard."""
    data = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    return SummaryMetadata(plugin_data=data)


def summary_of(tag: str, **value: Any) -> Any:
    """Return a summary of one value."""
    return Summary(value=[Summary.Value(tag=tag, **value)])
