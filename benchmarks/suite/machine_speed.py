"""How fast the machine is now: a virtual one may halve its speed for minutes.

NumPy's product of two matrices is timed before and after each process. What was measured while it
took much longer than at its best is measured again, whichever library it is of.
"""

import time

import numpy as np

__all__ = ["MachineSpeed"]

SIZE = 1024
# Of the best speed seen. Here it is 200 or 100 GFLOP/s; between two probes of the quiet machine
# it varies by 5 %.
SLOW = 0.8
PAUSE = 2.0         # seconds between two looks at a slow machine


class MachineSpeed:
    """The best speed seen, and how long this run may still wait for it.

    Attributes:
        patience: seconds left for waiting and for measuring again.
        best: floating-point operations a second.
        repeated: how many processes were run again.
        slow: what was measured on a slow machine after all, patience being at its end.
    """

    def __init__(self, patience):
        self.patience = patience
        self.best = 0.0
        self.repeated = 0
        self.slow = []
        self._left = np.random.default_rng(0).random((SIZE, SIZE), np.float32)
        self._right = self._left.copy()
        self._product = self._left @ self._right

    def is_slow(self):
        """Whether the machine is slower now than it was before."""
        seconds = []
        for _ in range(5):
            begin = time.perf_counter()
            np.matmul(self._left, self._right, out=self._product)
            seconds.append(time.perf_counter() - begin)
        speed = 2 * SIZE ** 3 / min(seconds)
        self.best = max(self.best, speed)
        return speed < SLOW * self.best

    def at_full_speed(self, what, run):
        """What `run()` returns, called again while the machine is slow and patience lasts."""
        while True:
            while self.is_slow() and self.patience > 0:
                time.sleep(PAUSE)
                self.patience -= PAUSE
            begin = time.perf_counter()
            result = run()
            if result is None or not self.is_slow():
                return result
            if self.patience <= 0:
                self.slow.append(what)
                return result
            self.patience -= time.perf_counter() - begin
            self.repeated += 1

    def notes(self):
        """What is said about it below the table."""
        best = f"the machine's best is {self.best / 1e9:.0f} GFLOP/s (NumPy's product of {SIZE})"
        if self.repeated:
            yield (f"{self.repeated} processes were run again, as the machine had become slow; "
                   f"{best}")
        if self.slow:
            yield (f"{len(self.slow)} processes ran on a machine below {SLOW:.0%} of its best; "
                   f"{best}: {', '.join(dict.fromkeys(self.slow))}")
