"""checks/manifest.json: which checks there are and what they are worth, so that none is lost unnoticed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
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
    """Make the manifest anew: what it knew keeps its place, new checks follow in the order given."""
    known = [name for name in (load(root) if path(root).exists() else {}) if name in collected]
    order = [*known, *(name for name in collected if name not in known)]
    order.sort(key=lambda name: name.split(".")[0])
    table = {name: collected[name] for name in order}
    path(root).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def position(root: Path) -> Callable[[Verdict], tuple[int, str]]:
    """A sort key that puts verdicts in the order of the manifest, unknown ones last."""
    try:
        order = {name: index for index, name in enumerate(load(root))}
    except LabError:
        order = {}
    return lambda verdict: (order.get(verdict.id, len(order)), verdict.id)


def deviations(root: Path, verdicts: Iterable[Verdict]) -> list[str]:
    """What a graded run lacks or has too much of, one sentence each; empty when it is complete.

    A run is held against the manifest's checks of the labs that it touched.
    """
    ran = {verdict.id: verdict.max_score for verdict in verdicts}
    labs = {name.split(".")[0] for name in ran}
    wanted = {name: points for name, points in load(root).items() if name.split(".")[0] in labs}
    missing = [f"{name} is in checks/manifest.json, but did not run." for name in wanted if name not in ran]
    strange = [f"{name} ran, but is not in checks/manifest.json." for name in ran if name not in wanted]
    changed = [
        f"{name} is worth {points:g} points here, {wanted[name]:g} in checks/manifest.json."
        for name, points in ran.items()
        if wanted.get(name, points) != points
    ]
    return missing + strange + changed
