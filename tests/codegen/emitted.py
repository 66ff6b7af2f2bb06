"""Runs functions written with the emitter on NumPy arrays in the tests."""

import ctypes
import itertools

import numpy as np

from flambeau.codegen.emitter import Module
from flambeau.runtime._jit import compile_module

_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                              ctypes.c_void_p)
_names = itertools.count()


def kernel(build, pipeline="standard"):
    """A callable (begin, end, *arrays) of the kernel that `build(f)` emits."""
    name = f"test_kernel_{next(_names)}"
    module = Module(name, pipeline)
    build(module.kernel(name))
    function = _SIGNATURE(compile_module(name, module.text(), [name])[name])

    def run(begin, end, *arrays):
        table = np.array([a.ctypes.data if isinstance(a, np.ndarray) else a for a in arrays],
                         np.int64)
        scratch = np.zeros(4096, np.uint8)
        function(table.ctypes.data, begin, end, scratch.ctypes.data)
    return run


def mapped(build, lanes, arrays, result_dtype, types):
    """`build(f, *vectors)` of every `lanes` elements of the arrays, whose length they divide."""
    from flambeau.codegen.emitter import vector

    count = len(arrays[0])
    assert count % max(1, lanes) == 0
    out = np.empty(count, result_dtype)

    def body(f):
        with f.loop(f.begin, f.end, max(1, lanes)) as loop:
            values = [f.load(vector(t, lanes), f.pointer_arg(i), loop.index)
                      for i, t in enumerate(types)]
            f.store(build(f, *values), f.pointer_arg(len(arrays)), loop.index)

    kernel(body)(0, count, *arrays, out)
    return out
