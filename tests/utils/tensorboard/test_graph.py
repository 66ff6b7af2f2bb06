"""add_graph: the recorded graph of a model."""

import pytest

pytest.importorskip("tensorboard")

from tensorboard.compat.proto.graph_pb2 import GraphDef

import flambeau as torch
from flambeau import nn
from flambeau.utils.tensorboard import SummaryWriter
from flambeau.utils.tensorboard._graph import graph_of


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5))
        self.out = nn.Linear(4, 2)
        self.register_buffer("scale", torch.ones(2))

    def forward(self, x, extra=None):
        x = self.fc(x)
        if extra is not None:
            x = x + extra["bias"]
        return {"logits": self.out(x) * self.scale, "hidden": x}


def nodes_of(model, inputs):
    graph, _ = graph_of(model, inputs)
    return {node.name: node for node in graph.node}


def reaches(nodes, start, goal):
    """Whether there is a path from ``start`` back to ``goal``."""
    seen, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += nodes[name].input
    return goal in seen


def test_scopes_inputs_and_outputs():
    model = Net().train()
    nodes = nodes_of(model, torch.randn(5, 3))
    assert nodes["input/x"].op == "IO Node"
    linear = next(n for n in nodes if n.startswith("Net/Sequential[fc]/Linear[0]/linear"))
    assert nodes[linear].op == "aten::linear"
    assert set(nodes[linear].input) == {
        "input/x",
        "Net/Sequential[fc]/Linear[0]/weight/weight",
        "Net/Sequential[fc]/Linear[0]/bias/bias",
    }
    shape = nodes[linear].attr["_output_shapes"].list.shape[0]
    assert [dim.size for dim in shape.dim] == [5, 4]
    assert any(n.startswith("Net/Sequential[fc]/ReLU[1]/") for n in nodes)
    assert nodes["Net/scale/scale"].op == "prim::GetAttr"
    assert any(n.startswith("Net/mul") for n in nodes)
    assert reaches(nodes, "output/output.1", "Net/scale/scale")
    assert reaches(nodes, "output/output.2", "input/x")
    assert not reaches(nodes, "output/output.2", "Net/scale/scale")
    assert model.training and model.fc[2].training
    assert not model.fc[0]._forward_hooks and not model.fc[0]._forward_pre_hooks


def test_containers_and_values_read_on_the_way():
    class Odd(nn.Module):
        def forward(self, x):
            if x.sum().item() > -1e9:  # runs what is pending
                x = x * 2
            return [x.relu(), (x, {"y": x})]

    nodes = nodes_of(Odd(), torch.ones(3))
    assert reaches(nodes, "output/output.1", "input/x")
    assert "output/output.3" in nodes

    nodes = nodes_of(Net(), (torch.ones(2, 3), {"bias": torch.ones(4)}))
    assert reaches(nodes, "output/output.1", "input/extra")


def test_graph_in_the_file(tmp_path, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(Net(), torch.ones(1, 3), verbose=True)
    assert "aten::linear" in capsys.readouterr().out
    run = EventAccumulator(str(tmp_path))
    run.Reload()
    assert run.Tags()["graph"] and run.Tags()["run_metadata"] == ["step1"]
    graph = GraphDef.FromString(run.Graph().SerializeToString())
    names = {node.name for node in graph.node}
    assert all(source in names for node in graph.node for source in node.input)
    assert graph.versions.producer == 22
    with pytest.raises(ValueError, match="needs input_to_model"):
        writer.add_graph(Net())


def test_failing_model_is_left_as_it_was():
    model = Net().train()
    with pytest.raises(RuntimeError):
        graph_of(model, torch.ones(1, 7))
    assert model.fc.training and not model._forward_hooks
