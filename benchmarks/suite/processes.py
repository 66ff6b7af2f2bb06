"""Running workloads in fresh processes: the command, its environment, the processors."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import numpy as np

from .machine_speed import MachineSpeed

__all__ = ["Session", "has_compiler", "limit_processors", "version"]

BENCHMARKS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(BENCHMARKS)
LONGEST = 400       # seconds; torch.compile of an untried network may hang on a loaded machine
FASHION = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte",
           "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
PACKAGED = "/usr/share/datasets/fashion-mnist"


def limit_processors(count):
    """Keep this process and its children on `count` cores, one processor of each."""
    if not hasattr(os, "sched_setaffinity"):
        return
    chosen, taken = [], set()
    for cpu in sorted(os.sched_getaffinity(0)):
        path = f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        try:
            with open(path) as file:
                core = file.read().strip()
        except OSError:
            core = str(cpu)
        if core not in taken:
            taken.add(core)
            chosen.append(cpu)
    os.sched_setaffinity(0, chosen[:count])


def has_compiler():
    """Whether there is a C++ compiler, which torch.compile needs."""
    return any(shutil.which(name) for name in (os.environ.get("CXX"), "g++", "clang++") if name)


def version(python, name):
    """The version of a package in the installation of an interpreter, or None."""
    done = subprocess.run([python, "-c", "import importlib.metadata, sys; "
                                         f"print(importlib.metadata.version({name!r}))"],
                          capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


class Session:
    """What all measurements of one run of the comparison share.

    Attributes:
        options: of the command line.
        torch: PyTorch's version; None if the interpreter has none.
        results: what was measured already, so that rows on one process share it.
        speed: the machine's.
        folder: removed at the end; holds the data set.
    """

    def __init__(self, options, patience=0):
        self.options = options
        self.torch = version(options.torch_python, "torch")
        self.results = {}
        self.speed = MachineSpeed(patience)
        self.notes = []
        self._folder = None

    @property
    def libraries(self):
        return ("flambeau", "torch") if self.torch else ("flambeau",)

    @property
    def folder(self):
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="benchmark-")
        return self._folder

    def close(self):
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def environment(self, **more):
        """This environment with both libraries limited to the same number of threads."""
        path = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))
        threads = str(self.options.threads)
        found = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": threads,
                 "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, **more}
        # OpenBLAS chooses the kernels for this processor itself: NumPy's products at their fastest
        for name in ("PYTHONDONTWRITEBYTECODE", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            found.pop(name, None)
        return found

    def run(self, library, script, *arguments, **environment):
        """The result of one process of a workload; None if it failed (why is in `notes`).

        `library` says what `import torch` finds: "flambeau", "torch", or "numpy" for neither.
        """
        path = os.path.join(BENCHMARKS, "workloads", f"{script}.py")
        command = {"flambeau": [sys.executable, "-m", "flambeau"], "numpy": [sys.executable],
                   "torch": [self.options.torch_python]}[library]
        arguments = [str(a) for a in ("--threads", self.options.threads, *arguments)]
        return self.output([*command, path, *arguments], f"{script} under {library}",
                           **environment)

    def output(self, command, what, **environment):
        """The last line that a command prints, read as JSON; None if it failed."""
        return self.speed.at_full_speed(what, lambda: self._output(command, what, environment))

    def _output(self, command, what, environment):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST,
                                  env=self.environment(**environment))
        except subprocess.TimeoutExpired:
            self.notes.append(f"{what}: stopped after {LONGEST} s")
            return None
        if done.returncode:
            self.notes.append(f"{what} failed: {_reason(done)}")
            return None
        return json.loads(done.stdout.strip().splitlines()[-1])

    def fashion_data(self):
        """The folder that holds Fashion-MNIST: the one given, unpacked from a package, or made up.

        The time of an epoch does not depend on what the images show.
        """
        if _has_fashion(self.options.data):
            return self.options.data
        raw = os.path.join(self.folder, "FashionMNIST", "raw")
        if _has_fashion(self.folder):
            return self.folder
        os.makedirs(raw)
        packaged = os.path.isdir(PACKAGED)
        if not packaged:
            self.notes.append(f"Fashion-MNIST is not in {self.options.data}: random images "
                              "of its size instead")
        for name in FASHION:
            with open(os.path.join(raw, name), "wb") as file:
                if packaged:
                    with gzip.open(os.path.join(PACKAGED, name + ".gz")) as source:
                        shutil.copyfileobj(source, file)
                else:
                    file.write(_made_up(name))
        return self.folder


def _reason(done):
    """Why a process failed: the signal that ended it, or the last line of its errors."""
    if done.returncode < 0:
        return f"ended by {signal.Signals(-done.returncode).name}"
    return (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]


def _has_fashion(folder):
    return all(os.path.exists(os.path.join(folder, "FashionMNIST", "raw", name))
               for name in FASHION)


def _made_up(name):
    """A file in the data set's format with random content."""
    count = 60_000 if name.startswith("train") else 10_000
    generator = np.random.default_rng(0)
    if "labels" in name:
        return (np.array([0x801, count], ">i4").tobytes()
                + generator.integers(0, 10, count, np.uint8).tobytes())
    return (np.array([0x803, count, 28, 28], ">i4").tobytes()
            + generator.integers(0, 256, count * 784, np.uint8).tobytes())
