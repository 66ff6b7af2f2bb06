"""The sweeps of `scaling.py`: which size of which network varies, and their tables and curves."""

from dataclasses import dataclass

from .table import text_of

__all__ = ["SWEEPS", "Sweep", "plot", "point_line", "table"]

BATCHES = (16, 32, 64, 128, 256, 512, 1024)
DEPTHS = (2, 4, 8, 16, 32, 64)
NAMES = {"flambeau": "Flambeau", "torch": "PyTorch"}


@dataclass(frozen=True)
class Sweep:
    """A size of a workload that takes several values: batch, depth or threads."""

    title: str
    script: str
    varies: str
    values: tuple[int, ...]


SWEEPS = {
    "mlp-batch": Sweep("MLP 784-512-512-10 by batch size", "mlp", "batch", BATCHES),
    "cnn-batch": Sweep("CNN of 20 channels by batch size", "cnn", "batch", BATCHES),
    "gpt-batch": Sweep("GPT of 4 layers by batch size", "gpt", "batch", BATCHES),
    "mlp-depth": Sweep("MLP of width 512 by hidden layers", "mlp", "depth", DEPTHS),
    "gpt-depth": Sweep("GPT of width 128 by layers", "gpt", "depth", DEPTHS),
    "mlp-threads": Sweep("MLP 784-512-512-10 by threads", "mlp", "threads", (1, 2)),
    "cnn-threads": Sweep("CNN of 20 channels by threads", "cnn", "threads", (1, 2)),
    "gpt-threads": Sweep("GPT of 4 layers by threads", "gpt", "threads", (1, 2)),
    "lstm-threads": Sweep("LSTM of 256 by threads", "lstm", "threads", (1, 2)),
    "resnet18-threads": Sweep("ResNet-18 by threads", "resnet18", "threads", (1, 2)),
}


def table(sweep):
    """The lines above the points of a sweep."""
    return [sweep.title, f"| {sweep.varies:>7} | Flambeau |  PyTorch | ratio | Flambeau grew |"
                         " PyTorch grew |",
            "|--------:|---------:|---------:|------:|--------------:|-------------:|"]


def growth(points, library):
    """How many times the step of the point before the last one takes; None for the first."""
    times = [times.get(library) for times in points.values()][-2:]
    return times[1] / times[0] if len(times) == 2 and all(times) else None


def point_line(value, points):
    """The line of the last of the points, with the growth since the one before."""
    times = points[value]
    own, other = times.get("flambeau"), times.get("torch")
    ratio = f"{own / other:.2f}" if own and other else "-"
    grew = [growth(points, library) for library in ("flambeau", "torch")]
    shown = ["-" if factor is None else f"{factor:.2f} times" for factor in grew]
    return (f"| {value:>7} | {text_of(own):>8} | {text_of(other):>8} | {ratio:>5} |"
            f" {shown[0]:>13} | {shown[1]:>12} |")


def plot(found, path):
    """Draw the sweeps, time over size on logarithmic axes; False without matplotlib."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(4.2 * columns, 3.2 * rows),
                                   squeeze=False, layout="constrained")
    for axis, (name, points) in zip(axes.flat, found.items()):
        for library, color in (("flambeau", "tab:orange"), ("torch", "tab:blue")):
            values = [value for value in points if points[value].get(library)]
            axis.plot(values, [1e3 * points[value][library] for value in values], "o-",
                      color=color, label=NAMES[library])
        axis.set(title=SWEEPS[name].title, xlabel=SWEEPS[name].varies,
                 ylabel="ms of a training step", xscale="log", yscale="log")
        axis.set_xticks(list(points), [str(value) for value in points])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    for axis in list(axes.flat)[len(found):]:
        axis.set_axis_off()
    axes.flat[0].legend()
    figure.savefig(path)
    pyplot.close(figure)
    return True
