"""The command ``flambeau`` (or ``python -m flambeau``)."""

from __future__ import annotations

import sys

__all__ = ["main"]

_USAGE = """\
usage: flambeau SCRIPT [argument ...]      run a PyTorch program; torch means Flambeau
       flambeau -m MODULE [argument ...]   the same for a module
       flambeau -c CODE [argument ...]     the same for program text
       flambeau - [argument ...]           the same for program text from the standard input
       flambeau --explain[=FILE] SCRIPT    and say where time and memory went (FILE.html: a page)
       flambeau demo [option ...]          train a network on Fashion-MNIST (demo --help)
       flambeau info                       version, processor, threads, cache
       flambeau cache clear                remove all compiled code
       flambeau --version | --help

environment: FLAMBEAU_EXPLAIN=1 tells what is compiled and why; FLAMBEAU_TRACEBACK=full keeps
Flambeau's own frames in tracebacks."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; its exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE)
        return 0 if arguments else 2
    first, rest = arguments[0], arguments[1:]
    if first == "--version":
        from . import __version__
        print(f"flambeau {__version__}")
        return 0
    if first == "demo":
        from .demo import main as demo
        return demo(rest)
    if first == "info":
        from ._info import print_info
        return print_info(rest)
    if first == "cache":
        from ._info import cache_command
        return cache_command(rest)
    if first == "--explain" or first.startswith("--explain="):
        return _explained(first.partition("=")[2], rest)
    from .compat.runner import run
    if first in ("-m", "-c"):
        if not rest:
            print(f"flambeau: argument expected for {first}\n{_USAGE}", file=sys.stderr)
            return 2
        return run("module" if first == "-m" else "code", rest[0], rest[1:])
    if first == "-":
        return run("stdin", first, rest)
    if first.startswith("-"):
        print(f"flambeau: unknown option {first}\n{_USAGE}", file=sys.stderr)
        return 2
    return run("script", first, rest)


def _explained(path: str, arguments: list[str]) -> int:
    """Run a program inside ``explain()``; the report goes to stderr, and to the file if given."""
    if not arguments or arguments[0].startswith("--"):
        print(f"flambeau: --explain needs a program to run\n{_USAGE}", file=sys.stderr)
        return 2
    from ._explain import explain
    report = explain()
    report.title = arguments[0]
    status = 1
    try:
        with report:
            try:
                status = main(arguments)
            except SystemExit as left:
                status = left.code if isinstance(left.code, int) else int(left.code is not None)
    finally:
        if report.summary is not None:
            print(report, file=sys.stderr)
            if path:
                report.save(path)
    return status


if __name__ == "__main__":
    sys.exit(main())
