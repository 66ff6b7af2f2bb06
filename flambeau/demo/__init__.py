"""``flambeau demo``: train a small network on Fashion-MNIST and show what it learned.

The training code in ``train`` is what a PyTorch user writes; this file reads the options, and ends
interrupted runs and full disks with a sentence instead of a traceback.
"""

from __future__ import annotations

import argparse
import os
import sys

from .endings import Progress, UnusableData, close_broken_pipe, reason_of

__all__ = ["main"]


def _positive(kind, limit):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"invalid {kind.__name__} value: {text!r}")
        if not 0 < value < limit:
            bound = "finite" if limit == float("inf") else f"below {limit}"
            raise argparse.ArgumentTypeError(f"must be above 0 and {bound}, not {text}")
        return value
    return parse


def _seed(text):
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}")
    if not -2 ** 63 <= value < 2 ** 64:
        raise argparse.ArgumentTypeError(f"must lie in -2**63 to 2**64 - 1, not {text}")
    return value


def _folder(text):
    if not text:
        raise argparse.ArgumentTypeError("must name a folder")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flambeau demo", formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description="Train a network on Fashion-MNIST: photographs of clothing in ten classes.")
    parser.add_argument("--data", type=_folder, default="data", metavar="DIR",
                        help="folder of the data set; what is missing is downloaded into it")
    parser.add_argument("--epochs", type=_positive(int, 10 ** 9), default=3, metavar="N",
                        help="passes over the training images")
    parser.add_argument("--batch-size", type=_positive(int, 10 ** 9), default=64, metavar="N",
                        help="images a training step")
    parser.add_argument("--lr", type=_positive(float, float("inf")), default=0.05, metavar="X",
                        help="learning rate of SGD with momentum 0.9")
    parser.add_argument("--seed", type=_seed, default=0, metavar="N",
                        help="seed of all random numbers")
    parser.add_argument("--model", choices=("cnn", "mlp"), default="cnn",
                        help="two convolutions and a linear layer, or three linear layers")
    parser.add_argument("--out", type=_folder, default="runs/demo", metavar="DIR",
                        help="folder of the weights, logs and pictures")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; its exit status."""
    options = _parser().parse_args(arguments)
    progress = Progress()
    try:
        from .train import train
        os.makedirs(options.out, exist_ok=True)
        train(options, progress)
    except KeyboardInterrupt:
        kept = f" The best weights so far are in {progress.saved}." if progress.saved else (
            " Nothing was saved yet.")
        print(f"\nInterrupted {progress.where}.{kept}", file=sys.stderr)
        return 130
    except UnusableData as error:
        print(f"\nCannot use the data set: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        close_broken_pipe()
        return 1
    except OSError as error:
        reason = reason_of(error)
        if reason is None:
            raise
        place = error.filename2 or error.filename or options.out
        print(f"\nCannot write {place}: {reason}", file=sys.stderr)
        return 1
    return 0
