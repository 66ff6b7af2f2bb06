"""Write the tables behind the weight enums of flambeau.vision.models.

    python tools/make_weights_table.py

Reads the facts (addresses, hashes, sizes, metrics, preprocessing, class names) out of an
installed torchvision, which only this script needs.
"""

from __future__ import annotations

from pathlib import Path

import torchvision.models as models

FOLDER = Path(__file__).parents[1] / "flambeau/vision/models"
BASE = "https://download.pytorch.org/models/"
RECIPES = "https://github.com/pytorch/vision/"
COLUMNS = (
    "enum member default file num_params min_size gflops file_mb crop resize interpolation "
    "mean std acc1 acc5 recipe license"
).split()


def joined(values) -> str:
    return ",".join(str(v) for v in values)


def row(enum, member) -> list[str]:
    meta = member.meta
    preset = member.transforms()
    metrics = meta["_metrics"].get("ImageNet-1K", {})
    size = meta.get("min_size", "")
    return [
        enum.__name__,
        member.name,
        "1" if enum.DEFAULT is member else "",
        member.url.removeprefix(BASE),
        str(meta["num_params"]),
        "x".join(str(s) for s in size),
        str(meta["_ops"]),
        str(meta["_file_size"]),
        str(preset.crop_size[0]),
        str(preset.resize_size[0]),
        preset.interpolation.value,
        joined(preset.mean),
        joined(preset.std),
        str(metrics.get("acc@1", "")),
        str(metrics.get("acc@5", "")),
        meta.get("recipe", "").removeprefix(RECIPES),
        meta.get("license", ""),
    ]


def main() -> None:
    rows = []
    for name in models.list_models(module=models):
        enum = models.get_model_weights(name)
        rows += [row(enum, member) for member in enum]
    lines = ["\t".join(COLUMNS), *("\t".join(r) for r in rows)]
    (FOLDER / "_weights.tsv").write_text("\n".join(lines) + "\n")
    categories = models.ResNet18_Weights.DEFAULT.meta["categories"]
    (FOLDER / "_imagenet_categories.txt").write_text("\n".join(categories) + "\n")


if __name__ == "__main__":
    main()
