"""The graph of an ONNX file, for TensorBoard's graph page."""

from __future__ import annotations

from typing import Any

from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.versions_pb2 import VersionDef

from ._messages import shape_message


def load_onnx_graph(path: str) -> Any:
    """Return the graph message of an ONNX file.

    Raises:
        ImportError: without the onnx package.
    """
    try:
        import onnx
    except ImportError:
        raise ImportError("add_onnx_graph needs the onnx package: pip install onnx") from None
    graph = onnx.load(path).graph
    nodes = []
    for value in [*graph.input, *graph.output]:
        kind = value.type.tensor_type
        shape = shape_message([dim.dim_value for dim in kind.shape.dim])
        attributes = {
            "dtype": AttrValue(type=kind.elem_type),
            "shape": AttrValue(shape=shape),
        }
        nodes.append(NodeDef(name=value.name, op="Variable", attr=attributes))
    for node in graph.node:
        text = ", ".join(str(attribute) for attribute in node.attribute)
        attributes = {"parameters": AttrValue(s=text.replace("\n", " ").encode("utf-8"))}
        name = node.output[0]
        nodes.append(NodeDef(name=name, op=node.op_type, input=node.input, attr=attributes))
    return GraphDef(node=nodes, versions=VersionDef(producer=22))
