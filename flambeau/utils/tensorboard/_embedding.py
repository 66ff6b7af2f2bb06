"""Points for TensorBoard's projector: text files beside the event files."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from ._arrays import make_grid, make_np


def _escaped(tag: str) -> str:
    """Return a tag as the name of one folder."""
    for letter in "%/\\":
        tag = tag.replace(letter, f"%{ord(letter):02x}")
    return tag


def _metadata_text(metadata: Any, header: Any) -> str:
    if not header:
        lines = [str(label) for label in metadata]
    else:
        if len(header) != len(metadata[0]):
            raise AssertionError(
                "len of header must be equal to the number of columns in metadata"
            )
        lines = ["\t".join(str(label) for label in row) for row in [header, *metadata]]
    return "\n".join(lines) + "\n"


def _write_sprite(images: Any, path: str) -> None:
    """Write N images as one square picture of ceil(sqrt(N)) columns."""
    from PIL import Image

    pixels = make_np(images)
    grid = make_grid(pixels, math.ceil(math.sqrt(len(pixels)))).transpose(1, 2, 0)
    square = np.zeros((grid.shape[1], grid.shape[1], 3))
    square[: grid.shape[0]] = grid
    Image.fromarray((square * 255).clip(0, 255).astype(np.uint8)).save(path)


def write_embedding(
    run: str, config: Any, mat: Any, metadata: Any, label_img: Any, global_step: Any, tag: str,
    metadata_header: Any,
) -> Any:  # fmt: skip
    """Write the files of a set of points; return the run's list of sets, for the next call.

    Raises:
        AssertionError: if the arguments' lengths differ.
    """
    points = make_np(mat)
    if points.ndim != 2:
        raise AssertionError(
            "mat should be 2D, where mat.size(0) is the number of data points; received shape "
            f"{points.shape}"
        )
    if metadata is not None and len(metadata) != len(points):
        raise AssertionError("#labels should equal with #data points")
    if label_img is not None and label_img.shape[0] != len(points):
        raise AssertionError("#images should equal with #data points")
    step = f"{0 if global_step is None else int(global_step):05d}"
    folder = f"{step}/{_escaped(tag)}"
    target = os.path.join(run, folder)
    os.makedirs(target, exist_ok=True)

    config = config or ProjectorConfig()
    entry = config.embeddings.add()
    entry.tensor_name = f"{tag}:{step}"
    entry.tensor_path = f"{folder}/tensors.tsv"
    with open(os.path.join(target, "tensors.tsv"), "w", encoding="utf-8") as file:
        file.writelines("\t".join(map(str, row)) + "\n" for row in points.tolist())
    if metadata is not None:
        entry.metadata_path = f"{folder}/metadata.tsv"
        with open(os.path.join(target, "metadata.tsv"), "w", encoding="utf-8") as file:
            file.write(_metadata_text(metadata, metadata_header))
    if label_img is not None:
        entry.sprite.image_path = f"{folder}/sprite.png"
        height, width = label_img.shape[2:]
        entry.sprite.single_image_dim.extend([width, height])
        _write_sprite(label_img, os.path.join(target, "sprite.png"))
    with open(os.path.join(run, "projector_config.pbtxt"), "w", encoding="utf-8") as file:
        file.write(text_format.MessageToString(config))
    return config
