"""`lab prove --flakes N`: the reference again and again; whatever fails then is the checks' own fault."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from labkit import guard, report
from labkit.checks import Outcome
from labkit.errors import LabError
from labkit.proof import page, side_by_side, tally
from labkit.proof.grading import grade
from labkit.proof.record import Keys
from labkit.proof.tally import Tally
from labkit.report import Report

_RUN_S = 900.0
_KEPT = Path(".lab", "flakes")
_AT_ONCE = 3
"""How many runs under load are done at once."""
_TELL_EVERY = 20
"""After so many runs comes a line, where no bar can be shown."""


@dataclass(frozen=True)
class Run:
    """One repetition: in which order, in how many processes, and whether the machine is busy meanwhile."""

    number: int

    @property
    def under_load(self) -> bool:
        return self.number % 2 == 0

    @property
    def processes(self) -> int:
        return 2 if self.number % 4 in (0, 3) else 0

    def __str__(self) -> str:
        load = "under load" if self.under_load else "undisturbed"
        return f"run {self.number} (order {self.number}, -n {self.processes}, {load})"


def run(root: Path, labs: Sequence[str], times: int) -> int:
    """Grade the reference `times` times on `labs`, each time in another order, half of the runs under load;
    0 if nothing failed. Every run is counted in docs/flakes.json as soon as it is over, and the reports of
    runs that failed are kept."""
    out = Console(highlight=False, markup=False, soft_wrap=True)
    first = tally.runs(root, _together(labs)) + 1
    over: list[bool] = []
    verdicts, started = 0, time.monotonic()
    try:
        with side_by_side.bar(out, "repeating") as progress:
            bar = progress.add_task("", total=times)
            for group in _groups([Run(number) for number in range(first, first + times)]):
                states = _states(root, labs)
                for one, outcome in _at_once(root, labs, group):
                    problems, seen = _count(root, labs, one, outcome, states, out)
                    over.append(bool(problems))
                    verdicts += seen
                    progress.update(bar, advance=1)
                    if not out.is_terminal and len(over) % _TELL_EVERY == 0:
                        out.print(f"- {len(over)} of {times} runs, {sum(over)} with a false failure")
    finally:
        if over:
            told = _summary(len(over), sum(over), verdicts, time.monotonic() - started)
            out.print(told, style="red" if any(over) else "green")
        page.refresh(root)
    return int(any(over))


def _groups(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """What is done at once: each undisturbed run by itself, and those under load together, each of which is
    the others' load."""
    for start in range(0, len(runs), 2 * _AT_ONCE):
        part = runs[start : start + 2 * _AT_ONCE]
        yield from ([one] for one in part if not one.under_load)
        if loaded := [one for one in part if one.under_load]:
            yield loaded


def _at_once(
    root: Path, labs: Sequence[str], group: Sequence[Run]
) -> Iterator[tuple[Run, Report | LabError]]:
    """Each run and its report, or why there is none, as soon as it is over. Where load is wanted, each core
    has something to do besides a run."""

    def work(one: Run) -> Report | LabError:
        try:
            return _grade(root, labs, one)
        except LabError as error:
            return error

    missing = (os.cpu_count() or 1) + 1 - len(group) if group[0].under_load else 0
    with _load(missing):
        yield from side_by_side.each(work, group, len(group))


def _count(
    root: Path,
    labs: Sequence[str],
    one: Run,
    outcome: Report | LabError,
    states: Mapping[str, str],
    out: Console,
) -> tuple[list[str], int]:
    """The checks that failed in one run, and how many there were. LabError, which counts as a failure, if
    there was no report."""
    changed = _states(root, labs) != states
    if isinstance(outcome, LabError):
        if not changed:
            for lab, state in states.items():
                tally.add(root, _kind(lab, state, one), 0, [])
        raise outcome
    problems = [*outcome.verdicts(Outcome.FAILED), *outcome.verdicts(Outcome.ERROR)]
    for verdict in problems:
        out.print(f"✗ {one}: {verdict.id}: expected {verdict.expected}, saw {verdict.saw}", style="red")
    if problems:
        _keep(root, labs, one, outcome, out)
    failed = [verdict.id for verdict in problems]
    if changed:
        out.print(f"- {one} is not counted: the checks or the reference have been changed meanwhile.")
        return failed, len(outcome.verdicts())
    for lab, state in states.items():
        of_lab = [v.id for v in outcome.verdicts() if lab in (v.lab, tally.TOGETHER)]
        tally.add(
            root, _kind(lab, state, one), len(of_lab), [name for name in failed if name in of_lab] or None
        )
    return failed, len(outcome.verdicts())


def _states(root: Path, labs: Sequence[str]) -> dict[str, str]:
    """What is counted, each lab and all together, and what stands for the checks and the reference as they
    are now."""
    keys = Keys(root)
    together = {tally.TOGETHER: keys.of_labs(labs)} if len(labs) > 1 else {}
    return {**{lab: keys.of_labs([lab]) for lab in labs}, **together}


def _together(labs: Sequence[str]) -> str:
    return tally.TOGETHER if len(labs) > 1 else labs[0]


def _kind(lab: str, state: str, one: Run) -> Tally:
    return Tally(lab, state, one.processes, one.under_load)


def _summary(times: int, failed: int, verdicts: int, seconds: float) -> str:
    spent = f"{times} runs, {verdicts:,} verdicts, {seconds / 60:.0f} min, {seconds / times:.1f} s a run"
    if failed:
        return f"{spent}: {failed} runs with a false failure ({failed / times:.1%})."
    return (
        f"{spent}: no false failure. With 95 % certainty fewer than {min(3 / times, 1):.1%} of runs "
        f"have one, and fewer than {3 / max(verdicts, 1):.3%} of verdicts are one."
    )


def _grade(root: Path, labs: Sequence[str], one: Run) -> Report:
    options = ["--random-order", f"--random-order-seed={one.number}"]
    options += ["-n", str(one.processes)] if one.processes else []
    with tempfile.TemporaryDirectory(prefix="lab-flakes-") as scratch:
        try:
            outcome, told = grade(root, labs, Path(scratch, "report.json"), _RUN_S, *options)
        except LabError as error:
            raise LabError(f"{one}: {error}") from None
    if told:
        raise LabError(f"{one}: {told[0]}")
    return outcome


def _keep(root: Path, labs: Sequence[str], one: Run, outcome: Report, out: Console) -> None:
    folder = root / _KEPT
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{_together(labs).replace(' ', '-')}-run-{one.number:04}.json"
    report.save(outcome, file)
    out.print(f"    the whole report: {file.relative_to(root)}")


@contextlib.contextmanager
def _load(processes: int) -> Iterator[None]:
    """Keep as many cores busy for the length of the block."""
    burning = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(processes)
    ]
    for process in burning:
        guard.watch(process.pid)
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()
            guard.forget(process.pid)
