"""IR text to machine code: `compile_kernels([(name, ir_text), ...])` gives their addresses."""

import functools
import threading

from flambeau.runtime import _cpu

__all__ = ["compile_kernels", "compile_module"]

_lock = threading.RLock()
_addresses = {}
_engines = []


@functools.lru_cache(maxsize=None)
def _target_machine():
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=_cpu.name(), features=_cpu.features(), opt=2, jit=True)


def _optimize(module):
    import llvmlite.binding as llvm

    options = llvm.create_pipeline_tuning_options(2)
    builder = llvm.create_pass_builder(_target_machine(), options)
    options.loop_vectorization = options.slp_vectorization = False
    options.loop_unrolling = False
    builder.getModulePassManager().run(module, builder)


def compile_kernels(kernels):
    """Compiles kernels, given as (name, IR text), and returns their addresses by name."""
    with _lock:
        result = {}
        for name, text in kernels:
            if name not in _addresses:
                _addresses[name] = compile_module(name, text, (name,))[name]
            result[name] = _addresses[name]
        return result


def compile_module(name, text, symbols):
    """Compiles a module and returns the addresses of the functions named in `symbols`."""
    import llvmlite.binding as llvm

    with _lock:
        _target_machine()
        module = llvm.parse_assembly(text)
        module.verify()
        _optimize(module)
        engine = llvm.create_mcjit_compiler(module, _target_machine())
        engine.finalize_object()
        _engines.append(engine)
        return {symbol: engine.get_function_address(symbol) for symbol in symbols}
