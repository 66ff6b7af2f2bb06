"""How the time of a training step grows with batch size, depth and threads, in both libraries.

    python benchmarks/scaling.py                          # all sweeps, as a table
    python benchmarks/scaling.py --only mlp-batch threads # some
    python benchmarks/scaling.py --plot scaling.svg       # and as a picture, with matplotlib

The steps are those of `compare.py`, each point from fresh processes in turn, PyTorch in plain mode.
"""

import argparse
import json
import os
import sys

from suite.measures import median_of
from suite.processes import Session, limit_processors
from suite.sweeps import SWEEPS, plot, point_line, table

SECONDS = 1.5       # of steps for each point and library


def arguments(given=None):
    """The command line's options, with `sweeps` to measure."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="SWEEP", default=[],
                        help=f"names or kinds of {', '.join(SWEEPS)}")
    parser.add_argument("--rounds", type=int, default=1, help="processes for each point (1)")
    parser.add_argument("--threads", type=int, default=2, help="threads, where they are no sweep")
    parser.add_argument("--largest", type=int, help="leave larger values of the sweeps out")
    parser.add_argument("--torch-python", default=sys.executable,
                        help="the interpreter that has PyTorch")
    parser.add_argument("--plot", metavar="FILE", help="draw the curves (.png or .svg)")
    parser.add_argument("--json", metavar="FILE", help="write the results to a file as well")
    found = parser.parse_args(given)
    found.data = ""
    found.sweeps = {name: sweep for name, sweep in SWEEPS.items()
                    if not found.only or {name, sweep.varies} & set(found.only)}
    if not found.sweeps:
        parser.error(f"no sweep is called {' or '.join(found.only)}")
    return found


def measure(session, sweep, value):
    """Seconds of a step by library at one value of a sweep."""
    usual = session.options.threads
    times = {library: [] for library in session.libraries}
    try:
        if sweep.varies == "threads":
            session.options.threads = value
            sizes = ()
        else:
            sizes = (f"--{sweep.varies}", value)
        for _ in range(session.options.rounds):
            for library, results in times.items():
                results.append(session.run(library, sweep.script, *sizes, "--steps", 200,
                                           "--seconds", SECONDS, "--warmup", 2))
    finally:
        session.options.threads = usual
    return {library: median_of(results, "step_s") for library, results in times.items()}


def main():
    options = arguments()
    limit_processors(options.threads)
    session = Session(options)
    found = {}
    for name, sweep in options.sweeps.items():
        points = found[name] = {}
        print(*table(sweep), sep="\n", flush=True)
        for value in sweep.values:
            if options.largest is None or value <= options.largest:
                points[value] = measure(session, sweep, value)
                print(point_line(value, points), flush=True)
        print()
    print(*session.notes, sep="\n")
    if options.json:
        temporary = f"{options.json}.{os.getpid()}"
        with open(temporary, "w") as file:
            json.dump(found, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, options.json)
    if options.plot and not plot(found, options.plot):
        print("no picture: matplotlib is not installed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
