"""What the demo shows: a progress bar, logs, a picture of predictions, and what was compiled."""

from __future__ import annotations

import os
import statistics
import sys
import time

import flambeau as torch

from ..record.execute import programs
from .data import CLASSES, MEAN, STD

__all__ = ["Bar", "Logs", "contact_sheet", "print_compiled", "seconds_in_programs"]


class Bar:
    """A progress bar with loss and speed: tqdm's if it is installed, else a plain line."""

    def __init__(self, title: str, steps: int):
        self.title, self.steps, self.done = title, steps, 0
        self.begin = self.shown = time.perf_counter()
        self.bar = None
        self.live = sys.stderr is not None and sys.stderr.isatty()
        if sys.stderr is None:
            return
        try:
            from tqdm import tqdm
        except ImportError:
            return
        # a log file gets a line now and then, not a bar that redraws itself
        interval = 0.1 if self.live else 10.0
        self.bar = tqdm(total=steps, desc=title, unit="step", mininterval=interval, leave=False)

    def __enter__(self) -> Bar:
        return self

    def update(self, loss: float) -> None:
        """One more step is done."""
        self.done += 1
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
            self.bar.update()
            return
        now = time.perf_counter()
        if self.live and now - self.shown > 0.1:
            self.shown = now
            speed = self.done / (now - self.begin)
            print(f"\r{self.title}: {self.done}/{self.steps} steps, loss {loss:.4f}, "
                  f"{speed:.0f} steps/s ", end="", file=sys.stderr, flush=True)

    def __exit__(self, *error) -> None:
        if self.bar is not None:
            self.bar.close()
        elif self.live:
            print("\r" + " " * 72 + "\r", end="", file=sys.stderr)


class Logs:
    """TensorBoard logs, if tensorboard is installed."""

    def __init__(self, folder: str):
        self.folder = folder
        self.writer = None
        try:
            from flambeau.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        self.writer = SummaryWriter(folder)

    @property
    def active(self) -> bool:
        return self.writer is not None

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Log numbers of an epoch."""
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)
            self.writer.flush()

    def graph(self, model, images) -> None:
        """Log the model's graph."""
        if self.writer is not None:
            self.writer.add_graph(model, images)

    def image(self, name: str, array) -> None:
        """Log a picture, height x width x 3."""
        if self.writer is not None:
            self.writer.add_image(name, array, dataformats="HWC")

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def contact_sheet(model, data, path: str, logs: Logs, rows: int = 5, columns: int = 10) -> str:
    """A PNG of test images, each with its predicted class (red where wrong); its path.

    Returns an empty string where Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        print("Pillow is not installed: no picture of predictions (pip install pillow)")
        return ""
    import numpy as np
    count = min(rows * columns, len(data))
    images = torch.stack([data[i][0] for i in range(count)])
    labels = [int(data[i][1]) for i in range(count)]
    with torch.no_grad():
        sure, found = torch.softmax(model(images), dim=1).max(dim=1)
    grey = ((images.squeeze(1) * STD + MEAN).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    side, text = 84, 26
    sheet = Image.new("RGB", (columns * (side + 8) + 8, rows * (side + text + 6) + 8), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (label, guess, share) in enumerate(zip(labels, found.tolist(), sure.tolist())):
        x = 8 + (i % columns) * (side + 8)
        y = 8 + (i // columns) * (side + text + 6)
        picture = Image.fromarray(255 - grey[i]).resize((side, side), Image.Resampling.BILINEAR)
        sheet.paste(picture, (x, y))
        right = guess == label
        draw.text((x, y + side + 1), f"{CLASSES[guess]} {share:.0%}",
                  fill=(20, 110, 40) if right else (190, 20, 20))
        if not right:
            draw.text((x, y + side + 12), f"is {CLASSES[label]}", fill=(90, 90, 90))
    logs.image("predictions", np.asarray(sheet))
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            sheet.save(file, format="PNG")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
    return path


def seconds_in_programs() -> float:
    """For how long programs have run so far; their compilation is left out."""
    return sum(program.seconds - program.compile_seconds for program in programs)


def print_compiled(times: list[tuple[float, float]]) -> None:
    """Two lines: what was compiled, and what a training step costs.

    times: of each step, its seconds and those in which programs ran.
    """
    ready = [p for p in programs if p.executable is not None]
    kernels = sum(len(p.executable.kernels) for p in ready)
    cached = sum(p.executable.cached for p in ready)
    seconds = sum(p.compile_seconds for p in ready)
    print(f"compiled: {len(ready)} of {len(programs)} programs, {kernels} kernels ({cached} from "
          f"the cache on disk) in {seconds:.2f} s")
    if ready:
        # the step is what ran for the longest time: evaluation sees fewer images, and only forwards
        step = max(ready, key=lambda p: p.seconds - p.compile_seconds)
        whole, ran = (1e3 * statistics.median(parts) for parts in zip(*times))
        print(f"a training step: {whole:.2f} ms (median), of which the program of "
              f"{len(step.executable.kernels)} kernels takes {ran:.2f} ms", flush=True)
