"""IR text to machine code: `compile_kernels([(name, ir_text), ...])` gives their addresses.

A kernel is compiled once per machine: its object code lies in the cache on disk, keyed by the text,
the CPU with its features, and the versions of LLVM and of `_llvm`. The kernels of one request
that are not there are compiled in parallel (`_compile_queue`), then all of them are linked.
"""

import os
import threading
import time

from flambeau.runtime._cache import entry_key, read_entry
from flambeau.runtime._compile_queue import ahead, compiler, finish
from flambeau.runtime._llvm import link, target_text

__all__ = ["assembly", "compile_ahead", "compile_kernels", "compile_module", "kernel_keys",
           "load_kernels", "statistics", "target_text"]

_lock = threading.RLock()
_addresses = {}  # kernel name -> (hash of its text or None, address)
_keys = {}  # kernel name -> the key of its entry in the cache
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
                if known[0] is not None or _keys[name] != entry_key(text, target_text()):
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
            found = link(list(objects.values()), list(objects))
            for name in objects:
                _addresses[name], _keys[name] = (None, found[name]), keys[name]
            _statistics["cache_hits"] += len(objects)
            _statistics["load_seconds"] += time.perf_counter() - begin
        return True


def compile_ahead(name, text):
    """Begins to compile a kernel that `compile_kernels` will be asked for, on another core."""
    if name not in _addresses:
        ahead(text)


def compile_module(name, text, symbols):
    """Compiles one module and returns the addresses of the functions named in `symbols`."""
    with _lock:
        found = _build({name: (text, tuple(symbols))})
    return {symbol: found[symbol] for symbol in symbols}


def assembly(text):
    """The assembly listing that a kernel's IR text becomes, for `explain` and for tests."""
    with compiler() as own:
        return own.compile(text, assembly=True)


def _build(modules):
    """{symbol: address} of modules given as {name: (text, symbols)}; `_lock` is held."""
    begin = time.perf_counter()
    built = finish({name: text for name, (text, _) in modules.items()})
    linking = time.perf_counter()
    compiled = [seconds for _, _, seconds in built.values() if seconds is not None]
    _keys.update((name, key) for name, (key, _, _) in built.items())
    symbols = [symbol for _, names in modules.values() for symbol in names]
    found = link([data for _, data, _ in built.values()], symbols)
    _statistics["compiled"] += len(compiled)
    _statistics["compile_seconds"] += sum(compiled)
    _statistics["cache_hits"] += len(built) - len(compiled)
    _statistics["load_seconds"] += time.perf_counter() - (linking if compiled else begin)
    return found


# a fork waits until nothing is being compiled, so that the child finds LLVM's state whole
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release,
                        after_in_child=_lock.release)
