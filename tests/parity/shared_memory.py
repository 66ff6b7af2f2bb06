"""Random programs over tensors of one memory, played by either library: see
test_shared_memory_parity.py.

A program is a list of steps, each a kind of step and three random numbers, which choose among
what there is when the step is taken. So a part of a program is a program as well.

Nothing here keeps numbers for backward while NumPy code writes them: PyTorch then reads what was
written, unnoticed, and Flambeau mostly what was there before.
"""
import copy
import io
import random
import warnings

import numpy as np

VIEWS = {
    "t": lambda x: x.t() if x.dim() == 2 else None,
    "flat": lambda x: x.reshape(-1) if x.is_contiguous() else None,
    "row": lambda x: x[1] if x.dim() and x.shape[0] > 1 else None,
    "column": lambda x: x[:, 0] if x.dim() == 2 else None,
    "view": lambda x: x.view(2, -1) if x.is_contiguous() and x.numel() % 2 == 0 else None,
    "diagonal": lambda x: x.diagonal() if x.dim() == 2 else None,
    "every other": lambda x: x[::2] if x.dim() else None,
    "slice": lambda x: x[:-1] if x.dim() and x.shape[0] > 1 else None,
    "unsqueeze": lambda x: x.unsqueeze(0),
}
WRITES = {
    "add": lambda x: x.add_(1), "mul": lambda x: x.mul_(2), "zero": lambda x: x.zero_(),
    "assign": lambda x: x.__setitem__(0, 5.0) if x.dim() else None,
    "copy": lambda x: x.copy_(x.detach() * 2),
}
LEAVES = {
    "arange": lambda lib: lib.arange(12.).reshape(3, 4).clone(),
    "ones": lambda lib: lib.ones(3, 4),
    "pending": lambda lib: lib.ones(3, 4) * 2 + 1,
    "numpy": lambda lib: lib.from_numpy(np.arange(12, dtype=np.float32).reshape(3, 4)),
}


def program(seed: int, kinds: str, length: int) -> list[tuple]:
    """A random program: its steps are of `kinds`, words of which some may occur more often."""
    rng = random.Random(seed)
    return [(rng.choice(kinds.split()), rng.random(), rng.random(), rng.random())
            for _ in range(length)]


def picked(things, number: float):
    """One of `things` by a number between 0 and 1."""
    things = sorted(things) if isinstance(things, dict) else things
    return things[int(number * len(things))]


class Player:
    """What a program has made so far, and what was seen of it."""

    def __init__(self, library):
        self.library = library
        self.module = library.nn.Module()
        numbers = (library.arange(12.) / 4 + 1).reshape(3, 4)
        self.module.weight = library.nn.Parameter(numbers.clone())
        self.leaf = self.module.weight
        self.optimizer = library.optim.SGD([self.leaf], lr=0.5, momentum=0.5)
        self.tensors = [self.leaf * 3]
        self.arrays: list[np.ndarray] = []
        self.leaves = [self.leaf]
        self.seen: list = []

    def keep(self, made) -> None:
        if made is not None:
            self.tensors.append(made)
        if len(self.tensors) > 6:
            del self.tensors[0]

    def take(self, kind: str, a: float, b: float, c: float) -> None:
        """One step; what it raises is seen as well."""
        for tensor in self.tensors:
            # is_leaf of a view in PyTorch tells what this was when it was last asked
            assert tensor.grad_fn is not self
        try:
            getattr(self, kind)(picked(self.tensors, a), b, c)
        except RuntimeError as error:
            self.seen.append(" ".join(str(error).split()[:4]))

    # ---- the steps ----------------------------------------------------------------------------

    def view(self, x, b, c):
        self.keep(VIEWS[picked(VIEWS, b)](x))

    def detach(self, x, b, c):
        self.keep(x.detach())

    def data(self, x, b, c):
        self.keep(x.data)

    def compute(self, x, b, c):
        # PyTorch's results keep the order of their operands' memory
        self.keep((x * 3 - 1).contiguous())

    def clone(self, x, b, c):
        self.keep(x.clone().contiguous())

    def leaf_again(self, x, b, c):
        self.keep(self.leaf)

    def make(self, x, b, c):
        self.keep(LEAVES[picked(LEAVES, b)](self.library))

    def given(self, x, b, c):
        array = np.arange(12, dtype=np.float32).reshape(3, 4)
        self.arrays.append(array)
        made = self.library.from_numpy(array)
        if c < 0.3:
            self.leaves.append(made.requires_grad_())
        self.keep(made)

    def gradient(self, x, b, c):
        if self.leaf.grad is not None:
            if b < 0.5:
                self.arrays.append(self.leaf.grad.numpy())
            else:
                self.keep(self.leaf.grad)

    def set_data(self, x, b, c):
        if x.shape == self.leaf.shape:
            self.leaf.data = x if b < 0.5 else x.detach() * 2

    def requires(self, x, b, c):
        # a leaf that is a view, or has some already, is treated in odd ways by PyTorch
        made = x.detach() if b < 0.5 else LEAVES[picked(LEAVES, c)](self.library)
        self.leaves.append(made.requires_grad_())
        self.keep(made)

    def numpy(self, x, b, c):
        self.arrays.append(x.detach().numpy())

    def array(self, x, b, c):
        if self.arrays:
            array = picked(self.arrays, b)
            array[(0,) * array.ndim] = int(c * 100)

    def drop(self, x, b, c):
        if self.arrays:
            self.arrays.pop(int(b * len(self.arrays)))

    def forget(self, x, b, c):
        if len(self.tensors) > 1:
            self.tensors = [t for t in self.tensors if t is not x]

    def write(self, x, b, c):
        WRITES[picked(WRITES, b)](x)

    def write_detached(self, x, b, c):
        WRITES[picked(WRITES, b)](x.detach())

    def write_data(self, x, b, c):
        WRITES[picked(WRITES, b)](x.data)

    def write_unrecorded(self, x, b, c):
        with self.library.no_grad():
            WRITES[picked(WRITES, b)](x)

    def write_by_leaf(self, x, b, c):
        x.mul_(self.leaf.detach().sum() if b < 0.3 else self.leaf.sum())

    def read(self, x, b, c):
        self.seen.append(x.sum().item())

    def parameter(self, x, b, c):
        made = self.library.nn.Parameter(x.detach() if b < 0.5 else x)
        self.leaves.append(made)
        self.keep(made)

    def deepcopy(self, x, b, c):
        if x.is_leaf:
            made = copy.deepcopy(x)
            self.keep(made)
            if made.requires_grad:
                self.leaves.append(made)

    def save(self, x, b, c):
        file = io.BytesIO()
        self.library.save(x.detach(), file)
        file.seek(0)
        self.keep(self.library.load(file).contiguous())

    def step(self, x, b, c):
        if self.leaf.grad is not None:
            self.optimizer.step()

    def zero(self, x, b, c):
        self.optimizer.zero_grad(set_to_none=b < 0.5)

    def state(self, x, b, c):
        self.keep(self.module.state_dict()["weight"])

    def backward(self, x, b, c):
        self.differentiate([x] if b < 0.5 else self.tensors)

    def look(self, x, b, c):
        self.seen.append([[t.tolist(), t.requires_grad, t.is_leaf, t.grad_fn is None]
                          for t in self.tensors])

    def differentiate(self, tensors) -> None:
        parts = [(t * t).sum() for t in tensors if t.requires_grad]
        if not parts:
            return
        try:
            sum(parts).backward(retain_graph=True)
        except RuntimeError as error:
            self.seen.append("modified" if "modified by an inplace" in str(error) else str(error))
        self.seen.append([None if t.grad is None else t.grad.tolist() for t in self.leaves])


def play(library, steps: list[tuple]) -> list:
    """What is seen while `steps` are taken, and in the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        player = Player(library)
        for step in steps:
            player.take(*step)
        player.look(None, 0, 0)
        player.differentiate(player.tensors)
        player.seen.append([a.tolist() for a in player.arrays])
        return player.seen
