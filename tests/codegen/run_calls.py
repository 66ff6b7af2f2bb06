"""Runs kernel calls on NumPy arrays in the tests, without the executor."""

import ctypes

import numpy as np

from flambeau.codegen.kernel_call import Operand, Pointer
from flambeau.runtime._jit import compile_kernels

_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                              ctypes.c_void_p)


class Memory:
    """Buffers by id: arrays of the test, and the temporaries that planners ask for."""

    def __init__(self):
        self.arrays = {}

    def add(self, array):
        """The pointer to the first byte of an array."""
        number = len(self.arrays)
        self.arrays[number] = array
        return Pointer(number)

    def operand(self, array):
        """The array as an Operand with its own strides."""
        return Operand(self.add(array), tuple(s // array.itemsize for s in array.strides))

    def allocate(self, nbytes):
        """A temporary, aligned as the arena, of NaNs so that unwritten memory shows."""
        memory = np.full(nbytes + 128, 0xFF, np.uint8)
        return self.add(memory[-memory.ctypes.data % 64:]).buffer

    def prepared(self, calls):
        """A function per call, `run(begin, end)`, with everything that must stay alive."""
        addresses = compile_kernels([(c.name, c.ir_text) for c in calls])
        return [self._bind(call, addresses[call.name]) for call in calls]

    def _bind(self, call, address):
        slots = [self.arrays[a.buffer].ctypes.data + a.offset if isinstance(a, Pointer)
                 else a.value for a in call.args]
        table = np.array(slots, np.int64)
        raw = np.full(call.scratch + 64 + 4096, 0xFF, np.uint8)
        scratch = (raw.ctypes.data + 63) // 64 * 64
        function = _SIGNATURE(address)

        def run(begin, end, keep=(raw, table, call)):
            function(table.ctypes.data, begin, end, scratch)
            guard = raw[scratch - raw.ctypes.data + call.scratch:]
            assert (guard == 0xFF).all(), f"{call.name} wrote past its scratch"
        return run

    def run(self, calls):
        """Runs the calls, each in chunks of its grain, last chunk first (order must not matter)."""
        for call, run in zip(calls, self.prepared(calls)):
            for begin in reversed(range(0, call.items, call.grain)):
                run(begin, min(call.items, begin + call.grain))
