"""IR text to machine code: `compile_kernels([(name, ir_text), ...])` gives their addresses.

A kernel is compiled once per machine: its object code lies in the cache on disk, keyed by the text,
the CPU with its features, and the versions of LLVM and of this module. The kernels of one request
that are not there are compiled in parallel; all of them are then linked by one MCJIT engine, which
costs 0.05 ms an object (an engine each would cost 0.9 ms, LLJIT 0.16 ms).

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
import os
import threading
import time

from flambeau.runtime import _cpu
from flambeau.runtime._cache import entry_key, read_entry, write_entry

__all__ = ["assembly", "compile_kernels", "compile_module", "kernel_keys", "load_kernels",
           "statistics", "target_text"]

# raise it when the meaning of an entry changes: pipelines, code model, target options
_CACHE_VERSION = "2"
LIGHT = "; pipeline: light\n"

_lock = threading.RLock()
_addresses = {}  # kernel name -> (hash of its text or None, address)
_keys = {}  # kernel name -> the key of its entry in the cache
_engines = []  # keep the machine code of this process alive
_statistics = {"compiled": 0, "cache_hits": 0, "compile_seconds": 0.0, "load_seconds": 0.0}


def statistics():
    """What this process did: kernels compiled and found in the cache, and the seconds it took.

    `compile_seconds` adds up the threads that compile in parallel.
    """
    with _lock:
        return dict(_statistics)


def compile_kernels(kernels):
    """Compiles kernels, given as (name, IR text), and returns their addresses by name.

    A name stands for one text for the life of the process; the known ones are not compiled again.
    Of a kernel that `load_kernels` loaded the text may be None.
    """
    kernels = list(kernels)
    with _lock:
        missing = {}
        for name, text in kernels:
            known = _addresses.get(name)
            if known is None:
                missing[name] = (text, (name,))
            elif text is not None and known[0] != hash(text):
                if known[0] is not None or _keys[name] != entry_key(text, _target_text()):
                    raise ValueError(f"two kernels with different code are called {name!r}")
                _addresses[name] = hash(text), known[1]
        if missing:
            found = _build(missing)
            for name, (text, _) in missing.items():
                _addresses[name] = hash(text), found[name]
        return {name: _addresses[name][1] for name, _ in kernels}


def kernel_keys(names):
    """{name: key of its entry in the cache} of kernels that this process has."""
    with _lock:
        return {name: _keys[name] for name in names}


def load_kernels(keys):
    """Loads kernels, given as {name: key}, from the cache alone; whether all of them are there."""
    with _lock:
        objects = {}
        for name, key in keys.items():
            if name in _addresses:
                if _keys[name] != key:
                    return False
                continue
            objects[name] = read_entry(key)
            if objects[name] is None:
                return False
        if objects:
            begin = time.perf_counter()
            found = _link(list(objects.values()), list(objects))
            for name in objects:
                _addresses[name], _keys[name] = (None, found[name]), keys[name]
            _statistics["cache_hits"] += len(objects)
            _statistics["load_seconds"] += time.perf_counter() - begin
        return True


def target_text():
    """All that decides the machine code besides the IR: the CPU, and the versions of LLVM."""
    return _target_text()


def compile_module(name, text, symbols):
    """Compiles one module and returns the addresses of the functions named in `symbols`."""
    with _lock:
        found = _build({name: (text, tuple(symbols))})
    return {symbol: found[symbol] for symbol in symbols}


def assembly(text):
    """The assembly listing that a kernel's IR text becomes, for `explain` and for tests."""
    return _Compiler.of_this_thread().compile(text, assembly=True)


def _build(modules):
    """{symbol: address} of modules given as {name: (text, symbols)}; `_lock` is held."""
    begin = time.perf_counter()
    target = _target_text()
    keys = {name: entry_key(text, target) for name, (text, _) in modules.items()}
    _keys.update(keys)
    objects = {name: read_entry(key) for name, key in keys.items()}
    absent = [name for name in modules if objects[name] is None]
    _statistics["cache_hits"] += len(modules) - len(absent)
    waited = 0.0
    if absent:
        started = time.perf_counter()
        objects.update(_compile_all({name: modules[name][0] for name in absent}))
        waited = time.perf_counter() - started
        for name in absent:
            write_entry(keys[name], objects[name])
    symbols = [symbol for _, names in modules.values() for symbol in names]
    found = _link(list(objects.values()), symbols)
    _statistics["load_seconds"] += time.perf_counter() - begin - waited
    return found


def _compile_all(texts):
    """{name: object code} of {name: IR text}, in as many threads as there are cores."""
    threads = min(len(texts), _cpu.usable_cores())
    results, errors = {}, []
    # the largest first, so that no thread is left with a long one at the end
    queue = sorted(texts, key=lambda name: -len(texts[name]))
    queue.reverse()

    def work():
        compiler = _Compiler.of_this_thread()
        with contextlib.suppress(IndexError):
            while not errors:
                name = queue.pop()
                try:
                    begin = time.perf_counter()
                    results[name] = compiler.compile(texts[name])
                    _statistics["compile_seconds"] += time.perf_counter() - begin
                    _statistics["compiled"] += 1
                except Exception as error:
                    errors.append((name, error))

    others = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    if errors:
        name, error = errors[0]
        raise RuntimeError(f"kernel {name!r} could not be compiled: {error}") from error
    return results


def _link(objects, symbols):
    """Puts object code into memory and returns the addresses of the symbols in it."""
    import llvmlite.binding as llvm

    _initialize()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
    for data in objects:
        engine.add_object_file(llvm.ObjectFileRef.from_data(data))
    engine.finalize_object()
    _engines.append(engine)
    return {symbol: engine.get_function_address(symbol) for symbol in symbols}


# ---- the target ---------------------------------------------------------------------------------


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
def _target_text():
    """All that decides the machine code besides the IR."""
    import llvmlite
    import llvmlite.binding as llvm

    version = ".".join(map(str, llvm.llvm_version_info))
    return "\n".join([_CACHE_VERSION, llvm.get_process_triple(), _cpu.name(), _cpu.features(),
                      llvmlite.__version__, version])


class _Compiler:
    """A target machine and pass builder of one thread."""

    _local = threading.local()

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

    @classmethod
    def of_this_thread(cls):
        """This thread's compiler; a forked child inherits its own, which no other thread used."""
        compiler = getattr(cls._local, "compiler", None)
        if compiler is None:
            compiler = cls._local.compiler = cls()
        return compiler

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


# a fork waits until nothing is being compiled, so that the child finds LLVM's state whole
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release,
                        after_in_child=_lock.release)
