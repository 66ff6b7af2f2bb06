"""Module's own contract that no comparison shows: errors that name the place, speed, pickling."""
import pickle
import time

import pytest

import flambeau as torch
from flambeau import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())
        self.fc = nn.Linear(100, 10)

    def forward(self, x):
        return self.fc(self.body(x))


def test_shape_error_names_module_path_and_hint():
    with pytest.raises(RuntimeError) as caught:
        Net()(torch.zeros(2, 1, 8, 8))
    text = str(caught.value)
    assert text.startswith("mat1 and mat2 shapes cannot be multiplied (2x144 and 100x10)")
    assert "in Net.fc (Linear(in_features=100, out_features=10, bias=True))" in text
    assert "received (2, 144)" in text and "did you mean Linear(144, 10)?" in text


def test_shape_error_inside_a_container():
    with pytest.raises(RuntimeError, match=r"in Net\.body\.0 \(Conv2d\(1, 4.*received \(2, 3,"):
        Net()(torch.zeros(2, 3, 8, 8))


def test_linear_asks_for_flatten():
    with pytest.raises(RuntimeError, match="received .64, 28, 28.: flatten first"):
        nn.Linear(784, 10)(torch.zeros(64, 28, 28))


def test_errors_of_user_code_keep_their_text():
    class Raises(nn.Module):
        def forward(self, x):
            raise ValueError("mine")

    with pytest.raises(ValueError) as caught:
        nn.Sequential(Raises())(torch.zeros(1))
    assert str(caught.value) == "mine"


def test_error_is_annotated_once_when_caught_and_raised_again():
    class Retries(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            try:
                return self.layer(x)
            except RuntimeError as error:
                raise error

    with pytest.raises(RuntimeError) as caught:
        nn.Sequential(Retries())(torch.zeros(1, 3))
    assert str(caught.value).count("\n  in ") == 1
    assert "in Sequential.0.layer (Linear" in str(caught.value)


def test_load_state_dict_lists_close_names_and_wrapper_prefixes():
    net = Net()
    renamed = {key.replace("fc", "fcs"): value for key, value in net.state_dict().items()}
    with pytest.raises(RuntimeError, match='"fcs.weight" for "fc.weight"'):
        net.load_state_dict(renamed)
    wrapped = nn.DataParallel(net).state_dict()
    with pytest.raises(RuntimeError, match='begin with "module."'):
        net.load_state_dict(wrapped)


def test_call_costs_little():
    layer = nn.Identity()
    for _ in range(1000):
        layer(1)
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(2000):
            layer(1)
        best = min(best, (time.perf_counter() - start) / 2000)
    assert best < 3e-6  # 0.3 us on the machine it was written on; other load must not fail it


def test_whole_module_pickles_with_classes_under_public_paths():
    net = Net()
    twin = pickle.loads(pickle.dumps(net.body))
    assert type(twin[0]).__module__ == "flambeau.nn.modules.conv"
    x = torch.zeros(1, 1, 5, 5)
    assert torch.equal(twin(x), net.body(x))


@pytest.mark.parametrize(
    "path",
    ["activation.MultiheadAttention", "adaptive.AdaptiveLogSoftmaxWithLoss", "batchnorm._BatchNorm",
     "channelshuffle.ChannelShuffle", "container.Sequential", "conv._ConvNd",
     "distance.CosineSimilarity", "dropout.Dropout", "flatten.Flatten", "fold.Unfold",
     "instancenorm._InstanceNorm",
     "lazy.LazyModuleMixin", "linear.NonDynamicallyQuantizableLinear", "loss._Loss",
     "module.Module", "normalization.LayerNorm", "padding.ZeroPad2d", "pixelshuffle.PixelShuffle",
     "pooling.MaxPool2d", "rnn.LSTM", "sparse.Embedding", "transformer._get_activation_fn",
     "upsampling.Upsample", "utils._pair"],
)
def test_pytorch_module_paths(path):
    import importlib

    file, name = path.split(".")
    assert hasattr(importlib.import_module(f"flambeau.nn.modules.{file}"), name)


def test_unsupported_arguments_raise():
    with pytest.raises(NotImplementedError, match="sparse"):
        nn.Embedding(3, 2, sparse=True)
    with pytest.raises(NotImplementedError, match="distributed backend"):
        nn.parallel.DistributedDataParallel(nn.Linear(1, 1))
    with pytest.raises(NotImplementedError, match="GPUs"):
        nn.DataParallel(nn.Linear(1, 1), device_ids=[0])
    with pytest.raises(NotImplementedError, match="process groups"):
        nn.SyncBatchNorm(3, process_group=object())


def test_compile_returns_nothing_and_changes_nothing():
    layer = nn.Linear(2, 2)
    assert layer.compile(mode="max-autotune") is None
    assert layer(torch.zeros(1, 2)).shape == (1, 2)


def test_names_are_exported():
    assert all(hasattr(nn, name) for name in nn.__all__)
    assert all(hasattr(nn.functional, name) for name in nn.functional.__all__)
    assert nn.functional.__all__ == sorted(nn.functional.__all__)


def test_building_and_saving_between_steps_records_nothing():
    from flambeau.record.trace import current_trace, flush

    flush()
    net = Net()
    state = net.state_dict()
    assert current_trace().cursor is current_trace().root
    with torch.no_grad():
        net.fc.bias.fill_(3.0)
    assert float(state["fc.bias"].sum()) == 30.0  # still the same memory
