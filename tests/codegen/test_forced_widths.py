"""Tests of the emitter, the mathematics and fused kernels with the code of other processors."""

import os
import subprocess
import sys

import pytest

from flambeau.runtime import _cpu

HERE = os.path.dirname(__file__)
FILES = ("test_emitter.py", "test_vector_math.py", "test_fused.py", "test_pooling.py",
         "../graph/test_padded_indices.py")


@pytest.mark.parametrize("width", [w for w in (4, 8, 16) if w < _cpu.vector_width()])
def test_narrower_vectors(width):
    files = [os.path.join(HERE, name) for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    run = subprocess.run(command, env={**os.environ, "FLAMBEAU_VECTOR_WIDTH": str(width)},
                         capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout[-3000:]


@pytest.mark.parametrize("width,forbidden", [(4, ("ymm", "zmm", "vfmadd")), (8, ("zmm",))])
def test_narrowed_code_has_no_wider_registers(width, forbidden):
    if not _cpu.is_x86() or width >= _cpu.vector_width():
        pytest.skip("nothing to narrow on this machine")
    program = """if True:
        from flambeau.codegen import vector_math
        from flambeau.codegen.emitter import F32, Module, vector
        from flambeau.runtime._jit import assembly
        module = Module("m")
        f = module.kernel("k")
        x = f.load(vector(F32, 16), f.pointer_arg(0))
        f.store(f.fma(vector_math.call(f, "exp", x), x, x), f.pointer_arg(1))
        print(assembly(module.text()))"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                         env={**os.environ, "FLAMBEAU_VECTOR_WIDTH": str(width)})
    assert "mulps" in run.stdout, run.stderr
    assert not [word for word in forbidden if word in run.stdout]


@pytest.mark.parametrize("value,message", [("5", "must be 4, 8 or 16"), ("wide", "4, 8 or 16")])
def test_wrong_widths_are_told(value, message):
    run = subprocess.run([sys.executable, "-c",
                          "from flambeau.runtime import _cpu; _cpu.vector_width()"],
                         capture_output=True, text=True,
                         env={**os.environ, "FLAMBEAU_VECTOR_WIDTH": value})
    assert run.returncode == 1 and message in run.stderr
