"""LLVM by llvmlite: the target, and IR text to object code by a thread's own compiler.

At the bottom of `runtime`, under the queue of compilations and the cache of their results.

llvmlite guards every call into LLVM with one lock, so that threads would take turns. LLVM itself
only asks that a context stays with one thread: parsing, optimizing and code generation in contexts
of their own go around that lock (measured: 1.8 times the kernels a second on two cores).

Pipelines: "standard" is LLVM's function simplification at O1 (common subexpressions, hoisting,
instruction combining; no unrolling, no vectorizing); "light", for kernels that are written out as
they should be, only combines instructions and tidies the control flow. A module says which
one it wants (`Module(name, pipeline="light")`).
"""

import contextlib
import ctypes
import functools

from flambeau.runtime import _cpu

__all__ = ["Compiler", "link", "target_text"]

# raise it when the meaning of an entry changes: pipelines, code model, target options
_CACHE_VERSION = "2"
LIGHT = "; pipeline: light\n"

_engines = []  # keep the machine code of this process alive


@functools.cache
def _initialize():
    import llvmlite.binding as llvm

    with contextlib.suppress(RuntimeError):  # newer versions initialize LLVM by themselves
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _target_machine():
    import llvmlite.binding as llvm

    _initialize()
    # The large code model of JITs: the small one was no faster (all of vector_math), and needs
    # llvmlite's own memory manager, which on x86 aborts on calls to functions of the C library.
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=_cpu.name(), features=_cpu.features(), opt=2, jit=True)


@functools.cache
def target_text():
    """All that decides the machine code besides the IR."""
    import llvmlite
    import llvmlite.binding as llvm

    version = ".".join(map(str, llvm.llvm_version_info))
    return "\n".join([_CACHE_VERSION, llvm.get_process_triple(), _cpu.name(), _cpu.features(),
                      llvmlite.__version__, version])


class Compiler:
    """A target machine and pass builder, for one thread at a time."""

    def __init__(self):
        import llvmlite.binding as llvm

        self._machine = _target_machine()
        self._data_layout = str(self._machine.target_data)
        self._triple = self._machine.triple
        options = llvm.create_pipeline_tuning_options(1)
        for name in ("loop_vectorization", "slp_vectorization", "loop_unrolling",
                     "loop_interleaving"):
            setattr(options, name, False)
        self._builder = llvm.create_pass_builder(self._machine, options)

    def compile(self, text, assembly=False):
        """The object code (or the assembly listing) of IR text."""
        import llvmlite.binding as llvm
        from llvmlite.binding import ffi

        context = _new_context(llvm)
        header = (f'target datalayout = "{self._data_layout}"\n'
                  f'target triple = "{self._triple}"\n')
        with ffi.OutputString() as error:
            pointer = _unlocked("LLVMPY_ParseAssembly")(
                context, ctypes.c_char_p((header + text).encode()), error)
            module = llvm.ModuleRef(pointer, context)
            if error:
                raise RuntimeError(str(error))
        try:
            module.verify()
            self._optimize(llvm, module, LIGHT in text)
            return self._emit(ffi, module, assembly)
        finally:
            module.close()
            context.close()

    def _optimize(self, llvm, module, light):
        if light:
            passes = llvm.create_new_module_pass_manager()
            passes.add_instruction_combine_pass()
            passes.add_simplify_cfg_pass()
            _unlocked("LLVMPY_RunNewModulePassManager")(passes, module, self._builder)
            return
        for function in module.functions:
            if not function.is_declaration:
                passes = self._builder.getFunctionPassManager()
                _unlocked("LLVMPY_RunNewFunctionPassManager")(passes, function, self._builder)

    def _emit(self, ffi, module, assembly):
        with ffi.OutputString() as error:
            memory = _unlocked("LLVMPY_TargetMachineEmitToMemory")(
                self._machine, module, int(not assembly), error)
            if not memory:
                raise RuntimeError(str(error))
        try:
            data = ctypes.string_at(ffi.lib.LLVMPY_GetBufferStart(memory),
                                    ffi.lib.LLVMPY_GetBufferSize(memory))
        finally:
            ffi.lib.LLVMPY_DisposeMemoryBuffer(memory)
        return data.decode() if assembly else data


def _unlocked(name):
    """llvmlite's C function without the lock around it, or with it if llvmlite has changed."""
    from llvmlite.binding import ffi

    function = getattr(ffi.lib, name)
    return getattr(function, "_cfn", function)


def _new_context(llvm):
    from llvmlite.binding import ffi

    # llvmlite 0.44 takes a flag that enables opaque pointers; its successors take no argument
    create = _unlocked("LLVMPY_ContextCreate")
    create.restype = ffi.LLVMContextRef
    return llvm.ContextRef(create(ctypes.c_bool(True)))


def link(objects, symbols):
    """Puts object code into memory and returns the addresses of the symbols in it.

    One MCJIT engine for all of them costs 0.05 ms an object (an engine each 0.9 ms, LLJIT 0.16 ms).
    """
    import llvmlite.binding as llvm

    _initialize()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
    for data in objects:
        engine.add_object_file(llvm.ObjectFileRef.from_data(data))
    engine.finalize_object()
    _engines.append(engine)
    return {symbol: engine.get_function_address(symbol) for symbol in symbols}
