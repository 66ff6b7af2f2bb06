"""Random number generators: seeds, states and `fork_rng`, PyTorch's `torch.random`.

The streams are PyTorch's CPU streams (`runtime.random_streams`): the same seed gives the same
numbers. What is drawn from them is in `ops.random`; a draw happens when its function is called.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator

from .dtypes import device as Device

__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


class Generator:
    """A stream of random numbers with a seed and a state of its own.

    Pass it as `generator=` to any random function; without it, `default_generator` is used.

    Args:
        device: where tensors are drawn; only "cpu" has a generator.

    >>> import flambeau as torch
    >>> generator = torch.Generator().manual_seed(0)
    >>> torch.rand(2, generator=generator)
    tensor([0.4963, 0.7682])

    Reference: Matsumoto and Nishimura, "Mersenne twister" (1998).
    """

    __slots__ = ("_device", "_stream", "__weakref__")

    def __init__(self, device=None):
        self._device = Device("cpu") if device is None else Device(device)
        if self._device.type != "cpu":
            raise RuntimeError(
                f"Cannot get {self._device.type.upper()} generator: only the CPU has one; expected "
                f"device='cpu', received device='{self._device}'"
            )
        self._stream = None

    @property
    def stream(self):
        """The NumPy side of the generator, made when first needed (numpy.random loads slowly)."""
        if self._stream is None:
            from .runtime.random_streams import GeneratorState

            self._stream = GeneratorState()
        return self._stream

    @property
    def device(self) -> Device:
        """The device the generator draws for."""
        return self._device

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream of `seed` and returns the generator.

        Raises RuntimeError when the seed is no integer, ValueError outside [-2**63, 2**64).
        """
        if type(seed) is not int:
            try:
                seed = operator.index(seed)
            except TypeError:
                raise RuntimeError(
                    f"manual_seed expected a long, but got {type(seed).__name__}"
                ) from None
        if not -(2**63) <= seed < 2**64:
            raise ValueError(
                "Overflow when unpacking long long: a seed lies in [-2**63, 2**64), "
                f"received {seed}"
            )
        self.stream.manual_seed(seed)
        return self

    def seed(self) -> int:
        """Seeds from the operating system and returns the seed."""
        return self.stream.seed()

    def initial_seed(self) -> int:
        """The seed the stream was started with."""
        return self.stream.initial_seed()

    def get_state(self):
        """The state as a uint8 tensor of 5056 bytes, the same as PyTorch's."""
        from .ops._drawing import tensor_of_bytes

        return tensor_of_bytes(self.stream.get_state())

    def set_state(self, new_state) -> Generator:
        """Continues from a state that `get_state` returned (here or in PyTorch)."""
        from .ops._drawing import bytes_of_tensor

        self.stream.set_state(bytes_of_tensor(new_state))
        return self

    def clone_state(self) -> Generator:
        """A new generator that continues with the same numbers."""
        other = Generator(self._device)
        other._stream = self.stream.clone()
        return other

    def get_offset(self) -> int:
        """Philox generators have an offset; this one raises RuntimeError."""
        raise RuntimeError("CPU Generator does not use offset")

    def set_offset(self, offset: int) -> Generator:
        """Philox generators have an offset; this one raises RuntimeError."""
        raise RuntimeError("CPU Generator does not use offset")

    def __reduce__(self):
        return _restore_generator, (self._device, self.stream.get_state().tobytes())


def _restore_generator(device: Device, state: bytes) -> Generator:
    import numpy as np

    generator = Generator(device)
    generator.stream.set_state(np.frombuffer(state, np.uint8))
    return generator


class _DefaultGenerator(Generator):
    """The generator of calls without `generator=`; starts from a seed of the operating system."""

    __slots__ = ()

    @property
    def stream(self):
        if self._stream is None:
            super().stream.seed()
        return self._stream


default_generator = _DefaultGenerator()


def manual_seed(seed) -> Generator:
    """Seeds the default generator and returns it; `int(seed)` lies in [-2**63, 2**64).

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randint(10, (5,))
    tensor([4, 9, 3, 0, 3])
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seeds the default generator from the operating system and returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator was started with."""
    return default_generator.initial_seed()


def get_rng_state():
    """The state of the default generator, a uint8 tensor of 5056 bytes."""
    return default_generator.get_state()


def set_rng_state(new_state) -> None:
    """Makes the default generator continue from a state that `get_rng_state` returned."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(
    devices=None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str | None = None,
) -> Iterator[None]:
    """Puts the default generator back, on leaving the block, to where it was on entering.

    Args:
        devices: accelerators whose generators are kept too; there are none, so only an empty
            sequence or None is accepted.
        enabled: False makes the block an ordinary one.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> with torch.random.fork_rng():
    ...     inside = torch.rand(1)
    >>> torch.equal(inside, torch.rand(1))
    True
    """
    if device_type == "meta" or not enabled:
        yield
        return
    if devices is not None and len(list(devices)) > 0:
        raise RuntimeError(
            f"{_caller} received {_devices_kw}={list(devices)}, but there is no device besides "
            "the CPU, whose generator is always forked: leave the argument out"
        )
    state = default_generator.stream.get_state()
    try:
        yield
    finally:
        default_generator.stream.set_state(state)
