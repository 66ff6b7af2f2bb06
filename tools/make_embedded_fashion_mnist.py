"""Write the subset of Fashion-MNIST that is packed into flambeau.vision.datasets._embedded.

    python tools/make_embedded_fashion_mnist.py [FOLDER]

FOLDER holds the four published IDX files, compressed or not; by default the one of Debian's
package dataset-fashion-mnist. The output does not depend on anything else: running it again
must leave the file unchanged.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import sys
from pathlib import Path

import numpy as np

from flambeau.vision.datasets.mnist import FashionMNIST, read_idx

TARGET = (
    Path(__file__).parents[1]
    / "flambeau/vision/datasets/_embedded/fashion_mnist_subset.npy.xz"
)
PER_CLASS = {"train": 1000, "t10k": 200}


def read(folder: Path, name: str) -> np.ndarray:
    """One published file, checked against its known digest."""
    path = next(p for p in (folder / name, folder / f"{name}.gz") if p.exists())
    array = read_idx(path)
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    digest = hashlib.md5(header + array.tobytes()).hexdigest()
    if digest != FashionMNIST.raw_md5s[name]:
        raise SystemExit(f"{path} is not the published file")
    return array


def balanced(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The first images of each class, in the published order."""
    images = read(folder, f"{split}-images-idx3-ubyte")
    labels = read(folder, f"{split}-labels-idx1-ubyte")
    chosen = [np.flatnonzero(labels == c)[: PER_CLASS[split]] for c in range(10)]
    order = np.sort(np.concatenate(chosen))
    return images[order], labels[order]


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else FashionMNIST.installed_folders[0])
    stream = io.BytesIO()
    for split in ("train", "t10k"):
        for array in balanced(folder, split):
            np.save(stream, array)
    packed = lzma.compress(stream.getvalue(), preset=9)
    temporary = TARGET.with_suffix(".tmp")
    temporary.write_bytes(packed)
    temporary.replace(TARGET)
    print(f"{TARGET}: {len(packed) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
