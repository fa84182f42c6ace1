"""What of a report is worth a reader's first minute; the same for every export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labkit.checks import Outcome
from labkit.report import Report, Verdict


@dataclass(frozen=True)
class Digest:
    """A report's verdicts, sorted by what to do about them, each group in the order of the labs.

    `opened` are told whole, the first to be mended first: what failed, an error of its own kind, and a
    blocked check whose blocker was not run. `together` are errors with one cause: one for all. `waiting` are
    the other blocked checks, by the id of the check that they wait for.
    """

    opened: tuple[Verdict, ...]
    together: tuple[tuple[Verdict, ...], ...]
    waiting: Mapping[str, tuple[Verdict, ...]]
    passed: tuple[Verdict, ...]


def digest(report: Report) -> Digest:
    """Sort a report's verdicts."""
    failed = report.verdicts(Outcome.FAILED)
    causes: dict[str, list[Verdict]] = {}
    for verdict in report.verdicts(Outcome.ERROR):
        causes.setdefault(verdict.saw, []).append(verdict)
    blockers: dict[str, list[Verdict]] = {}
    for verdict in report.verdicts(Outcome.BLOCKED):
        blockers.setdefault(str(verdict.blocked_by), []).append(verdict)
    told = {verdict.id for verdict in (*failed, *report.verdicts(Outcome.ERROR))}
    speakers = [group[0] for by, group in blockers.items() if by not in told]
    alone = [group[0] for group in causes.values() if len(group) == 1]
    waiting = {by: tuple(v for v in group if v not in speakers) for by, group in blockers.items()}
    return Digest(
        opened=(*failed, *alone, *speakers),
        together=tuple(tuple(group) for group in causes.values() if len(group) > 1),
        waiting={by: group for by, group in waiting.items() if group},
        passed=tuple(report.verdicts(Outcome.PASSED)),
    )
