"""The same PyTorch-API scripts under Flambeau and under PyTorch, in turn, in fresh processes.

    python benchmarks/compare.py --all              # every row
    python benchmarks/compare.py --only gpt sgemm   # some: names of rows or of groups of rows
    python benchmarks/compare.py --all --quick      # fewer steps and rounds
    python benchmarks/compare.py --list             # names and groups

Each round runs every library once, so that what else the machine does hits both alike; shown are
medians over the rounds and the ratio Flambeau / PyTorch: below 1, Flambeau is faster. Both have two
threads on the same two cores. PyTorch is given its fastest mode: eager, channels_last for networks
with convolutions, torch.compile. Which it is, is tried once for each network and remembered in
~/.cache/flambeau-benchmarks (--try-modes tries again); modes within 15 % of the fastest take
part in every round. With --quick, torch.compile takes part only where it was tried before.
A virtual machine may run at half its speed for minutes: a process that ran in such a time is run
again, of whichever library it is (--patience).
"""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time

from suite import modes
from suite.measures import MEASURES
from suite.processes import Session, has_compiler, limit_processors
from suite.rows import ROWS, chosen_rows
from suite.table import heading, line, loss_lines, reached, record


def arguments(given=None):
    """The command line's options, with `rows` to measure."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every row")
    parser.add_argument("--unseen", action="store_true",
                        help="training steps at sizes that nobody tuned for (part of --all)")
    parser.add_argument("--only", nargs="+", default=[], metavar="ROW",
                        help="names of rows or groups")
    parser.add_argument("--list", action="store_true", help="print the names of rows and groups")
    parser.add_argument("--quick", action="store_true", help="fewer steps and rounds")
    parser.add_argument("--rounds", type=int,
                        help="processes a library (3, of large networks 2; with --quick 1)")
    parser.add_argument("--patience", type=float, metavar="SECONDS",
                        help="how long in all to wait, and to measure again what was measured, "
                             "while the machine runs below its own speed (600; with --quick 0)")
    parser.add_argument("--threads", type=int, default=2, help="threads of both libraries (2)")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--compile-all", action="store_true",
                        help="try torch.compile for the ResNets and the LSTM too (minutes)")
    parser.add_argument("--try-modes", action="store_true",
                        help="forget which of PyTorch's modes were the fastest")
    parser.add_argument("--data", default="data", help="folder of Fashion-MNIST")
    parser.add_argument("--torch-python", default=sys.executable,
                        help="the interpreter that has PyTorch")
    parser.add_argument("--json", metavar="FILE", help="write the results to a file as well")
    found = parser.parse_args(given)
    names = [*found.only, *(["unseen"] if found.unseen else [])]
    if not (names or found.all or found.list):
        parser.error("give --all, --unseen or --only ROW")
    try:
        found.rows = ROWS if found.all else chosen_rows(names)
    except ValueError as error:
        parser.error(str(error))
    if found.patience is None:
        found.patience = 0 if found.quick else 600
    found.rounds = found.rounds or (1 if found.quick else 3)
    return found


def machine():
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(text.partition(":")[2].strip() for text in file
                        if text.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def compare(session):
    """Measure and print the rows; the pairs (row, measurement)."""
    measured_rows = []
    for row in session.options.rows:
        measured = MEASURES[row.measure](session, row)
        measured_rows.append((row, measured))
        print(line(row, measured), flush=True)
    return measured_rows


def main():
    options = arguments()
    if options.list:
        for row in ROWS:
            print(f"{row.name:<20} {row.group:<10} {row.title}")
        return 0
    limit_processors(options.threads)
    if options.try_modes:
        modes.forget()
    session = Session(options, options.patience)
    begin = time.perf_counter()
    print(f"PyTorch {session.torch or 'is not installed'}, NumPy "
          f"{importlib.metadata.version('numpy')}, Python {platform.python_version()}, "
          f"{machine()}, {options.threads} threads, rounds: {options.rounds}")
    if session.torch and not has_compiler():
        print("torch.compile is left out: there is no C++ compiler")
    print(f"\n{heading()}", flush=True)
    try:
        measured_rows = compare(session)
    finally:
        session.close()
    if lines := loss_lines(measured_rows):
        print("\nThe libraries' results (allowed is 1e-3 of the loss):", *lines, sep="\n  ")
    if notes := [*session.notes, *session.speed.notes()]:
        print("\nNotes:", *notes, sep="\n  ")
    verdicts = [reached(row, measured) for row, measured in measured_rows]
    print(f"\n{verdicts.count(True)} of {len(verdicts)} reached, "
          f"{time.perf_counter() - begin:.0f} s")
    if options.json:
        temporary = f"{options.json}.{os.getpid()}"
        with open(temporary, "w") as file:
            json.dump([record(*pair) for pair in measured_rows], file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
