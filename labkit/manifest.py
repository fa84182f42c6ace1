"""checks/manifest.json: which checks there are and what they are worth, so that none is lost unnoticed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from labkit.errors import LabError
from labkit.report import Verdict


def path(root: Path) -> Path:
    """Where the manifest lies under the repository's root."""
    return root / "checks" / "manifest.json"


@cache
def load(root: Path) -> dict[str, float]:
    """Check id → points, in the order of the files; LabError if the manifest cannot be read."""
    try:
        table = json.loads(path(root).read_text(encoding="utf-8"))
        return {str(name): float(points) for name, points in table.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise LabError(
            f"{path(root)} cannot be read: {error}.", "Restore it: git checkout checks/manifest.json"
        ) from None


def write(root: Path, collected: Mapping[str, float]) -> None:
    """Make the manifest anew for the labs collected: what it knew keeps its place, new checks follow.

    LabError if it cannot be read or written.
    """
    before = load(root) if path(root).exists() else {}
    anew = {name.split(".")[0] for name in collected}
    kept = {name: points for name, points in before.items() if name.split(".")[0] not in anew}
    known = [name for name in before if name in collected]
    order = [*kept, *known, *(name for name in collected if name not in known)]
    order.sort(key=lambda name: name.split(".")[0])
    worth = {**kept, **collected}
    table = {name: worth[name] for name in order}
    try:
        path(root).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise LabError(
            f"{path(root)} cannot be written: {error.strerror}.", "Give yourself the right to write there."
        ) from None


def position(root: Path) -> Callable[[Verdict], tuple[int, str]]:
    """A sort key that puts verdicts in the order of the manifest, unknown ones last."""
    try:
        order = {name: index for index, name in enumerate(load(root))}
    except LabError:
        order = {}
    return lambda verdict: (order.get(verdict.id, len(order)), verdict.id)


def deviations(root: Path, verdicts: Iterable[Verdict], labs: Collection[str]) -> list[str]:
    """What a graded run of `labs` lacks or has too much of, a sentence for each kind; empty when it is
    complete."""
    ran = {verdict.id: verdict.max_score for verdict in verdicts}
    wanted = {name: points for name, points in load(root).items() if name.split(".")[0] in labs}
    missing = [name for name in wanted if name not in ran]
    strange = [name for name in ran if name not in wanted]
    changed = [
        f"{name} ({points:g} instead of {wanted[name]:g})"
        for name, points in ran.items()
        if wanted.get(name, points) != points
    ]
    return [
        f"{what}: {_some(names)}. Bring checks/ back to how it was handed out: git checkout checks/"
        for what, names in (
            ("In checks/manifest.json, but did not run", missing),
            ("Ran, but not in checks/manifest.json", strange),
            ("Worth other points than checks/manifest.json says", changed),
        )
        if names
    ]


def labs(root: Path) -> set[str]:
    """The labs that the manifest knows."""
    return {name.split(".")[0] for name in load(root)}


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
