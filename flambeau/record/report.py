"""What was compiled, and why: for people who wonder where the time goes.

``flambeau.compilations()`` lists every program that was made native; the environment variable
``FLAMBEAU_EXPLAIN=1`` prints each as it happens.
"""

from __future__ import annotations

from dataclasses import dataclass

from .execute import programs

__all__ = ["Compilation", "compilations", "program_count", "summary"]


@dataclass(frozen=True)
class Compilation:
    """One program that was compiled.

    reason: the first event in which it differs from the programs known before, with the user's
    line; new, old and site are its parts. kernels: how many kernels it runs, of which `compiled`
    were made for it and `cached` taken from the cache. runs and seconds: what it did since.
    """

    number: int
    reason: str
    new: str
    old: str
    site: tuple[str, int] | None
    kernels: int
    compiled: int
    cached: int
    compile_seconds: float
    runs: int
    run_seconds: float

    def __str__(self) -> str:
        return (f"program {self.number}: {self.kernels} kernels ({self.compiled} compiled, "
                f"{self.cached} from the cache) in {self.compile_seconds * 1e3:.0f} ms, "
                f"{self.runs} runs; {self.reason}")


def compilations() -> list[Compilation]:
    """Every compiled program, in the order of first runs.

    >>> import flambeau as torch
    >>> for _ in range(3):
    ...     total = (torch.ones(4096) * 2).sum().item()
    >>> any(c.runs >= 2 for c in torch.compilations())
    True
    """
    found = []
    for number, program in enumerate(programs):
        executable = program.executable
        if executable is None:
            continue
        new, old, site = program.difference
        place = site or None
        found.append(Compilation(
            number, program.reason, new, old, place, len(executable.kernels), executable.compiled,
            executable.cached, program.compile_seconds, program.runs, program.seconds))
    return found


def program_count() -> int:
    """How many different programs have run, interpreted or compiled."""
    return len(programs)


def summary() -> str:
    """Two lines: what was compiled, and what the hottest program costs a run."""
    made = compilations()
    kernels = sum(c.compiled + c.cached for c in made)
    spent = sum(c.compile_seconds for c in made)
    lines = [f"compiled {len(made)} of {len(programs)} programs: {kernels} kernels "
             f"({sum(c.cached for c in made)} from the cache) in {spent:.2f} s"]
    if made:
        hottest = max(made, key=lambda c: c.run_seconds)
        each = (hottest.run_seconds - hottest.compile_seconds) / max(1, hottest.runs)
        lines.append(f"the hottest program ran {hottest.runs} times, {each * 1e3:.2f} ms a step")
    return "\n".join(lines)
