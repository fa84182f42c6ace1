"""Deadlines with room to spare: how long right projects make the checks wait, in checks/deadlines.toml.

A check gives `within` seconds. Some are the contract's (`deadlines.fixed`); the rest is our own patience, and
that has to be several times what the slowest accepted project needs, or the verdict depends on the machine.
"""

from __future__ import annotations

import fnmatch
import json
import os
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from labkit.checks import Outcome
from labkit.deadlines import PATIENCE, patience
from labkit.errors import LabError, UsageError
from labkit.evidence import Wait, shorten
from labkit.proof import record, side_by_side, specimens
from labkit.proof.grading import grade, grade_closely
from labkit.proof.specimens import Specimen
from labkit.report import Report, Verdict

FACTOR = 4.0
"""How many times what the slowest accepted project needs a check must give."""
LEAST_S = 1.0
"""Our patience is never shorter: a busy machine may stop for that long."""

_RUN_S = 900.0


@dataclass(frozen=True)
class Deadline:
    """One deadline of a check: `given` seconds, `fixed` of which are not ours to give; the slowest accepted
    project needed `slowest` of them, and `by` is its name. All on the reference machine."""

    given: float
    fixed: float
    slowest: float
    by: str

    @property
    def wanted(self) -> float:
        """The least that the check should give."""
        if self.given == self.fixed:
            return self.given
        return self.fixed + max(LEAST_S, FACTOR * (self.slowest - self.fixed))

    @property
    def too_short(self) -> bool:
        return self.given < self.wanted


@dataclass(frozen=True)
class Calibration:
    """What has been measured: the deadlines of each check, by its id, and the accepted projects, by name,
    with the key that stands for what they and the checks were like (see record.Keys)."""

    projects: Mapping[str, str] = field(default_factory=dict)
    deadlines: Mapping[str, tuple[Deadline, ...]] = field(default_factory=dict)

    def without(self, names: Iterable[str]) -> Calibration:
        """What is left when these projects are to be measured anew."""
        gone = frozenset(names)
        kept = {check: tuple(d for d in found if d.by not in gone) for check, found in self.deadlines.items()}
        projects = {name: key for name, key in self.projects.items() if name not in gone}
        return Calibration(projects, {check: found for check, found in kept.items() if found})

    def plus(self, name: str, key: str, outcome: Report) -> Calibration:
        """With what one project has shown; for each deadline the slower one is kept."""
        deadlines = dict(self.deadlines)
        for verdict in outcome.verdicts(Outcome.PASSED):
            slowest = {(d.given, d.fixed): d for d in deadlines.get(verdict.id, ())}
            for wait in verdict.waits:
                place = (wait.given, wait.fixed)
                if place not in slowest or wait.took > slowest[place].slowest:
                    slowest[place] = Deadline(wait.given, wait.fixed, wait.took, name)
            if slowest:
                deadlines[verdict.id] = tuple(d for _, d in sorted(slowest.items()))
        return replace(self, projects={**self.projects, name: key}, deadlines=deadlines)


# -- the file ----------------------------------------------------------------------------------------------


def path(root: Path) -> Path:
    """Where it lies under the repository's root."""
    return root / "checks" / "deadlines.toml"


def load(root: Path) -> Calibration:
    """What is on file; nothing if there is none. LabError if it cannot be read."""
    try:
        table = tomllib.loads(path(root).read_text(encoding="utf-8"))
        return Calibration(
            dict(table["projects"]),
            {
                f"{lab}.{file}.{check}": tuple(map(_deadline, found))
                for lab, files in table["checks"].items()
                for file, checks in files.items()
                for check, found in checks.items()
            },
        )
    except FileNotFoundError:
        return Calibration()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(
            f"{path(root)} cannot be read: {error!r}.", "Restore it: git checkout checks/deadlines.toml"
        ) from None


def _deadline(table: Mapping[str, Any]) -> Deadline:
    given = float(table["given"])
    fixed = given if table.get("kind") == _CONTRACT else float(table.get("fixed", 0.0))
    return Deadline(given, fixed, float(table["slowest"]), str(table["by"]))


_CONTRACT = "contract"
_HEAD = f"""\
# How long right projects make the checks wait. Measured, not written: lab prove --deadlines
#
# given    the deadline, as `within` in the check or in labkit says it
# slowest  what the slowest accepted project needed of it, and which that was
# fixed    the part that is not ours to give: the contract names it, or a lease has to run out first
# kind     "{_CONTRACT}" where all of it is fixed
#
# Under [projects], what each was like when it was measured; "" where not all of its checks passed.
# All in seconds on the reference machine. Our own part has to be {FACTOR:g} times what the slowest needs of
# it, and at least {LEAST_S:g} s. If a test says that it is not, change `within` and measure again.
"""


def save(root: Path, calibration: Calibration) -> None:
    """Write the file, sorted by the checks' ids."""
    lines = [_HEAD, "[projects]"]
    lines += [f"{name} = {json.dumps(key)}" for name, key in sorted(calibration.projects.items())]
    table = ""
    for check, found in sorted(calibration.deadlines.items()):
        lab, file, name = check.split(".")
        if table != (table := f"[checks.{lab}.{file}]"):
            lines += ["", table]
        if len(found) == 1:
            lines += [f"{name} = [{_line(found[0])}]"]
        else:
            lines += [f"{name} = [", *(f"  {_line(deadline)}," for deadline in found), "]"]
    draft = path(root).with_name(f".deadlines.toml.{os.getpid()}")
    draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
    draft.replace(path(root))


def _line(deadline: Deadline) -> str:
    kind = ""
    if deadline.fixed:
        whole = deadline.fixed == deadline.given
        kind = f'kind = "{_CONTRACT}", ' if whole else f"fixed = {deadline.fixed:g}, "
    measured = f"slowest = {deadline.slowest:.2f}, by = {json.dumps(deadline.by)}"
    return f"{{ given = {deadline.given:g}, {kind}{measured} }}"


# -- measuring ---------------------------------------------------------------------------------------------


def run(root: Path, names: Sequence[str], processes: int, *, resume: bool = False) -> int:
    """Measure the accepted projects that match one of `names` (shell patterns; all without any) and write the
    file after each; 0 if all deadlines have room to spare. With `resume`, projects that have been measured
    are left out while they and the checks are the same.

    More than one process at a time makes everything slower than it is.
    """
    out = Console(highlight=False, markup=False, soft_wrap=True)
    chosen, keys = _choose(root, names), record.Keys(root)
    key_of = {specimen.name: keys.key(specimen) for specimen in chosen}  # as things are before it begins
    known = load(root)
    holds = {name for name, key in key_of.items() if resume and known.projects.get(name) == key}
    todo = [specimen for specimen in chosen if specimen.name not in holds]
    known = known.without(specimen.name for specimen in todo)
    problems = 0
    for specimen, (outcome, told) in side_by_side.done(
        out, "measuring", lambda s: _measure(root, s), todo, lambda s: s.name, processes
    ):
        for problem in told:
            out.print(f"✗ {specimen.name}: {problem}", style="red")
        problems += len(told)
        if outcome is not None:
            key = "" if told else key_of[specimen.name]  # an empty key holds for nothing: once more next time
            known = known.plus(specimen.name, key, outcome)
            save(root, known)
            sign, style = ("✗", "red") if told else ("✓", "green")
            out.print(f"{sign} {specimen.name:<20} {outcome.duration_s:5.1f} s", style=style)
    short = advice(known)
    for sentence in short:
        out.print(f"✗ {sentence}", style="red")
    out.print(
        f"\n{len(holds)} on record, {len(todo)} projects measured, {problems + len(short)} problems.",
        style="bold red" if problems or short else "bold green",
    )
    return int(bool(problems or short))


def advice(calibration: Calibration) -> list[str]:
    """A sentence for each deadline that leaves too little room, with what to do."""
    return [
        f"{check} gives {d.given:g} s, and {d.by} needed {d.slowest:.2f} s. Give it {d.wanted:.1f} s, or "
        "mark with deadlines.fixed what the contract names; then: lab prove --deadlines"
        for check, found in sorted(calibration.deadlines.items())
        for d in found
        if d.too_short
    ]


def _choose(root: Path, names: Sequence[str]) -> list[Specimen]:
    known, broken = specimens.load(root)
    if broken:
        raise LabError(broken[0])
    accepted = [specimen for specimen in known if specimen.fails == frozenset() and not specimen.hostile]
    chosen = [s for s in accepted if not names or any(fnmatch.fnmatch(s.name, n) for n in names)]
    if not chosen:
        raise UsageError(
            f"No accepted project is called {' or '.join(names)}.",
            "Known ones: " + ", ".join(s.name for s in accepted),
        )
    return chosen


def _measure(root: Path, specimen: Specimen) -> tuple[Report | None, list[str]]:
    """The report on an accepted project, if there is one, and what went wrong."""
    with tempfile.TemporaryDirectory(prefix="lab-deadlines-") as scratch:
        folder, file = Path(scratch, "project"), Path(scratch, "report.json")
        try:
            specimen.build(root / "project", folder)
            outcome, told = grade(root, specimen.labs, file, _RUN_S, "--project", str(folder))
        except LabError as error:
            return None, [str(error)]
    bad = [v for v in outcome.verdicts() if v.outcome != Outcome.PASSED]
    if bad:
        others = f" and {len(bad) - 1} other checks" if len(bad) > 1 else ""
        told.append(
            f"{bad[0].id}{others} did not pass, and are not measured: {shorten(bad[0].saw, 120)}. "
            f"Mend that first: lab prove {specimen.name}"
        )
    return outcome, told


# -- asking again with more patience -----------------------------------------------------------------------


def depends_on_deadline(root: Path, project: Path, outcome: Report) -> frozenset[str]:
    """The ids of those failed checks of a report on the project in that folder that pass when our own
    patience is doubled. Only checks that waited in vain are run again."""
    late = _waited_in_vain(outcome)
    if not late:
        return frozenset()
    labs = sorted({check.split(".")[0] for check in late})
    variables = {PATIENCE: f"{2 * patience():g}"}
    with tempfile.TemporaryDirectory(prefix="lab-deadlines-") as scratch:
        file = Path(scratch, "report.json")
        options = ["--project", str(project), "-k", " or ".join(sorted(late))]
        again = grade_closely(root, labs, file, _RUN_S, *options, variables=variables).report
    return frozenset(v.id for v in again.verdicts(Outcome.PASSED) if v.id in late)


def warnings(name: str, checks: Iterable[str]) -> list[str]:
    """A sentence for each check whose verdict on a specimen depends on a deadline, with what to do."""
    return [
        f"{name}: {check} passes when our own deadlines are doubled. Make the defect one that no patience "
        "mends, or give the check a deadline of the contract's (deadlines.fixed)."
        for check in sorted(checks)
    ]


def _waited_in_vain(outcome: Report) -> set[str]:
    """The failed checks that waited in vain with patience of our own, or that block one which did: who comes
    first waits for what many share."""
    verdicts = {verdict.id: verdict for verdict in outcome.verdicts()}
    late = set()
    for verdict in verdicts.values():
        cause: Verdict | None = verdict
        while cause and cause.blocked_by:
            cause = verdicts.get(cause.blocked_by)
        if cause and cause.outcome == Outcome.FAILED and any(map(_ours_and_missed, verdict.waits)):
            late.add(cause.id)
    return late


def _ours_and_missed(wait: Wait) -> bool:
    return not wait.met and wait.given > wait.fixed
