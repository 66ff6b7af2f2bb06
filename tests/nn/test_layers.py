"""Every layer through the module contract of the harness: one line a configuration."""
import os
import sys

import numpy as np
import pytest

import flambeau.nn as nn

sys.path.insert(0, os.path.dirname(__file__))
from harness import check_module

LAYERS = {
    "linear": (lambda: nn.Linear(5, 3), (4, 5)),
    "linear without bias": (lambda: nn.Linear(5, 3, bias=False), (2, 4, 5)),
    "bilinear": (lambda: nn.Bilinear(3, 4, 2), (5, 3), (5, 4)),
    "conv1d": (lambda: nn.Conv1d(2, 3, 3, padding=1), (2, 2, 6)),
    "conv2d": (lambda: nn.Conv2d(4, 6, (3, 2), 2, 1, groups=2), (2, 4, 7, 6)),
    "conv2d reflect": (lambda: nn.Conv2d(2, 3, 3, padding=2, padding_mode="reflect"), (1, 2, 5, 5)),
    "conv2d same": (lambda: nn.Conv2d(2, 3, 4, padding="same", dilation=2), (1, 2, 8, 8)),
    "conv3d": (lambda: nn.Conv3d(2, 2, 2), (1, 2, 3, 4, 3)),
    "transposed conv1d": (lambda: nn.ConvTranspose1d(2, 3, 3, 2, 1, 1), (2, 2, 4)),
    "transposed conv2d": (lambda: nn.ConvTranspose2d(4, 4, 3, 2, groups=2), (1, 4, 3, 4)),
    "max pool": (lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), (2, 3, 6, 6)),
    "average pool": (lambda: nn.AvgPool2d(3, 2, 1, True, False), (2, 3, 6, 6)),
    "adaptive average pool": (lambda: nn.AdaptiveAvgPool2d((3, 4)), (2, 3, 7, 6)),
    "adaptive max pool": (lambda: nn.AdaptiveMaxPool1d(3), (2, 3, 7)),
    "lp pool": (lambda: nn.LPPool2d(2, 2), (1, 2, 4, 4)),
    "batch norm": (lambda: nn.BatchNorm2d(3), (4, 3, 3, 3)),
    "batch norm evaluating": (lambda: nn.BatchNorm1d(3).eval(), (4, 3)),
    "instance norm": (lambda: nn.InstanceNorm1d(3, affine=True), (2, 3, 5)),
    "layer norm": (lambda: nn.LayerNorm((3, 4)), (2, 3, 4)),
    "rms norm": (lambda: nn.RMSNorm(4), (2, 3, 4)),
    "group norm": (lambda: nn.GroupNorm(2, 4), (2, 4, 3)),
    "local response norm": (lambda: nn.LocalResponseNorm(3, 0.5), (2, 5, 3)),
    "dropout": (lambda: nn.Dropout(0.4), (6, 7)),
    "feature dropout": (lambda: nn.Dropout2d(0.4), (3, 4, 2, 2)),
    "rnn": (lambda: nn.RNN(3, 4, 2, bidirectional=True), (5, 2, 3)),
    "lstm": (lambda: nn.LSTM(3, 4, proj_size=2, batch_first=True), (2, 5, 3)),
    "gru": (lambda: nn.GRU(3, 4, bias=False), (5, 3)),
    "lstm cell": (lambda: nn.LSTMCell(3, 4), (2, 3)),
    "attention": (lambda: nn.MultiheadAttention(4, 2), (3, 2, 4), (5, 2, 4), (5, 2, 4)),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(4, 2, 6, 0.0, "gelu"), (3, 2, 4)),
    "decoder layer": (
        lambda: nn.TransformerDecoderLayer(4, 2, 6, 0.0, norm_first=True), (3, 2, 4), (5, 2, 4)
    ),
    "prelu": (lambda: nn.PReLU(3), (2, 3, 4)),
    "upsample": (lambda: nn.Upsample(scale_factor=1.5, mode="bicubic"), (1, 2, 4, 4)),
    "unfold": (lambda: nn.Unfold(2, 1, 1, 2), (1, 2, 5, 5)),
    "fold": (lambda: nn.Fold((4, 4), 3, padding=1), (1, 18, 16)),
    "pixel shuffle": (lambda: nn.PixelShuffle(2), (1, 8, 2, 3)),
    "circular pad": (lambda: nn.CircularPad2d((1, 0, 2, 1)), (1, 2, 3, 4)),
    "mean squared error": (nn.MSELoss, (3, 4), (3, 4)),
    "huber": (lambda: nn.HuberLoss(delta=0.5), (3, 4), (3, 4)),
    "cosine embedding": (nn.CosineSimilarity, (3, 4), (3, 4)),
}

INDEXED = {
    "embedding": (lambda: nn.Embedding(6, 3, padding_idx=2), np.array([[1, 5], [0, 5]])),
    "embedding bag": (lambda: nn.EmbeddingBag(6, 3, mode="sum"), np.array([[1, 5], [0, 5]])),
}

TARGETED = {
    "cross entropy": lambda: nn.CrossEntropyLoss(label_smoothing=0.1, ignore_index=2),
    "negative log-likelihood": lambda: nn.NLLLoss(reduction="none"),
    "margin": lambda: nn.MultiMarginLoss(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    make, *shapes = LAYERS[name]
    check_module(make, *shapes)


@pytest.mark.parametrize("name", INDEXED)
def test_indexed_layer(name):
    make, indices = INDEXED[name]
    check_module(make, indices=indices)


@pytest.mark.parametrize("name", TARGETED)
def test_loss_with_classes(name):
    check_module(TARGETED[name], (5, 4), indices=np.array([0, 3, 2, 1, 3]))
