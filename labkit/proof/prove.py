"""`lab prove`: runs the checks against every specimen and compares verdicts with what is known beforehand."""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from labkit import manifest
from labkit.checks import Outcome
from labkit.errors import LabError, UsageError
from labkit.proof import calibration, feedback, hostile, page, record, side_by_side, specimens, warm
from labkit.proof.grading import grade
from labkit.proof.record import Seen
from labkit.proof.specimens import Specimen
from labkit.report import Report, Verdict

_RUN_S = 600.0


@dataclass(frozen=True)
class Finding:
    """How one specimen fared. `problems` are sentences that name the file and the remedy; none: as
    expected. `report` is what a student would read; None if the checks came to none. `beyond` are checks of
    later labs that fail on it as well, where one has looked; `warnings` are sentences about verdicts that
    hang on a deadline."""

    specimen: Specimen
    failed: frozenset[str]
    duration_s: float
    problems: tuple[str, ...]
    report: Report | None
    beyond: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Extent:
    """How far one goes with a wrong specimen: with `beyond` it is run on all labs from its own on, not on
    that alone, to see what else notices it; with `doubled` the checks that waited in vain are run again with
    twice the patience, to see whether their verdict hangs on it; `cold`, its programs start as everybody's
    do, and not warm."""

    beyond: bool = False
    doubled: bool = False
    cold: bool = False


def run(
    root: Path,
    names: Sequence[str],
    processes: int,
    every: int = 1,
    *,
    resume: bool = False,
    note: bool = False,
    extent: Extent = Extent(),
) -> int:
    """Prove all specimens, or those that match one of `names` (shell patterns); 0 if all is as expected.

    Of the wrong and the hostile ones every `every`-th is taken: 1 for the whole proof, more for a slice of
    it. With `resume`, what is on record with nothing changed since is left out; with `note`, what is seen
    goes on record.
    """
    known, broken = specimens.load(root)
    chosen = _sample(_choose(known, names, broken), every)
    out = Console(highlight=False, markup=False, soft_wrap=True)
    for problem in broken:
        out.print(f"✗ {problem}", style="red")
    chosen = _leave_out_those_in_need(chosen, out)
    notes = _Notes(root, known, chosen) if resume or note else None
    todo = [specimen for specimen in chosen if not (resume and notes and notes.holds(specimen))]
    started = time.monotonic()
    found = _examine(root, todo, processes, out, notes if note else None, extent)
    took = (time.monotonic() - started) / 60
    problems = len(broken) + sum(len(finding.problems) for finding in found)
    if not names and every == 1:
        problems += _unkilled(root, chosen, out)
    if notes and note:
        notes.close()
    before = f"{len(chosen) - len(todo)} on record, " if resume else ""
    out.print(f"\n{took:.1f} min, {processes} side by side.")
    out.print(
        f"{before}{len(found)} specimens, {problems} problems.",
        style="bold red" if problems else "bold green",
    )
    return int(problems > 0)


class _Notes:
    """The record and the feedback, in writing: kept after every specimen, so that a run that is broken off
    loses nothing. The keys are those of the beginning: what is changed meanwhile is proved again."""

    def __init__(self, root: Path, known: Sequence[Specimen], chosen: Sequence[Specimen]) -> None:
        self.root = root
        self.known = known
        self.seen = record.load(root)
        keys = record.Keys(root)
        self.keys = {specimen.name: keys.key(specimen) for specimen in chosen}

    def holds(self, specimen: Specimen) -> bool:
        """Whether what is on record is still what one would see."""
        seen = self.seen.get(specimen.name)
        if seen is None or seen.key != self.keys[specimen.name]:
            return False
        return not _is_wrong(specimen) or feedback.path(self.root, specimen.name).exists()

    def add(self, finding: Finding) -> None:
        specimen = finding.specimen
        self.seen.pop(specimen.name, None)
        if finding.problems or not finding.report:
            feedback.forget(self.root, specimen.name)
        else:
            failed = tuple(sorted(finding.failed))
            self.seen[specimen.name] = Seen(self.keys[specimen.name], failed, round(finding.duration_s, 1))
            if _is_wrong(specimen):
                feedback.write(self.root, specimen.name, finding.report)
        record.save(self.root, self.seen)

    def close(self) -> None:
        """Forget specimens that are no longer there, bring the questions up to date, and write the page."""
        names = {specimen.name for specimen in self.known}
        self.seen = {name: seen for name, seen in self.seen.items() if name in names}
        record.save(self.root, self.seen)
        feedback.forget_all_but(self.root, self.seen)
        feedback.refresh(self.root)
        page.write(self.root, self.known, self.seen)


def _is_wrong(specimen: Specimen) -> bool:
    return bool(specimen.fails) and not specimen.hostile


def _choose(known: list[Specimen], names: Sequence[str], broken: Sequence[str]) -> list[Specimen]:
    chosen = [s for s in known if not names or any(fnmatch.fnmatch(s.name, pattern) for pattern in names)]
    if not chosen and not broken:
        raise UsageError(
            f"No specimen is called {' or '.join(names)}.",
            "Known ones: " + ", ".join(s.name for s in known),
        )
    return chosen


def _sample(chosen: list[Specimen], every: int) -> list[Specimen]:
    hostile = [specimen for specimen in chosen if specimen.hostile]
    wrong = [specimen for specimen in chosen if _is_wrong(specimen)]
    left_out = {specimen.name for kind in (wrong, hostile) for specimen in kind} - {
        specimen.name for kind in (wrong, hostile) for specimen in kind[::every]
    }
    return [specimen for specimen in chosen if specimen.name not in left_out]


def _leave_out_those_in_need(chosen: Sequence[Specimen], out: Console) -> list[Specimen]:
    """Without those that may not run before something is around them that is not there yet."""
    for specimen in chosen:
        if specimen.hostile and specimen.hostile.needs:
            out.print(f"- {specimen.name:<44} not run: only a {specimen.hostile.needs} can stop it")
    return [specimen for specimen in chosen if not (specimen.hostile and specimen.hostile.needs)]


def _show(finding: Finding, out: Console) -> None:
    sign, style = ("✗", "red") if finding.problems else ("✓", "green")
    text = f"{sign} {finding.specimen.name:<44} {finding.duration_s:5.1f} s  {len(finding.failed):>3} failed"
    out.print(text, style=style)
    if finding.beyond:
        out.print(f"    also noticed by {', '.join(sorted(finding.beyond))}")
    for problem in finding.problems:
        out.print(f"    {problem}")
    for warning in finding.warnings:
        out.print(f"    {warning}", style="yellow")


def _examine(
    root: Path,
    chosen: Sequence[Specimen],
    processes: int,
    out: Console,
    notes: _Notes | None,
    extent: Extent,
) -> list[Finding]:
    found: dict[str, Finding] = {}
    with hostile.before(root, chosen) as before, _warmth(chosen, extent) as warmth:

        def work(specimen: Specimen) -> Finding:
            return examine(root, specimen, before, extent, warmth if _is_wrong(specimen) else {})

        for specimen, finding in side_by_side.done(
            out, "proving", work, _mixed(chosen), lambda specimen: specimen.name, processes
        ):
            found[specimen.name] = finding
            _show(finding, out)
            if notes:
                notes.add(finding)
    return [found[specimen.name] for specimen in chosen]


def _mixed(chosen: Sequence[Specimen]) -> list[Specimen]:
    """Right ones first, which take longest, and hostile ones last; between them wrong ones of all labs in
    turn, since the checks of one lab mostly compute and those of another mostly wait."""
    in_all = Counter(specimen.labs for specimen in chosen if _is_wrong(specimen))
    before: Counter[tuple[str, ...]] = Counter()

    def place(specimen: Specimen) -> float:
        if not _is_wrong(specimen):
            return 1.0 if specimen.hostile else -1.0
        before[specimen.labs] += 1
        return (before[specimen.labs] - 1) / in_all[specimen.labs]

    return sorted(chosen, key=place)


@contextlib.contextmanager
def _warmth(chosen: Sequence[Specimen], extent: Extent) -> Iterator[Mapping[str, str]]:
    """Variables for the runs on wrong specimens, for the length of a `with` block."""
    if extent.cold or not any(map(_is_wrong, chosen)):
        yield {}
        return
    with warm.warmed() as variables:
        yield variables


def examine(
    root: Path,
    specimen: Specimen,
    before: hostile.Before | None = None,
    extent: Extent = Extent(),
    warmth: Mapping[str, str] = MappingProxyType({}),
) -> Finding:
    """Run the checks of the specimen's labs on it and compare; a hostile one with how it was `before`. On
    later labs, where the extent asks for them, it may fail whatever it likes. `warmth`: see warm.warmed."""
    started = time.monotonic()
    failed: frozenset[str] = frozenset()
    further: frozenset[str] = frozenset()
    warnings: list[str] = []
    outcome: Report | None = None
    with tempfile.TemporaryDirectory(prefix="lab-prove-") as scratch:
        folder = Path(scratch, "project")
        try:
            _require_known(root, specimen)
            if before and specimen.hostile:
                outcome, told = hostile.examine(root, specimen, Path(scratch), before)
            else:
                specimen.build(root / "project", folder)
                file = Path(scratch, "report.json")
                outcome, told = grade(
                    root, specimen.labs, file, _RUN_S, "--project", str(folder), variables=warmth
                )
            failed = _failed(outcome)
            problems = [*told, *_compare(root, specimen, outcome, failed)]
            if extent.doubled and _is_wrong(specimen):
                hanging = calibration.depends_on_deadline(root, folder, outcome)
                warnings = calibration.warnings(specimen.name, hanging)
            if extent.beyond and _is_wrong(specimen):
                further, troubles = _look_beyond(root, specimen, folder, Path(scratch, "beyond.json"), warmth)
                problems += troubles
        except LabError as error:
            problems = [str(error)]
    took = time.monotonic() - started
    return Finding(specimen, failed, took, tuple(problems), outcome, further, tuple(warnings))


def _failed(outcome: Report) -> frozenset[str]:
    return frozenset(verdict.id for verdict in outcome.verdicts(Outcome.FAILED))


def _look_beyond(
    root: Path, specimen: Specimen, folder: Path, file: Path, warmth: Mapping[str, str]
) -> tuple[frozenset[str], list[str]]:
    """The checks of later labs that fail on it, and how the grader fared there."""
    later = sorted(lab for lab in manifest.labs(root) if lab > max(specimen.labs))
    if not later:
        return frozenset(), []
    outcome, told = grade(root, later, file, _RUN_S, "--project", str(folder), variables=warmth)
    return _failed(outcome), [*told, *_faults(specimen, outcome, _failed(outcome))]


def _require_known(root: Path, specimen: Specimen) -> None:
    """LabError unless the specimen's labs and checks exist."""
    path = specimen.source.relative_to(root)
    if strange := sorted(set(specimen.labs) - manifest.labs(root)):
        raise LabError(f"{path}: there are no checks for {', '.join(strange)}.", "Correct the lab's name.")
    known = manifest.load(root)
    for check in sorted(specimen.fails or ()):
        if check not in known:
            close = difflib.get_close_matches(check, known, n=1)
            raise LabError(
                f"{path}: there is no check {check}.",
                f"Correct the header: Killed-by: {close[0] if close else '<check id>'}",
            )


def _compare(root: Path, specimen: Specimen, outcome: Report, failed: frozenset[str]) -> list[str]:
    """What differs from what is known of the specimen, each with the remedy."""
    path = specimen.source.relative_to(root)
    problems = _faults(specimen, outcome, failed)
    if specimen.fails is None and specimen.hostile:
        return problems  # what it must not pass has been looked at
    if specimen.fails is None:
        return problems if failed else [*problems, f"{path}: nothing failed. Does it hold the answers?"]
    saw = {v.id: v.saw.splitlines()[0] if v.saw else "" for v in outcome.verdicts(Outcome.FAILED)}
    problems += [
        f"{path}: {check} should have failed. Sharpen the check, or take the line out of the header."
        for check in sorted(specimen.fails - failed)
    ]
    problems += [
        f"{path}: {check} failed as well (saw {saw[check][:160]}). Make the check accept what is right, "
        f"or add to the header: Killed-by: {check}"
        for check in sorted(failed - specimen.fails)
    ]
    return problems


def _faults(specimen: Specimen, outcome: Report, failed: Collection[str]) -> list[str]:
    """What is the grader's own fault, whatever it was run on."""
    problems = [
        f"{v.id}: the grader itself failed ({v.saw.splitlines()[0]}). "
        "Mend the check: no project may cause that."
        for v in outcome.verdicts(Outcome.ERROR)
    ]
    problems += [
        f"{v.id}: blocked by {v.blocked_by}, which did not fail. Name the check that reports this cause."
        for v in outcome.verdicts(Outcome.BLOCKED)
        if _root(v, outcome) not in failed and not (specimen.hostile and specimen.hostile.only)
    ]
    return problems


def _root(verdict: Verdict, outcome: Report) -> str:
    """The check that everything behind a blocked one waits for."""
    blocked_by = {v.id: v.blocked_by for v in outcome.verdicts(Outcome.BLOCKED)}
    name, seen = verdict.id, set[str]()
    while name in blocked_by and name not in seen:
        seen.add(name)
        name = str(blocked_by[name])
    return name


def _unkilled(root: Path, chosen: Sequence[Specimen], out: Console) -> int:
    """Checks that no wrong specimen makes fail; a check that cannot fail proves nothing."""
    killed = {check for s in chosen if not s.hostile for check in (s.fails or ())}
    idle = [check for check in manifest.load(root) if check not in killed]
    for check in idle:
        out.print(
            f"✗ {check}: no wrong specimen makes it fail. Add a patch under specimens/wrong/.", style="red"
        )
    return len(idle)
