"""Every module against PyTorch: initial values for a seed, state dict, repr, outputs, gradients.

One table: class name, constructor arguments, and the inputs of forward (shapes, or functions of a
NumPy generator). Cases marked by ``train=False`` compare in evaluation mode.
"""
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import flambeau as fb


class Case:
    def __init__(self, name, *args, x=(), train=True, grad=True, rtol=1e-4, atol=2e-5, **kwargs):
        self.name, self.args, self.kwargs = name, args, kwargs
        self.inputs = x if isinstance(x, list) else [x]
        self.train, self.grad, self.rtol, self.atol = train, grad, rtol, atol

    def __repr__(self):
        options = [*map(str, self.args), *(f"{k}={v}" for k, v in self.kwargs.items())]
        return f"{self.name}({', '.join(options)})" + ("" if self.train else " eval")


def ints(high, *shape):
    return lambda rng: rng.integers(0, high, shape)


def probabilities(*shape):
    def make(rng):
        x = rng.uniform(0.1, 1, shape).astype(np.float32)
        return x / x.sum(1, keepdims=True)
    return make


def unit(*shape):
    return lambda rng: rng.uniform(0.05, 0.95, shape).astype(np.float32)


def signs(*shape):
    return lambda rng: np.sign(rng.standard_normal(shape)).astype(np.float32)


def fixed_signs(*shape):
    return lambda rng: rng.choice([-1, 1], shape)


ACTIVATIONS = [
    Case(name, *args, x=(4, 6, 3))
    for name, *args in (
        ("CELU", 1.3), ("ELU", 0.7), ("GELU",), ("GELU", "tanh"), ("GLU", 1), ("Hardshrink", 0.4),
        ("Hardsigmoid",), ("Hardswish",), ("Hardtanh", -0.5, 0.8), ("LeakyReLU", 0.2),
        ("LogSigmoid",), ("LogSoftmax", 1), ("Mish",), ("PReLU",), ("PReLU", 6), ("ReLU",),
        ("ReLU6",), ("SELU",), ("SiLU",), ("Sigmoid",), ("Softmax", -1), ("Softmin", 0),
        ("Softplus", 2.0, 3.0), ("Softshrink", 0.3), ("Softsign",), ("Tanh",), ("Tanhshrink",),
        ("Threshold", 0.1, -2.0), ("Softmax2d",), ("Identity",), ("Flatten", 0, 1),
    )
]
LINEAR = [
    Case("Linear", 5, 3, x=(4, 5)), Case("Linear", 5, 3, False, x=(2, 4, 5)),
    Case("Linear", 5, 3, x=(5,)), Case("Bilinear", 3, 4, 5, x=[(6, 3), (6, 4)]),
]
CONVOLUTIONS = [
    Case("Conv1d", 4, 6, 3, x=(2, 4, 9)), Case("Conv1d", 4, 6, 3, 2, 1, 2, 2, x=(2, 4, 11)),
    Case("Conv2d", 3, 4, 3, x=(2, 3, 7, 8)), Case("Conv2d", 3, 4, 3, x=(3, 7, 8)),
    Case("Conv2d", 4, 6, (3, 2), (2, 1), (1, 0), groups=2, bias=False, x=(2, 4, 7, 8)),
    Case("Conv2d", 3, 4, 3, dilation=2, padding="same", x=(2, 3, 7, 8)),
    Case("Conv2d", 3, 4, 4, padding="same", x=(2, 3, 7, 8)),
    Case("Conv2d", 4, 4, 3, groups=4, padding=1, x=(2, 4, 6, 6)),
    *(Case("Conv2d", 3, 4, 3, padding=(1, 2), padding_mode=mode, x=(2, 3, 6, 7))
      for mode in ("reflect", "replicate", "circular")),
    Case("Conv3d", 2, 3, 2, padding=1, x=(2, 2, 4, 5, 4)),
    Case("ConvTranspose1d", 4, 3, 3, 2, 1, 1, x=(2, 4, 6)),
    Case("ConvTranspose2d", 4, 6, 3, 2, 1, 1, 2, x=(2, 4, 5, 6)),
    Case("ConvTranspose2d", 3, 4, (2, 3), dilation=2, x=(2, 3, 5, 6)),
    Case("ConvTranspose2d", 3, 4, 1, padding=1, stride=2, x=(2, 3, 5, 6)),
    Case("ConvTranspose3d", 2, 3, 2, 2, x=(2, 2, 3, 4, 3)),
    Case("Unfold", (2, 3), x=(2, 3, 5, 6)), Case("Unfold", 3, 2, 1, 2, x=(2, 3, 7, 8)),
    Case("Unfold", 2, stride=2, x=(2, 3, 6, 5)),
    Case("Fold", (5, 6), (2, 3), x=(2, 12, 16)), Case("Fold", (6, 6), 2, stride=2, x=(2, 8, 9)),
    Case("PixelShuffle", 2, x=(2, 8, 3, 4)), Case("PixelUnshuffle", 2, x=(2, 3, 4, 6)),
    Case("ChannelShuffle", 2, x=(2, 6, 3, 3)),
]
POOLING = [
    Case("MaxPool1d", 3, x=(2, 3, 10)), Case("MaxPool2d", 2, x=(2, 3, 6, 8)),
    Case("MaxPool2d", 3, 2, 1, x=(2, 3, 7, 8)),
    Case("MaxPool2d", 3, 2, 1, ceil_mode=True, x=(2, 3, 8, 8)),
    Case("MaxPool2d", 2, 1, dilation=2, x=(2, 3, 7, 8)),
    Case("MaxPool2d", 2, return_indices=True, x=(2, 3, 6, 8)),
    Case("MaxPool3d", 2, x=(2, 3, 4, 6, 4)),
    Case("AvgPool1d", 3, 2, 1, x=(2, 3, 10)), Case("AvgPool2d", 2, x=(2, 3, 6, 8)),
    Case("AvgPool2d", 3, 2, 1, True, False, x=(2, 3, 8, 8)),
    Case("AvgPool2d", 3, 2, 1, True, x=(2, 3, 8, 8)),
    Case("AvgPool2d", 2, divisor_override=3, x=(2, 3, 6, 8)),
    Case("AvgPool3d", 2, 1, x=(2, 3, 4, 5, 4)),
    Case("LPPool1d", 2, 3, x=(2, 3, 9)), Case("LPPool2d", 3, 2, x=[unit(2, 3, 6, 6)]),
    *(Case(f"Adaptive{kind}Pool2d", size, x=(2, 3, 7, 9))
      for kind in ("Avg", "Max") for size in (1, (3, 4), (None, 5), (10, 11))),
    Case("AdaptiveAvgPool1d", 4, x=(2, 3, 10)), Case("AdaptiveMaxPool3d", 2, x=(2, 3, 4, 5, 7)),
    Case("AdaptiveAvgPool3d", 2, x=(2, 3, 4, 6, 4)),
]
PADDING = [
    *(Case(f"{kind}Pad{dims}d", 1, x=(2, 3) + (5,) * dims)
      for kind in ("Reflection", "Replication", "Circular", "Zero") for dims in (1, 2, 3)),
    Case("ConstantPad2d", (1, 0, 2, -1), 3.5, x=(2, 3, 4, 5)),
    Case("ReflectionPad2d", (3, 1, 0, 2), x=(2, 3, 4, 5)),
    *(Case("Upsample", **options, x=(2, 3, 4, 5)) for options in (
        {"scale_factor": 2}, {"size": (7, 3)}, {"scale_factor": 1.7, "mode": "bilinear"},
        {"scale_factor": (2.0, 0.5), "mode": "bilinear", "align_corners": True},
        {"size": (9, 8), "mode": "bicubic"}, {"scale_factor": 2, "mode": "nearest-exact"},
        {"size": (3, 7), "mode": "bicubic", "align_corners": True})),
    Case("Upsample", scale_factor=2, mode="linear", x=(2, 3, 5)),
    Case("Upsample", scale_factor=1.5, mode="trilinear", x=(1, 2, 4, 4, 4)),
]
NORMALISATION = [
    *(Case(f"BatchNorm{dims}d", 3, **options, train=train, x=(4, 3) + (5,) * dims)
      for dims in (1, 2, 3) for train in (True, False)
      for options in ({}, {"affine": False, "momentum": 0.3})),
    Case("BatchNorm1d", 3, momentum=None, x=(6, 3)),
    Case("BatchNorm2d", 3, track_running_stats=False, train=False, x=(4, 3, 5, 5)),
    Case("BatchNorm2d", 3, bias=False, x=(4, 3, 5, 5)),
    Case("SyncBatchNorm", 3, train=False, x=(4, 3, 5, 5)),
    *(Case(f"InstanceNorm{dims}d", 3, **options, x=(4, 3) + (5,) * dims)
      for dims in (1, 2, 3) for options in ({}, {"affine": True, "track_running_stats": True})),
    Case("InstanceNorm2d", 3, affine=True, track_running_stats=True, train=False, x=(2, 3, 4, 4)),
    Case("InstanceNorm2d", 3, x=(3, 4, 5)),
    Case("LayerNorm", 6, x=(4, 5, 6)), Case("LayerNorm", (5, 6), bias=False, x=(4, 5, 6)),
    Case("LayerNorm", 6, elementwise_affine=False, x=(4, 6)),
    Case("RMSNorm", 6, x=(4, 5, 6)), Case("RMSNorm", (5, 6), 1e-3, x=(4, 5, 6)),
    Case("GroupNorm", 2, 6, x=(3, 6, 4, 4)), Case("GroupNorm", 3, 6, affine=False, x=(3, 6, 5)),
    Case("LocalResponseNorm", 3, x=(2, 5, 4, 4)), Case("LocalResponseNorm", 2, 0.1, x=(2, 5, 4)),
    Case("CrossMapLRN2d", 3, x=(2, 5, 4, 4), rtol=1e-3),
    Case("Dropout", 0.3, train=False, x=(4, 5)), Case("Dropout2d", train=False, x=(2, 3, 4, 4)),
    Case("Dropout", 0.3, x=(40, 50)), Case("Dropout2d", 0.3, x=(8, 16, 4, 4)),
    Case("AlphaDropout", 0.3, x=(40, 50)), Case("FeatureAlphaDropout", 0.3, x=(8, 16, 4)),
    Case("Dropout1d", 0.3, x=(8, 16, 4)), Case("Dropout3d", 0.3, x=(4, 8, 2, 2, 2)),
]
EMBEDDINGS = [
    Case("Embedding", 10, 3, x=[ints(10, 4, 5)]),
    Case("Embedding", 10, 3, padding_idx=2, x=[ints(4, 4, 5)]),
    Case("Embedding", 10, 3, scale_grad_by_freq=True, x=[ints(4, 4, 5)]),
    Case("Embedding", 10, 3, max_norm=0.5, x=[ints(4, 4, 5)]),
    Case("EmbeddingBag", 10, 3, x=[ints(10, 4, 5)]),
    *(Case("EmbeddingBag", 10, 3, mode=mode, padding_idx=1,
           x=[ints(10, 7), lambda rng: np.array([0, 2, 2, 5])])
      for mode in ("sum", "mean", "max")),
]
RECURRENT = [
    *(Case(kind, 4, 5, **options, x=[(6, 3, 4)])
      for kind in ("RNN", "LSTM", "GRU")
      for options in ({}, {"num_layers": 2, "bidirectional": True}, {"bias": False})),
    Case("RNN", 4, 5, nonlinearity="relu", x=[(6, 3, 4)]),
    Case("LSTM", 4, 5, proj_size=3, batch_first=True, num_layers=2, x=[(3, 6, 4)]),
    Case("GRU", 4, 5, batch_first=True, x=[(3, 6, 4), (1, 3, 5)]),
    Case("LSTM", 4, 5, x=[(6, 4)]),
    Case("GRU", 4, 5, num_layers=2, dropout=0.4, x=[(6, 3, 4)]),
    Case("RNNCell", 4, 5, x=[(3, 4), (3, 5)]), Case("LSTMCell", 4, 5, x=[(3, 4)]),
    Case("GRUCell", 4, 5, x=[(4,)]),
]
ATTENTION = [
    Case("MultiheadAttention", 8, 2, x=[(5, 3, 8), (6, 3, 8), (6, 3, 8)]),
    Case("MultiheadAttention", 8, 2, batch_first=True, add_bias_kv=True, add_zero_attn=True,
         x=[(3, 5, 8), (3, 6, 8), (3, 6, 8)]),
    Case("MultiheadAttention", 8, 2, kdim=4, vdim=6, bias=False,
         x=[(5, 3, 8), (6, 3, 4), (6, 3, 6)]),
    Case("MultiheadAttention", 8, 4, x=[(5, 8), (5, 8), (5, 8)]),
    *(Case("TransformerEncoderLayer", 8, 2, 16, 0.0, **options, x=(5, 3, 8))
      for options in ({}, {"norm_first": True, "activation": "gelu"}, {"bias": False})),
    Case("TransformerDecoderLayer", 8, 2, 16, 0.0, x=[(5, 3, 8), (6, 3, 8)]),
    Case("Transformer", 8, 2, 1, 1, 16, 0.0, batch_first=True, x=[(3, 5, 8), (3, 4, 8)]),
]
LOSSES = [
    *(Case(name, reduction=reduction, x=[(4, 5), (4, 5)])
      for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss")
      for reduction in ("mean", "sum", "none")),
    *(Case(name, reduction=reduction, x=[(4, 5), target(4, 5)])
      for name, target in (("KLDivLoss", unit), ("SoftMarginLoss", fixed_signs))
      for reduction in ("mean", "sum", "none", *["batchmean"] * (name == "KLDivLoss"))),
    Case("SmoothL1Loss", beta=0.3, x=[(4, 5), (4, 5)]),
    Case("HuberLoss", delta=0.3, x=[(4, 5), (4, 5)]),
    *(Case("CrossEntropyLoss", **options, x=[(6, 4), ints(4, 6)]) for options in (
        {}, {"reduction": "none"}, {"reduction": "sum", "label_smoothing": 0.1},
        {"ignore_index": 2}, {"label_smoothing": 0.2, "ignore_index": 1})),
    Case("CrossEntropyLoss", x=[(6, 4), probabilities(6, 4)]),
    Case("CrossEntropyLoss", label_smoothing=0.1, x=[(2, 4, 3, 3), probabilities(2, 4, 3, 3)]),
    Case("CrossEntropyLoss", x=[(2, 4, 3, 3), ints(4, 2, 3, 3)]),
    Case("CrossEntropyLoss", x=[(4,), lambda rng: np.array(2)]),
    Case("NLLLoss", x=[(6, 4), ints(4, 6)]),
    Case("NLLLoss", ignore_index=1, x=[(6, 4), ints(4, 6)]),
    Case("BCELoss", x=[unit(4, 5), unit(4, 5)]),
    Case("BCEWithLogitsLoss", x=[(4, 5), unit(4, 5)]),
    Case("PoissonNLLLoss", full=True, x=[(4, 5), ints(6, 4, 5)]),
    Case("GaussianNLLLoss", full=True, x=[(4, 5), (4, 5), unit(4, 5)]),
    Case("HingeEmbeddingLoss", 1.2, x=[(4, 5), signs(4, 5)]),
    Case("MarginRankingLoss", 0.3, x=[(6,), (6,), signs(6)]),
    Case("CosineEmbeddingLoss", 0.2, x=[(6, 4), (6, 4), signs(6)]),
    Case("MultiLabelSoftMarginLoss", x=[(4, 5), unit(4, 5)]),
    Case("MultiMarginLoss", 2, 0.7, x=[(6, 4), ints(4, 6)]),
    Case("MultiLabelMarginLoss", x=[(2, 4), lambda rng: np.array([[3, 0, -1, 1], [1, -1, 0, 2]])]),
    Case("TripletMarginLoss", swap=True, x=[(4, 5), (4, 5), (4, 5)]),
    Case("TripletMarginWithDistanceLoss", x=[(4, 5), (4, 5), (4, 5)]),
    Case("PairwiseDistance", 3.0, x=[(4, 5), (4, 5)]),
    Case("CosineSimilarity", x=[(4, 5), (4, 5)]),
    Case("AdaptiveLogSoftmaxWithLoss", 8, 20, [4, 10], x=[(6, 8), ints(20, 6)]),
]
CASES = (LINEAR + ACTIVATIONS + CONVOLUTIONS + POOLING + PADDING + NORMALISATION + EMBEDDINGS
         + RECURRENT + ATTENTION + LOSSES)


def arrays_of(case):
    rng = np.random.default_rng(7)
    return [make(rng) if callable(make) else rng.standard_normal(make).astype(np.float32)
            for make in case.inputs]


def flatten(x):
    if isinstance(x, (tuple, list)):
        return [part for each in x for part in flatten(each)]
    return [] if x is None else [x]


def close(mine, theirs, case, what):
    assert tuple(mine.shape) == tuple(theirs.shape), what
    np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), case.rtol,
                               case.atol, err_msg=f"{case}: {what}")


def build(library, case):
    library.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = getattr(library.nn, case.name)(*case.args, **case.kwargs)
    return module.train(case.train)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_module_equals_pytorch(case):
    mine, theirs = build(fb, case), build(torch, case)
    if case.name != "CrossMapLRN2d":
        assert repr(mine) == repr(theirs)
    own, other = mine.state_dict(), theirs.state_dict()
    assert list(own) == list(other)
    for key in own:
        np.testing.assert_allclose(own[key].numpy(), other[key].numpy(), 1e-6, 1e-7, err_msg=key)
    inputs = {}
    for library in (fb, torch):
        tensors = [library.tensor(a) for a in arrays_of(case)]
        inputs[library] = [t.requires_grad_() if t.is_floating_point() else t for t in tensors]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library_seed = 11
        fb.manual_seed(library_seed)
        outputs = flatten(mine(*inputs[fb]))
        torch.manual_seed(library_seed)
        expected = flatten(theirs(*inputs[torch]))
    assert len(outputs) == len(expected)
    totals = []
    for i, (a, b) in enumerate(zip(outputs, expected)):
        assert str(a.dtype) == str(b.dtype)
        close(a, b, case, f"output {i}")
        assert a.requires_grad == b.requires_grad
        if b.requires_grad:
            factor = np.random.default_rng(i).uniform(0.5, 1.5, tuple(b.shape)).astype(np.float32)
            totals.append(((a * fb.tensor(factor)).sum(), (b * torch.tensor(factor)).sum()))
    for key, value in theirs.state_dict().items():
        close(mine.state_dict()[key], value, case, f"state {key} after forward")
    if not totals or not case.grad:
        return
    sum(a for a, _ in totals).backward()
    sum(b for _, b in totals).backward()
    pairs = list(zip(inputs[fb], inputs[torch]))
    pairs += list(zip(mine.parameters(), theirs.parameters()))
    for i, (a, b) in enumerate(pairs):
        if b.requires_grad and b.grad is not None:
            assert a.grad is not None, f"{case}: gradient {i} missing"
            close(a.grad, b.grad, case, f"gradient {i}")
