"""Vision transformers: an image as a sequence of patches."""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import flambeau
from flambeau import Tensor, nn
from flambeau.vision.models._api import model_builder, weights_enum
from flambeau.vision.models._utils import _ovewrite_named_param
from flambeau.vision.ops.misc import MLP, Conv2dNormActivation

__all__ = [
    "ViT_B_16_Weights",
    "ViT_B_32_Weights",
    "ViT_H_14_Weights",
    "ViT_L_16_Weights",
    "ViT_L_32_Weights",
    "VisionTransformer",
    "vit_b_16",
    "vit_b_32",
    "vit_h_14",
    "vit_l_16",
    "vit_l_32",
]

_NORM = functools.partial(nn.LayerNorm, eps=1e-6)


class ConvStemConfig(NamedTuple):
    """One convolution of a stem that replaces the patch projection."""

    out_channels: int
    kernel_size: int
    stride: int
    norm_layer: Callable[..., nn.Module] = nn.BatchNorm2d
    activation_layer: Callable[..., nn.Module] = nn.ReLU


class MLPBlock(MLP):
    """The two linear layers of an encoder block."""

    _version = 2

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, dropout=dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, *args, **kwargs
    ) -> None:
        if (local_metadata.get("version") or 1) < 2:  # the layers had names then
            for i in range(2):
                for kind in ("weight", "bias"):
                    old = f"{prefix}linear_{i + 1}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}{3 * i}.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args, **kwargs)


class EncoderBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), of (batch, sequence, hidden)."""

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Callable[..., nn.Module] = _NORM,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(
            hidden_dim, num_heads, dropout=attention_dropout, batch_first=True
        )
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        _check_sequence(input)
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


def _check_sequence(input: Tensor) -> None:
    assert input.dim() == 3, f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}"


class Encoder(nn.Module):
    """Encoder blocks on a sequence with learned positions."""

    def __init__(
        self,
        seq_length: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_layer: Callable[..., nn.Module] = _NORM,
    ) -> None:
        super().__init__()
        positions = flambeau.empty(1, seq_length, hidden_dim).normal_(std=0.02)  # from BERT
        self.pos_embedding = nn.Parameter(positions)
        self.dropout = nn.Dropout(dropout)
        block = functools.partial(
            EncoderBlock, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer
        )
        self.layers = nn.Sequential(
            OrderedDict((f"encoder_layer_{i}", block()) for i in range(num_layers))
        )
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Tensor) -> Tensor:
        _check_sequence(input)
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """A transformer on the patches of an image and one class token.

    Args:
        image_size, patch_size: lengths of the sides; the first a multiple of the second.
        num_layers, num_heads, hidden_dim, mlp_dim: of the encoder.
        dropout, attention_dropout: their probabilities.
        num_classes: outputs.
        representation_size: width of a further layer before the output, or None.
        norm_layer: layer normalisation with eps 1e-6 by default.
        conv_stem_configs: convolutions in place of the projection of patches.

    Reference: Dosovitskiy et al., arXiv:2010.11929.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
        norm_layer: Callable[..., nn.Module] = _NORM,
        conv_stem_configs: list[ConvStemConfig] | None = None,
    ) -> None:
        super().__init__()
        assert image_size % patch_size == 0, "Input shape indivisible by patch size!"
        self.image_size = image_size
        self.patch_size = patch_size
        self.hidden_dim = hidden_dim
        self.mlp_dim = mlp_dim
        self.attention_dropout = attention_dropout
        self.dropout = dropout
        self.num_classes = num_classes
        self.representation_size = representation_size
        self.norm_layer = norm_layer
        self.conv_proj = _projection(hidden_dim, patch_size, conv_stem_configs)
        self.class_token = nn.Parameter(flambeau.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(
            self.seq_length,
            num_layers,
            num_heads,
            hidden_dim,
            mlp_dim,
            dropout,
            attention_dropout,
            norm_layer,
        )
        heads: OrderedDict[str, nn.Module] = OrderedDict()
        if representation_size is not None:
            heads["pre_logits"] = nn.Linear(hidden_dim, representation_size)
            heads["act"] = nn.Tanh()
        heads["head"] = nn.Linear(representation_size or hidden_dim, num_classes)
        self.heads = nn.Sequential(heads)
        self._initialize()

    def _initialize(self) -> None:
        projection = self.conv_proj
        if isinstance(projection, nn.Conv2d):
            fan_in = projection.in_channels * projection.kernel_size[0] * projection.kernel_size[1]
            nn.init.trunc_normal_(projection.weight, std=math.sqrt(1 / fan_in))
            nn.init.zeros_(projection.bias)
        else:
            last = projection.conv_last
            nn.init.normal_(last.weight, mean=0.0, std=math.sqrt(2.0 / last.out_channels))
            nn.init.zeros_(last.bias)
        if self.representation_size is not None:
            layer = self.heads.pre_logits
            nn.init.trunc_normal_(layer.weight, std=math.sqrt(1 / layer.in_features))
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.heads.head.weight)
        nn.init.zeros_(self.heads.head.bias)

    def _process_input(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, patches, hidden)."""
        n, _, height, width = x.shape
        size, patch = self.image_size, self.patch_size
        assert height == size, f"Wrong image height! Expected {size} but got {height}!"
        assert width == size, f"Wrong image width! Expected {size} but got {width}!"
        x = self.conv_proj(x)
        return x.reshape(n, self.hidden_dim, (height // patch) * (width // patch)).permute(0, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self._process_input(x)
        token = self.class_token.expand(x.shape[0], -1, -1)
        x = self.encoder(flambeau.cat([token, x], dim=1))
        return self.heads(x[:, 0])


def _projection(hidden_dim: int, patch_size: int, stem: list[ConvStemConfig] | None) -> nn.Module:
    if stem is None:
        return nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
    projection = nn.Sequential()
    channels = 3
    for i, config in enumerate(stem):
        projection.add_module(
            f"conv_bn_relu_{i}",
            Conv2dNormActivation(
                channels,
                config.out_channels,
                kernel_size=config.kernel_size,
                stride=config.stride,
                norm_layer=config.norm_layer,
                activation_layer=config.activation_layer,
            ),
        )
        channels = config.out_channels
    projection.add_module("conv_last", nn.Conv2d(channels, hidden_dim, kernel_size=1))
    return projection


def _set_image_size(weights, kwargs) -> None:
    if weights is not None:
        _ovewrite_named_param(kwargs, "image_size", weights.meta["min_size"][0])
    kwargs.setdefault("image_size", 224)


def _builder(name: str, enum, *sizes: int, legacy: str | None = "IMAGENET1K_V1"):
    names = ("patch_size", "num_layers", "num_heads", "hidden_dim", "mlp_dim")
    settings: dict[str, Any] = dict(zip(names, sizes))
    construct = functools.partial(VisionTransformer, **settings)
    doc = f"A vision transformer of {sizes[1]} layers on patches of {sizes[0]} x {sizes[0]}."
    return model_builder(name, enum, construct, legacy=legacy, prepare=_set_image_size, doc=doc)


ViT_B_16_Weights = weights_enum("ViT_B_16_Weights", __name__)
ViT_B_32_Weights = weights_enum("ViT_B_32_Weights", __name__)
ViT_L_16_Weights = weights_enum("ViT_L_16_Weights", __name__)
ViT_L_32_Weights = weights_enum("ViT_L_32_Weights", __name__)
ViT_H_14_Weights = weights_enum("ViT_H_14_Weights", __name__)

vit_b_16 = _builder("vit_b_16", ViT_B_16_Weights, 16, 12, 12, 768, 3072)
vit_b_32 = _builder("vit_b_32", ViT_B_32_Weights, 32, 12, 12, 768, 3072)
vit_l_16 = _builder("vit_l_16", ViT_L_16_Weights, 16, 24, 16, 1024, 4096)
vit_l_32 = _builder("vit_l_32", ViT_L_32_Weights, 32, 24, 16, 1024, 4096)
vit_h_14 = _builder("vit_h_14", ViT_H_14_Weights, 14, 32, 16, 1280, 5120, legacy=None)


def interpolate_embeddings(
    image_size: int,
    patch_size: int,
    model_state: OrderedDict[str, Tensor],
    interpolation_mode: str = "bicubic",
    reset_heads: bool = False,
) -> OrderedDict[str, Tensor]:
    """A state dict whose positions fit another image size.

    Args:
        image_size: the new size.
        patch_size: the network's.
        model_state: the state dict of the network at its old size; changed in place.
        interpolation_mode: see `nn.functional.interpolate`.
        reset_heads: leave out the classifier.
    """
    positions = model_state["encoder.pos_embedding"]
    n, seq_length, hidden_dim = positions.shape
    if n != 1:
        raise ValueError(f"Unexpected position embedding shape: {positions.shape}")
    side = image_size // patch_size
    if side**2 + 1 == seq_length:
        return model_state
    old_side = math.isqrt(seq_length - 1)
    if old_side**2 != seq_length - 1:
        raise ValueError(
            "seq_length is not a perfect square! Instead got seq_length_1d * seq_length_1d = "
            f"{old_side**2} and seq_length = {seq_length - 1}"
        )
    grid = positions[:, 1:, :].permute(0, 2, 1).reshape(1, hidden_dim, old_side, old_side)
    grid = nn.functional.interpolate(
        grid, size=side, mode=interpolation_mode, align_corners=True
    )
    grid = grid.reshape(1, hidden_dim, side**2).permute(0, 2, 1)
    model_state["encoder.pos_embedding"] = flambeau.cat([positions[:, :1, :], grid], dim=1)
    if not reset_heads:
        return model_state
    return OrderedDict((k, v) for k, v in model_state.items() if not k.startswith("heads"))
