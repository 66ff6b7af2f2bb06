"""A new layer holds the parameters that PyTorch's layer holds after the same seed, bit for bit."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau

LAYERS = """
nn.Linear(7, 5)
nn.Linear(784, 512)
nn.Linear(7, 5, bias=False)
nn.Linear(7, 5, dtype=T.float64)
nn.Bilinear(4, 3, 5)
nn.Conv1d(3, 8, 3)
nn.Conv2d(1, 20, 5)
nn.Conv2d(8, 12, 3, groups=4, bias=False)
nn.Conv3d(2, 4, 3)
nn.ConvTranspose1d(3, 6, 4)
nn.ConvTranspose2d(6, 4, 3, groups=2)
nn.ConvTranspose3d(2, 3, 2)
nn.Embedding(30, 16)
nn.Embedding(30, 16, padding_idx=3)
nn.EmbeddingBag(10, 4)
nn.BatchNorm2d(6)
nn.LayerNorm(12)
nn.GroupNorm(2, 6)
nn.InstanceNorm2d(4, affine=True)
nn.PReLU(3)
nn.RNN(5, 7, 2)
nn.LSTM(5, 7, 2, bidirectional=True)
nn.LSTM(5, 7, proj_size=3)
nn.GRU(5, 7)
nn.RNNCell(4, 6)
nn.LSTMCell(4, 6)
nn.GRUCell(4, 6)
nn.MultiheadAttention(16, 4)
nn.MultiheadAttention(16, 4, kdim=5, vdim=6, add_bias_kv=True)
nn.TransformerEncoderLayer(16, 4, 32)
nn.TransformerDecoderLayer(16, 4, 32)
nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32), 2)
nn.Transformer(16, 4, 1, 1, 32)
nn.Sequential(nn.Conv2d(1, 20, 5), nn.ReLU(), nn.Linear(320, 10))
""".strip().splitlines()


def build(expression, module):
    module.manual_seed(19)
    layer = eval(expression, {"T": module, "nn": module.nn})
    state = {name: value.detach().numpy() for name, value in layer.state_dict().items()}
    return state, module.get_rng_state().numpy()


@pytest.mark.parametrize("expression", LAYERS)
def test_same_parameters(expression):
    theirs, their_state = build(expression, torch)
    ours, our_state = build(expression, flambeau)
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        assert ours[name].dtype == value.dtype
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    assert np.array_equal(our_state, their_state)
