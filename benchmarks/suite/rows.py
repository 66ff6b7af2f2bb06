"""The rows of the comparison: what is measured, and the ratio to reach.

Nothing here measures: `measures.py` holds a function for each `measure` named below, and
`workloads/` the scripts.
"""

from dataclasses import dataclass

__all__ = ["NETWORKS", "ROWS", "Network", "Row", "chosen_rows"]

CONVOLUTIONAL = ("eager", "channels_last", "compile")
PLAIN = ("eager", "compile")


@dataclass(frozen=True)
class Network:
    """A workload with its sizes.

    Attributes:
        title: how the table calls it.
        script: the file in `workloads/`.
        reach, aim: ratios Flambeau / PyTorch of its training step.
        sizes: what differs from the script's own sizes, as options of the script.
        steps, quick_steps: timed steps of a process.
        modes: PyTorch's modes, of which the fastest counts.
    """

    title: str
    script: str
    reach: float
    aim: float | None
    sizes: tuple[str, ...] = ()
    steps: int = 20
    quick_steps: int = 20
    modes: tuple[str, ...] = PLAIN


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: for `--only`.
        group: for `--only` too: all the rows of a kind.
        title: the first column.
        measure: the function of `measures.py`.
        network: key of `NETWORKS`, where the row is about one.
        reach, aim: what the measured number may be at most.
        unit: "ratio" (to PyTorch's or another reference's time), "s" or "us" (Flambeau's own).
    """

    name: str
    group: str
    title: str
    measure: str
    reach: float
    aim: float | None = None
    network: str = ""
    unit: str = "ratio"


# ResNet-18 and -50 are not given to torch.compile unless --compile-all asks for it: with an empty
# cache Inductor takes minutes for their steps on two cores.
NETWORKS = {
    "mlp": Network("MLP 784-512-512-10, batch 64", "mlp", 0.60, 0.45, steps=300, quick_steps=100),
    "cnn": Network("CNN, two 5x5 convolutions of 20 channels, batch 64", "cnn", 0.45, 0.30,
                   steps=100, quick_steps=50, modes=CONVOLUTIONAL),
    "gpt": Network("GPT, 4 layers of 128, context 64, batch 12", "gpt", 0.65, 0.50,
                   steps=40, quick_steps=20),
    "resnet18": Network("ResNet-18, 32x32, batch 64", "resnet18", 0.95, 0.80,
                        steps=5, quick_steps=3, modes=("eager", "channels_last")),
    "resnet50": Network("ResNet-50, 224x224, batch 8", "resnet50", 0.80, 0.65,
                        steps=5, quick_steps=3, modes=("eager", "channels_last")),
    "lstm": Network("LSTM language model, 2 layers of 256, batch 20", "lstm", 0.80, 0.60,
                    steps=16, quick_steps=16, modes=("eager",)),
}

# Sizes that nobody tuned for. Their ratio may be 0.15 above that of the network they vary.
UNSEEN_MARGIN = 0.15


def _unseen(base, title, sizes, **more):
    known = NETWORKS[base]
    options = tuple(f"--{name}={value}" for name, value in sizes.items())
    return Network(title, known.script, round(known.reach + UNSEEN_MARGIN, 2), None, options,
                   **{"modes": known.modes, **more})


UNSEEN = {
    "mlp-300": _unseen("mlp", "MLP of width 300", {"width": 300}, steps=200, quick_steps=100),
    "cnn-24": _unseen("cnn", "CNN of 24 channels, 30x30",
                      {"channels": 24, "height": 30, "breadth": 30}, steps=60),
    "cnn-48": _unseen("cnn", "CNN of 48 channels, 50x70, batch 16",
                      {"channels": 48, "height": 50, "breadth": 70, "batch": 16}, steps=30),
    "cnn-100": _unseen("cnn", "CNN of 100 channels", {"channels": 100}),
    "gpt-300": _unseen("gpt", "GPT of width 300, context 100",
                       {"width": 300, "sequence": 100}),
    "lstm-300": _unseen("lstm", "LSTM of width 300, sequence 100",
                        {"width": 300, "sequence": 100}, steps=5, quick_steps=4),
    "resnet18-24": _unseen("resnet18", "ResNet-18 from 24 channels, 30x30",
                           {"channels": 24, "height": 30, "breadth": 30}, steps=8, quick_steps=4),
    "resnet18-48": _unseen("resnet18", "ResNet-18 from 48 channels, 50x70, batch 16",
                           {"channels": 48, "height": 50, "breadth": 70, "batch": 16},
                           steps=6, quick_steps=3),
    "resnet50-100": _unseen("resnet50", "ResNet-50 from 100 channels, 50x70",
                            {"channels": 100, "height": 50, "breadth": 70},
                            steps=6, quick_steps=3),
}


def _table():
    rows = [Row(name, "training", f"{net.title}: training step", "training", net.reach, net.aim,
                name) for name, net in NETWORKS.items()]
    rows += [Row(f"{name}-inference", "inference", f"{net.title}: inference", "inference",
                 net.reach, net.aim, name) for name, net in NETWORKS.items()]
    rows.append(Row("epoch", "epoch", "Fashion-MNIST, one epoch with its data loading", "epoch",
                    0.45, 0.25))
    rows.append(Row("import", "import", "import", "imports", 0.15, 0.10))
    for name, seconds in (("mlp", 1), ("cnn", 1), ("gpt", 1), ("resnet18", 4), ("resnet50", 8)):
        rows.append(Row(f"{name}-first", "first", f"{_short(name)}: first step, nothing cached",
                        "first_step", seconds, seconds / 2, name, "s"))
    for name, seconds in (("mlp", 0.4), ("cnn", 0.4), ("gpt", 0.4), ("resnet50", 1.5)):
        rows.append(Row(f"{name}-second", "second",
                        f"{_short(name)}: first step of a second process", "second_process",
                        seconds, seconds / 2, name, "s"))
    for name in NETWORKS:
        rows.append(Row(f"{name}-memory", "memory", f"{_short(name)}: peak memory of training",
                        "peak_memory", 1.0, 0.7, name))
    for name in ("mlp", "gpt"):
        rows.append(Row(f"{name}-busy", "busy", f"{_short(name)}: step, one core kept busy",
                        "busy_core", 2.0, 1.5, name))
    rows.append(Row("chain", "bandwidth", "element-wise chain over 64 MB", "bandwidth", 1.3))
    rows.append(Row("softmax", "bandwidth", "softmax over 64 MB", "bandwidth", 1.3))
    for size in (512, 1024, 2048):
        rows.append(Row(f"sgemm-{size}", "sgemm", f"sgemm of {size}", "sgemm", 1.05))
    rows.append(Row("record", "record", "recording a matched op, beyond the call", "recording",
                    1.5, 1.0, unit="us"))
    rows += [Row(name, "unseen", f"{net.title}: training step", "training", net.reach, None, name)
             for name, net in UNSEEN.items()]
    return rows


def _short(name):
    return NETWORKS[name].title.partition(",")[0].partition(" 784")[0]


ROWS = _table()
NETWORKS = {**NETWORKS, **UNSEEN}


def chosen_rows(names):
    """The rows with these names or groups, in the table's order; ValueError for unknown ones."""
    known = {row.name for row in ROWS} | {row.group for row in ROWS}
    if missing := sorted(set(names) - known):
        raise ValueError(f"no row is called {', '.join(missing)}; there are "
                         f"{', '.join(row.name for row in ROWS)}, and the groups "
                         f"{', '.join(dict.fromkeys(row.group for row in ROWS))}")
    return [row for row in ROWS if row.name in names or row.group in names]
