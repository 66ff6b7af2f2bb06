"""``flambeau demo``: train a small network on Fashion-MNIST and show what it learned.

The training code in ``train`` is what a PyTorch user writes; this file reads the options, and ends
interrupted runs and full disks with a sentence instead of a traceback.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys

__all__ = ["main"]


def _positive(kind):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"invalid {kind.__name__} value: {text!r}")
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"must be above 0 and finite, not {text}")
        return value
    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flambeau demo", formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Train a network on Fashion-MNIST: photographs of clothing in ten classes.")
    parser.add_argument("--data", default="data", metavar="DIR",
                        help="folder of the data set; what is missing is downloaded into it")
    parser.add_argument("--epochs", type=_positive(int), default=3, metavar="N",
                        help="passes over the training images")
    parser.add_argument("--batch-size", type=_positive(int), default=64, metavar="N",
                        help="images a training step")
    parser.add_argument("--lr", type=_positive(float), default=0.05, metavar="X",
                        help="learning rate of SGD with momentum 0.9")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="seed of all random numbers")
    parser.add_argument("--model", choices=("cnn", "mlp"), default="cnn",
                        help="two convolutions and a linear layer, or three linear layers")
    parser.add_argument("--out", default="runs/demo", metavar="DIR",
                        help="folder of the weights, logs and pictures")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; its exit status."""
    options = _parser().parse_args(arguments)
    from .train import Progress, train
    progress = Progress()
    try:
        os.makedirs(options.out, exist_ok=True)
        train(options, progress)
    except KeyboardInterrupt:
        kept = f" The best weights so far are in {progress.saved}." if progress.saved else (
            " Nothing was saved yet.")
        print(f"\nInterrupted {progress.where}.{kept}", file=sys.stderr)
        return 130
    except OSError as error:
        reason = _reason(error)
        if reason is None:
            raise
        place = error.filename or options.out
        print(f"\nCannot write {place}: {reason}", file=sys.stderr)
        return 1
    return 0


def _reason(error: OSError) -> str | None:
    """What to tell about an error of the file system; None for other errors."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ("no space left on the device. Free some, or choose another folder with --out (and "
                "--data).")
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return "no permission. Choose another folder with --out (and --data)."
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "a file of that name is in the way. Choose another folder with --out (or --data)."
    return None
