"""What `lab prove --flakes` has seen so far, kept in docs/flakes.json and added up over many invocations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.proof import ledger

TOGETHER = "all labs"
"""What is counted of runs that were about several labs: these, besides each lab of theirs."""


@dataclass(frozen=True)
class Tally:
    """Runs of the reference on a lab, all of one kind: in how many processes, and whether under load.

    `state` stands for the checks and the reference as they were. `failed` runs had a false failure, of the
    checks named in `by` (how often each).
    """

    lab: str
    state: str
    processes: int
    under_load: bool
    runs: int = 0
    verdicts: int = 0
    failed: int = 0
    by: Mapping[str, int] | None = None

    @property
    def name(self) -> str:
        load = " under load" if self.under_load else ""
        return f"{self.lab} {self.state} -n {self.processes}{load}"

    def plus(self, verdicts: int, failed: Iterable[str] | None) -> Tally:
        """One more run with so many verdicts; None if nothing failed, else the checks that did."""
        by = dict(self.by or {})
        for check in failed or ():
            by[check] = by.get(check, 0) + 1
        return replace(
            self,
            runs=self.runs + 1,
            verdicts=self.verdicts + verdicts,
            failed=self.failed + (failed is not None),
            by=by,
        )


@dataclass(frozen=True)
class Sum:
    """All runs on a lab in one state, and how many there were in the states before it."""

    lab: str
    runs: int
    under_load: int
    side_by_side: int
    verdicts: int
    failed: int
    by: Mapping[str, int]
    runs_before: int
    failed_before: int


def path(root: Path) -> Path:
    """Where the tallies lie under the repository's root."""
    return root / "docs" / "flakes.json"


def load(root: Path) -> dict[str, Tally]:
    """Name → tally, the newest state of a lab last; empty if there is none. LabError if unreadable."""
    return ledger.load(path(root), Tally)


def add(root: Path, kind: Tally, verdicts: int, failed: Iterable[str] | None) -> None:
    """Put one more run on record, at once: whoever stops the repetition loses nothing."""
    tallies = load(root)
    before = tallies.pop(kind.name, kind)
    of_state = [name for name, tally in tallies.items() if (tally.lab, tally.state) == (kind.lab, kind.state)]
    for name in of_state:  # the state that is tried now is the newest
        tallies[name] = tallies.pop(name)
    tallies[kind.name] = before.plus(verdicts, failed)
    ledger.save(path(root), tallies)


def runs(root: Path, lab: str) -> int:
    """How many runs of a lab are on record, in whatever state: the next one is the one after that."""
    return sum(tally.runs for tally in load(root).values() if tally.lab == lab)


def sums(tallies: Mapping[str, Tally]) -> list[Sum]:
    """For each lab what the newest state has come to, in the order of the labs, all of them together last."""
    labs = sorted({tally.lab for tally in tallies.values()}, key=lambda lab: (lab == TOGETHER, lab))
    return [_sum(lab, [tally for tally in tallies.values() if tally.lab == lab]) for lab in labs]


def _sum(lab: str, tallies: Sequence[Tally]) -> Sum:
    newest = [tally for tally in tallies if tally.state == tallies[-1].state]
    before = [tally for tally in tallies if tally.state != tallies[-1].state]
    by: dict[str, int] = {}
    for tally in newest:
        for check, times in (tally.by or {}).items():
            by[check] = by.get(check, 0) + times
    return Sum(
        lab,
        runs=sum(tally.runs for tally in newest),
        under_load=sum(tally.runs for tally in newest if tally.under_load),
        side_by_side=sum(tally.runs for tally in newest if tally.processes),
        verdicts=sum(tally.verdicts for tally in newest),
        failed=sum(tally.failed for tally in newest),
        by=by,
        runs_before=sum(tally.runs for tally in before),
        failed_before=sum(tally.failed for tally in before),
    )
