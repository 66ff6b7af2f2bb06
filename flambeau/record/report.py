"""What was compiled, and why: for people who wonder where the time goes.

``flambeau.compilations()`` lists every program that was made native; the environment variable
``FLAMBEAU_EXPLAIN=1`` prints each as it happens.
"""

from __future__ import annotations

from dataclasses import dataclass

from .execute import Program, programs

__all__ = ["Compilation", "compilations", "forget_programs", "program_count", "summary"]


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
    return [*_forgotten, *map(_record, _compiled())]


_forgotten: list[Compilation] = []
_forgotten_count = 0


def _compiled() -> list[Program]:
    return [program for program in programs if program.executable is not None]


def _record(program: Program) -> Compilation:
    new, old, site = program.difference
    executable = program.executable
    return Compilation(
        program.number, program.reason, new, old, site or None, len(executable.kernels),
        executable.compiled, executable.cached, program.compile_seconds, program.runs,
        program.seconds)


def forget_programs() -> None:
    """Let all programs go; what was compiled is still told of."""
    global _forgotten_count
    _forgotten.extend(map(_record, _compiled()))
    _forgotten_count += len(programs)
    programs.clear()


def program_count() -> int:
    """How many different programs have run, interpreted or compiled."""
    return _forgotten_count + len(programs)


def summary() -> str:
    """Two lines: what was compiled, and what the hottest program costs a run."""
    made = compilations()
    kernels = sum(c.compiled + c.cached for c in made)
    spent = sum(c.compile_seconds for c in made)
    lines = [f"compiled {len(made)} of {program_count()} programs: {kernels} kernels "
             f"({sum(c.cached for c in made)} from the cache) in {spent:.2f} s"]
    if made:
        hottest = max(made, key=lambda c: c.run_seconds)
        each = (hottest.run_seconds - hottest.compile_seconds) / max(1, hottest.runs)
        lines.append(f"the hottest program ran {hottest.runs} times, {each * 1e3:.2f} ms a step")
    return "\n".join(lines)
