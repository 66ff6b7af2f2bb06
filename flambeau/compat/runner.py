"""Runs a program as ``python`` would, with the import alias in place.

The program becomes ``__main__``: with its own ``__file__``, arguments and folder on the path.
Processes that it spawns get the alias too, through ``child_main``.
"""

from __future__ import annotations

import importlib.machinery
import io
import os
import sys
import types

from . import alias
from .tracebacks import trim, trim_in_threads

__all__ = ["ENVIRONMENT", "execute", "run"]

ENVIRONMENT = "FLAMBEAU_MAIN"          # tells spawned processes what the main program is
_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class _MainSpec(importlib.machinery.ModuleSpec):
    """The main program's spec: spawned processes run the module of its name as their main."""

    def __init__(self, package: str) -> None:
        super().__init__("flambeau.compat.child_main", None)
        self._package = package

    @property
    def parent(self) -> str:
        """The package that relative imports of the program refer to."""
        return self._package


def run(kind: str, target: str, arguments: list[str]) -> int:
    """Run a program; its exit status.

    kind: "script" (target is a path), "module" (a dotted name), "code" (program text) or
    "stdin" (target is not used).

    Raises:
        KeyboardInterrupt: the program was interrupted; its traceback is printed already.
        SystemExit: what the program left by.
    """
    alias.install()
    if _HOME not in map(os.path.abspath, sys.path[1:]):
        sys.path.append(_HOME)             # a checkout: spawned processes have to find it, too
    os.environ[ENVIRONMENT] = f"{kind}:{os.path.abspath(target) if kind == 'script' else target}"
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    trim_in_threads()
    try:
        problem, status = _cannot_run(kind, target)
        if problem:
            print(f"flambeau: {problem}", file=sys.stderr)
            return status
        sys.argv[:] = [{"code": "-c", "stdin": "-"}.get(kind, target), *arguments]
        execute(kind, target, main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        trim(error)
        sys.excepthook(type(error), error, error.__traceback__)
        if isinstance(error, KeyboardInterrupt):
            # Python ends by the signal, so that a shell's loop over programs stops, too.
            sys.excepthook = lambda *printed: None
            raise
        return 1
    return 0


def _cannot_run(kind: str, target: str) -> tuple[str, int]:
    """What keeps a program from being run, or nothing, and Python's exit status for it."""
    if kind == "module" and _module_path(target) is None:
        return f"No module named {target}", 1
    if kind != "script":
        return "", 0
    if not os.path.exists(target):
        return (f"can't open file '{target}': no such file. Commands: demo, info, cache clear; "
                "or a script, -m MODULE, -c CODE (see flambeau --help)"), 2
    if os.path.isdir(target) and not os.path.exists(os.path.join(target, "__main__.py")):
        return f"can't find '__main__' module in '{target}'", 1
    return "", 0


def execute(kind: str, target: str, namespace: dict) -> None:
    """Run program text in `namespace`, as the main program."""
    text: str | bytes
    package: str | None = None
    if kind == "code":
        text, path, folder = target, "<string>", ""
    elif kind == "stdin":
        text, path, folder = sys.stdin.buffer.read(), "<stdin>", ""
    elif kind == "module":
        path, folder = _module_path(target) or target, os.getcwd()
        is_package = os.path.basename(path) == "__main__.py"
        package = target if is_package else target.rpartition(".")[0]
        sys.argv[0] = path
    else:
        if os.path.isdir(target):
            target = os.path.join(target, "__main__.py")
            package = ""
        path = os.path.abspath(target)
        folder = os.path.dirname(os.path.realpath(path))
    if not getattr(sys.flags, "safe_path", False):
        sys.path[:1] = [folder]
    namespace.update(__package__=package, __spec__=_MainSpec(package or ""))
    if not path.startswith("<"):
        with io.open_code(path) as file:
            text = file.read()
        namespace.update(__file__=path, __cached__=None)
        namespace["__loader__"] = importlib.machinery.SourceFileLoader("__main__", path)
    # dont_inherit: the future statements of this file are not the program's
    exec(compile(text, path, "exec", dont_inherit=True), namespace)


def _module_path(name: str) -> str | None:
    import importlib.util
    if not getattr(sys.flags, "safe_path", False):
        sys.path[:1] = [os.getcwd()]
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(name + ".__main__")
    except ModuleNotFoundError as error:
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise
        return None
    return spec.origin if spec is not None else None
