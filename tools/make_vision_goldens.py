"""Write tests/golden/vision_*: what torchvision 0.28 answers, for tests without it.

    PYTHONPATH=. python tools/make_vision_goldens.py

Needs PyTorch and torchvision, which only this script does.
"""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np
import torch
import torchvision.models as models
import torchvision.transforms as T

from tests.vision.transforms.cases import CASES, INPUTS, SEED, inputs

FOLDER = Path(__file__).parents[1] / "tests/golden"


def picture() -> np.ndarray:
    """33 x 41 pixels with edges, gradients and a little noise."""
    y, x = np.mgrid[0:33, 0:41]
    planes = [
        128 + 100 * np.sin(x / 5.0) * np.cos(y / 7.0),
        255.0 * ((x // 8 + y // 6) % 2),
        x * 3.0 + y * 1.5,
    ]
    noise = np.random.default_rng(0).normal(0, 6, (33, 41, 3))
    return (np.stack(planes, axis=-1) + noise).clip(0, 255).astype(np.uint8)


def transforms() -> None:
    image = picture()
    arrays = {"image": image}
    for name, make in CASES.items():
        for kind in INPUTS:
            torch.manual_seed(SEED)
            random.seed(SEED)
            try:
                result = make(T)(inputs(image, T)[kind])
            except (TypeError, AttributeError):  # this transform takes another kind of input
                continue
            result = np.asarray(result)
            if result.dtype.kind == "f":  # half the size; tests/parity compares all digits
                result = result.astype(np.float16)
            arrays[f"{name}.{kind}"] = result
    np.savez_compressed(FOLDER / "vision_transforms.npz", **arrays)
    reprs = "".join(f"{name}\t{make(T)!r}\n----\n" for name, make in CASES.items())
    (FOLDER / "vision_transform_reprs.txt").write_text(reprs)


def state_dicts() -> None:
    """Of each network: entries, parameters, and a digest of names, shapes and initial values."""
    lines = ["builder\tentries\tparameters\tnames\tvalues"]
    for name in models.list_models(module=models):
        torch.manual_seed(0)
        size = next(iter(models.get_model_weights(name))).meta["num_params"]
        if size > 4e8:
            continue
        large = size > 3e7
        with torch.device("meta" if large and not name.startswith("regnet") else "cpu"):
            model = models.get_model(name)
        state = model.state_dict()
        parameters = sum(p.numel() for p in model.parameters())
        names = "".join(f"{k} {tuple(v.shape)} {v.dtype}\n" for k, v in state.items())
        digest = hashlib.sha256(names.encode()).hexdigest()[:16]
        total = "" if large else repr(sum(v.double().abs().sum().item() for v in state.values()))
        lines.append(f"{name}\t{len(state)}\t{parameters}\t{digest}\t{total}")
    (FOLDER / "vision_state_dicts.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    transforms()
    state_dicts()
