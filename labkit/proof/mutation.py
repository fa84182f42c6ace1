"""`lab prove --mutants`: small mistakes in the reference's services, and whether any check notices them.

A mistake that none notices needs a check, or a reason why no client could tell: in specimens/mutants.toml.
"""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from labkit.checks import Outcome
from labkit.errors import LabError
from labkit.proof import ledger, side_by_side, warm
from labkit.proof.grading import grade_closely
from labkit.proof.mutants import Mutant, mutants

_IN_LAB02 = tuple(
    f"lab02/test_{name}.py" for name in ("start", "persistence", "faults", "finishing", "pool", "sql")
)
_IN_LAB04 = tuple(f"lab04/test_{name}.py" for name in ("logs", "configuration", "health"))
REACH = {
    "api_service": (("lab01",), _IN_LAB02, _IN_LAB04),
    "worker_service": (("lab03",), _IN_LAB04),
    "flowforge": (_IN_LAB04, ("lab01",), ("lab03",), _IN_LAB02),
}
"""The reference's packages that are mutated, and the checks that see them, in runs, the likeliest first. What
a lab has to say of migrations, scripts and the table is left out: it hangs on little of these packages."""

SAME_REASON = "The same."
"""Stands for the reason of the mutant before, in the order of files and lines."""

_RUN_S = 300.0


@dataclass(frozen=True)
class Fate:
    """What became of a mutant: the check that noticed it, or None if it survived all."""

    file: str
    line: int
    what: str
    noticed_by: str | None


def path(root: Path) -> Path:
    """Where the fates are kept under the repository's root."""
    return root / "docs" / "mutants.json"


def load(root: Path) -> dict[str, Fate]:
    """Mutant's name → its fate; empty if none has been tried. LabError if it cannot be read."""
    return ledger.load(path(root), Fate)


def save(root: Path, fates: Mapping[str, Fate]) -> None:
    """Write the fates, in the order of files and lines."""
    order = sorted(fates, key=lambda name: (fates[name].file, fates[name].line, fates[name].what, name))
    ledger.save(path(root), {name: fates[name] for name in order})


def reasons(root: Path) -> dict[str, str]:
    """Mutant's name → why no client of the services could tell. LabError if the file cannot be used."""
    file = root / "specimens" / "mutants.toml"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LabError(f"{file} cannot be read: {error}.", 'Each line is: name = "reason"') from None
    if strange := [name for name, reason in table.items() if not isinstance(reason, str) or not reason]:
        raise LabError(f"{file}: {strange[0]} has no reason.", f'Write: {strange[0]} = "why nobody can tell"')
    return table


def open_questions(fates: Mapping[str, Fate], known: Mapping[str, str]) -> list[str]:
    """The names of those that survived without a reason."""
    return [name for name, fate in fates.items() if fate.noticed_by is None and name not in known]


def make(root: Path, every: int = 1) -> list[Mutant]:
    """All mutants of the reference's services, or every so manieth."""
    project = root / "project"
    found = [
        mutant
        for package in REACH
        for file in sorted((project / package).rglob("*.py"))
        for mutant in mutants(str(file.relative_to(project)), file.read_text(encoding="utf-8"))
    ]
    return found[::every]


def run(root: Path, processes: int, every: int = 1) -> int:
    """Try the mutants that have not been tried, and those again that survived without a reason; 0 if none of
    these is left."""
    out = Console(highlight=False, markup=False, soft_wrap=True)
    known = {mutant.name: mutant for mutant in make(root)}
    fates = {name: fate for name, fate in load(root).items() if name in known}
    why = reasons(root)
    settled = fates.keys() - open_questions(fates, why)
    todo = [mutant for mutant in make(root, every) if mutant.name not in settled]
    with warm.warmed() as warmth:

        def work(mutant: Mutant) -> str | None:
            return try_out(root, mutant, warmth)

        for mutant, noticed_by in side_by_side.done(
            out, "mutants", work, todo, lambda mutant: f"{mutant.file}:{mutant.line}", processes
        ):
            fates[mutant.name] = Fate(mutant.file, mutant.line, mutant.what, noticed_by)
            save(root, fates)
            if noticed_by is None:
                out.print(f"✗ {mutant.file}:{mutant.line}: {mutant.what} ({mutant.name})", style="red")
    survivors = sum(fate.noticed_by is None for fate in fates.values())
    share = f"{1 - survivors / len(fates):.1%}" if fates else "none"
    out.print(f"\n{len(todo)} tried now; of {len(fates)} of {len(known)} mutants {share} were noticed.")
    if left := open_questions(fates, why):
        out.print(
            f"{len(left)} survivors wait for a check, or for a reason in specimens/mutants.toml.", style="red"
        )
    return int(bool(left))


def try_out(root: Path, mutant: Mutant, warmth: Mapping[str, str]) -> str | None:
    """The first check that notices a mutant; None if none does. `warmth`: see warm.warmed."""
    with tempfile.TemporaryDirectory(prefix="lab-mutant-") as scratch:
        folder = Path(scratch, "project")
        shutil.copytree(root / "project", folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / mutant.file).write_text(mutant.source, encoding="utf-8")
        for number, checks in enumerate(REACH[mutant.file.partition("/")[0]]):
            if noticed := _first_failure(root, checks, folder, Path(scratch, f"{number}.json"), warmth):
                return noticed
    return None


def _first_failure(
    root: Path, checks: Sequence[str], folder: Path, file: Path, warmth: Mapping[str, str]
) -> str | None:
    options = ["-x", "--project", str(folder)]
    try:
        graded = grade_closely(root, checks, file, _RUN_S, *options, variables=warmth)
    except LabError as error:  # no report, or not in time
        return f"{checks[0]}: {error.what}"
    failed = [*graded.report.verdicts(Outcome.FAILED), *graded.report.verdicts(Outcome.ERROR)]
    blocked = graded.report.verdicts(Outcome.BLOCKED)  # the run may have ended before the check that blocks
    return failed[0].id if failed else blocked[0].blocked_by if blocked else None
