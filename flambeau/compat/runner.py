"""Runs a program as ``python`` would, with the import alias in place.

The program becomes ``__main__``: with its own ``__file__``, arguments and folder on the path.
Processes that it spawns get the alias too, through ``child_main``.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
import types

from . import alias

__all__ = ["ENVIRONMENT", "execute", "run"]

ENVIRONMENT = "FLAMBEAU_MAIN"          # tells spawned processes what the main program is
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# Errors of these kinds come from what the program asked for; others may be Flambeau's own fault,
# and then its frames are what a report needs.
_USER_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError, ImportError,
                KeyboardInterrupt)


def run(kind: str, target: str, arguments: list[str]) -> int:
    """Run a program; its exit status.

    kind: "script" (target is a path), "module" (a dotted name) or "code" (program text).
    """
    alias.install()
    os.environ[ENVIRONMENT] = f"{kind}:{os.path.abspath(target) if kind == 'script' else target}"
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    # spawned processes run the module of this name as their main program
    main.__spec__ = importlib.machinery.ModuleSpec("flambeau.compat.child_main", None)
    sys.modules["__main__"] = main
    try:
        if kind == "script" and not os.path.exists(target):
            print(f"flambeau: can't open file '{target}': no such file. Commands: demo, info, "
                  "cache clear; or a script, -m MODULE, -c CODE (see flambeau --help)",
                  file=sys.stderr)
            return 2
        sys.argv[:] = [{"script": target, "module": target, "code": "-c"}[kind], *arguments]
        execute(kind, target, main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        trim(error)
        sys.excepthook(type(error), error, error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def execute(kind: str, target: str, namespace: dict) -> None:
    """Run program text in `namespace`, as the main program."""
    if kind == "code":
        sys.path[:1] = [""]
        text, path = target, "<string>"
    elif kind == "module":
        path = _module_path(target)
        sys.path[:1] = [os.getcwd()]
        namespace["__package__"] = target if path.endswith("__main__.py") else (
            target.rpartition(".")[0])
        sys.argv[0] = path
    else:
        sys.argv[0] = target
        if os.path.isdir(target):
            target = os.path.join(target, "__main__.py")
        path = target
        sys.path[:1] = [os.path.dirname(os.path.abspath(target))]
    if kind != "code":
        namespace["__file__"] = path
        import io
        with io.open_code(os.path.abspath(path)) as file:
            text = file.read()  # type: ignore[assignment]
    exec(compile(text, path, "exec"), namespace)


def _module_path(name: str) -> str:
    import importlib.util
    sys.path[:1] = [os.getcwd()]
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(name + ".__main__")
    if spec is None or not spec.origin:
        raise ImportError(f"No module named {name}")
    return spec.origin


# ---- tracebacks ------------------------------------------------------------


def trim(error: BaseException) -> None:
    """Drop Flambeau's frames from the tracebacks of an error and of its causes."""
    if os.environ.get("FLAMBEAU_TRACEBACK") == "full":
        return
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = []
        tb = current.__traceback__
        while tb is not None:
            frames.append(tb)
            tb = tb.tb_next
        first = 0
        while first < len(frames) and _is_ours(frames[first]):
            first += 1
        kept = frames[first:]
        if isinstance(current, _USER_ERRORS):
            kept = [f for f in kept if not _is_ours(f)] or kept
        for left, right in zip(kept, kept[1:] + [None]):
            left.tb_next = right
        if kept:
            current.__traceback__ = kept[0]
        current = current.__cause__ or (None if current.__suppress_context__
                                        else current.__context__)


def _is_ours(tb: types.TracebackType) -> bool:
    code = tb.tb_frame.f_code
    name = code.co_filename
    generated = name == "<string>" and "_declaration" in tb.tb_frame.f_globals
    return generated or name.startswith(_PACKAGE) or "importlib._bootstrap" in name
