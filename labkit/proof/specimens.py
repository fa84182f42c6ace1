"""Specimens: projects whose marks are known beforehand. The folder says what is expected of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError

_HEADER = re.compile(r"^Killed-by: (\S+)$", re.MULTILINE)
_BODY = re.compile(r"^(diff --git |--- )", re.MULTILINE)


class SpecimenError(LabError):
    """A specimen that is broken itself; names the file and the remedy."""


@dataclass(frozen=True)
class Specimen:
    """A project and the checks that must fail on it; all other checks of `labs` must pass.

    `source` is its folder, or its patch of the reference. `story` says what is special about it.
    `fails` None: whatever fails, the grader must not be at fault (the starter).
    """

    name: str
    source: Path
    labs: tuple[str, ...]
    story: str
    fails: frozenset[str] | None

    def build(self, reference: Path, into: Path) -> None:
        """Make the project in the folder `into`; SpecimenError if its patch does not apply."""
        patch = self.source if self.source.suffix == ".patch" else None
        shutil.copytree(
            reference if patch else self.source,
            into,
            ignore=shutil.ignore_patterns("__pycache__"),
            symlinks=True,
        )
        if patch:
            _apply(patch, into)


def load(root: Path) -> list[Specimen]:
    """All specimens of the repository: the reference, the starter, accepted and wrong ones; SpecimenError."""
    labs = tuple(sorted(path.name for path in (root / "checks").glob("lab[0-9][0-9]")))
    return [
        Specimen("reference", root / "project", labs, "The reference earns every point.", frozenset()),
        Specimen(
            "starter", root / "starter", labs, "What students start from fails, but fails cleanly.", None
        ),
        *(_accepted(path) for path in sorted((root / "specimens" / "accepted").iterdir()) if path.is_dir()),
        *(_wrong(path) for path in sorted((root / "specimens" / "wrong").glob("*/*.patch"))),
    ]


def _accepted(folder: Path) -> Specimen:
    path = folder / "specimen.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return Specimen(folder.name, folder, tuple(table["labs"]), table["style"], frozenset())
    except (OSError, ValueError, KeyError) as error:
        raise SpecimenError(
            f"{path}: {error!r}.", 'Give it two lines: labs = ["lab01"] and style = "…".'
        ) from None


def _wrong(path: Path) -> Specimen:
    text = path.read_text(encoding="utf-8")
    body = _BODY.search(text)
    header = text[: body.start()] if body else ""
    killers = frozenset(_HEADER.findall(header))
    story = " ".join(_HEADER.sub("", header).split())
    if not body or not killers or not story:
        raise SpecimenError(
            f"{path}: a wrong specimen begins with a sentence that says what the student misunderstood, "
            "then a line `Killed-by: <check id>` for each check that must catch it, then the patch.",
            "Write what is missing at the top of the file.",
        )
    return Specimen(f"{path.parent.name}/{path.stem}", path, (path.parent.name,), story, killers)


def _apply(patch: Path, folder: Path) -> None:
    applied = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", str(patch.resolve())],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if applied.returncode != 0:
        raise SpecimenError(
            f"{patch} no longer applies to project/: {applied.stderr.strip().splitlines()[-1]}.",
            "Make the same mistake in a copy of project/ and write the patch anew: "
            "git diff --no-index project COPY.",
        )
