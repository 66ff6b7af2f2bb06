"""The Mersenne Twister 19937 engine, word for word PyTorch's CPU generator.

Lowest layer of `random_streams`. NumPy's bit generator produces the words (360 to 490 million a
second), this class keeps PyTorch's view of the state: the 64-bit seed, the place in the block of
624 words, and the second sample of a Box-Muller pair that waits for the next call.

Reference: Matsumoto and Nishimura, "Mersenne twister", ACM TOMACS 8 (1998).
"""

from __future__ import annotations

import os
import secrets
import weakref

import numpy as np

__all__ = ["DEFAULT_SEED", "MersenneTwister", "STATE_BYTES"]

DEFAULT_SEED = 67280421310721  # the seed of a new torch.Generator
_BLOCK = 624
_STATE = np.dtype(
    [
        ("seed", "<u8"),
        ("left", "<i4"),
        ("seeded", "<i4"),
        ("next", "<u8"),
        ("words", "<u8", (_BLOCK,)),
        ("normal_x", "<f8"),
        ("normal_y", "<f8"),
        ("normal_rho", "<f8"),
        ("normal_is_valid", "<i4"),
        ("_padding0", "<i4"),
        ("float_normal", "<f4"),
        ("float_normal_is_valid", "u1"),
        ("_padding1", "u1", (3,)),
    ]
)
STATE_BYTES = _STATE.itemsize  # 5056, what torch.get_rng_state() returns

# A process that has drawn so much in NumPy loads the machine code, which takes 0.05 to 0.2 s.
_COLD_WORK = 1 << 20
_MANY = 256  # elements from which a call into machine code pays

_low_word_first: bool | None = None


def _is_low_word_first() -> bool:
    """Whether NumPy puts the first of two 32-bit words into the low half of a 64-bit one.

    C leaves the order of the two calls to the compiler, so it is probed once.
    """
    global _low_word_first
    if _low_word_first is None:
        pair, single = (np.random.Generator(np.random.MT19937(0)) for _ in range(2))
        first = int(single.integers(0, 0xFFFFFFFF, dtype=np.uint32, endpoint=True))
        both = int(pair.integers(0, 0xFFFFFFFFFFFFFFFF, dtype=np.uint64, endpoint=True))
        _low_word_first = both & 0xFFFFFFFF == first
    return _low_word_first


_streams: weakref.WeakSet[MersenneTwister] = weakref.WeakSet()
_held: list = []


def _hold_before_fork():
    """Waits for threads that draw: a child could not use a stream that another thread holds."""
    for stream in list(_streams):
        stream._bits.lock.acquire()
        _held.append(stream._bits.lock)


def _go_on_after_fork():
    while _held:
        _held.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_before_fork, after_in_parent=_go_on_after_fork,
                        after_in_child=_go_on_after_fork)


class MersenneTwister:
    """One stream of 32-bit words with PyTorch's seeding and state layout."""

    work = 0 if os.environ.get("FLAMBEAU_COMPILE", "1") != "0" else -(1 << 63)

    def __init__(self, seed: int = DEFAULT_SEED):
        self._bits = np.random.MT19937(0)
        self._legacy = np.random.RandomState(self._bits)
        self._integers = np.random.Generator(self._bits).integers
        self._swap = _is_low_word_first()
        _streams.add(self)
        self.manual_seed(seed)

    # Seeding and state

    def manual_seed(self, seed: int) -> None:
        """Starts the stream of `seed` (64 bits are kept, the low 32 choose the stream)."""
        self._seed = seed & 0xFFFFFFFFFFFFFFFF
        self._legacy.seed(self._seed & 0xFFFFFFFF)
        self._unused_next = 0  # PyTorch's `next` before the first word of a new block is drawn
        self.next_normal: float | None = None
        self.next_float_normal: float | None = None

    def seed(self) -> int:
        """Seeds from the operating system and returns the seed (53 bits, as PyTorch's)."""
        seed = secrets.randbits(53)
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The 64-bit seed the stream was started with."""
        return self._seed

    def get_state(self) -> np.ndarray:
        """The state as 5056 bytes, equal to those of `torch.get_rng_state()`."""
        inner = self._bits.state["state"]
        position = int(inner["pos"])
        record = np.zeros((), _STATE)
        record["seed"] = self._seed
        record["seeded"] = 1
        record["words"] = inner["key"]
        if position == _BLOCK:
            record["left"], record["next"] = 1, self._unused_next
        else:
            record["left"], record["next"] = _BLOCK + 1 - position, position
        if self.next_normal is not None:
            record["normal_y"], record["normal_is_valid"] = self.next_normal, 1
        if self.next_float_normal is not None:
            record["float_normal"], record["float_normal_is_valid"] = self.next_float_normal, 1
        return np.frombuffer(record.tobytes(), np.uint8).copy()

    def set_state(self, state: np.ndarray) -> None:
        """Continues from 5056 bytes that `get_state` (or PyTorch) returned.

        Raises RuntimeError when the size or the position in the block is impossible.
        """
        raw = np.ascontiguousarray(state).view(np.uint8).reshape(-1)
        if raw.size != STATE_BYTES:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE_BYTES} but found the input RNG "
                f"state size to be {raw.size}"
            )
        record = np.frombuffer(raw.tobytes(), _STATE)[0]
        left, following = int(record["left"]), int(record["next"])
        if not (record["seeded"] and 0 < left <= _BLOCK and following <= _BLOCK) or (
            left > 1 and left + following != _BLOCK + 1
        ):
            raise RuntimeError("Invalid mt19937 state")
        self._bits.state = {
            "bit_generator": "MT19937",
            "state": {
                "key": record["words"].astype(np.uint32),
                "pos": _BLOCK if left == 1 else following,
            },
        }
        self._seed = int(record["seed"])
        self._unused_next = following if left == 1 else _BLOCK
        self.next_normal = float(record["normal_y"]) if record["normal_is_valid"] else None
        self.next_float_normal = (
            float(record["float_normal"]) if record["float_normal_is_valid"] else None
        )

    def clone(self):
        """An independent generator that continues with the same words."""
        other = type(self)()
        other.set_state(self.get_state())
        return other

    # Machine code

    def _is_hot(self, count: int, cost: int = 1) -> bool:
        """Whether to draw `count` elements by machine code; `cost` of one in NumPy, in words."""
        if count < _MANY:
            return False
        if MersenneTwister.work > _COLD_WORK:
            return True
        MersenneTwister.work += count * cost
        return False

    def _run(self, name: str, out: np.ndarray, count: int, *arguments) -> np.ndarray:
        """Calls a function of `native` that advances the state and writes `out`."""
        with self._bits.lock:          # a fork waits for it: half a module is of no use to a child
            from . import native
        function = native.functions()[name]
        self._unused_next = _BLOCK
        with self._bits.lock:
            function(self._bits.ctypes.state_address, out.ctypes.data, count, *arguments)
        return out

    # Words

    def words(self, count: int) -> np.ndarray:
        """`count` 32-bit words as uint32, PyTorch's `random()`."""
        if self._is_hot(count):
            return self._run("random_words", np.empty(count, np.uint32), count)
        if count:
            self._unused_next = _BLOCK
        return self._integers(0, 0xFFFFFFFF, count, np.uint32, True)

    def words64(self, count: int) -> np.ndarray:
        """`count` 64-bit words as uint64, PyTorch's `random64()`: the first word is high."""
        if self._is_hot(count, 2):
            words = self._run("random_words", np.empty(count, "<u8"), 2 * count)
            return words << np.uint64(32) | words >> np.uint64(32)
        if count:
            self._unused_next = _BLOCK
        words = self._integers(0, 0xFFFFFFFFFFFFFFFF, count, np.uint64, True)
        if self._swap:
            words = words << np.uint64(32) | words >> np.uint64(32)
        return words

    def doubles(self, count: int) -> np.ndarray:
        """`count` float64 samples of the uniform distribution on [0, 1), 53 bits each."""
        words = self.words64(count)
        words &= np.uint64(0x1FFFFFFFFFFFFF)
        return words * 2.0**-53

    def floats(self, count: int) -> np.ndarray:
        """`count` float32 samples of the uniform distribution on [0, 1), 24 bits each."""
        words = self.words(count)
        words &= np.uint32(0xFFFFFF)
        samples = words.astype(np.float32)
        samples *= np.float32(2.0**-24)
        return samples
