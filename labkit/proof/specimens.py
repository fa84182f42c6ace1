"""Specimens: projects whose marks are known beforehand. The folder says what is expected of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import LabError

_HEADER = re.compile(r"^Killed-by: (\S+)$", re.MULTILINE)
_TABLE = "specimen.toml"
_CHANGE = "change.patch"
"""In a folder that is put over something: where a file differs by a few lines only, those lines."""
_BODY = re.compile(r"^(diff --git |--- )", re.MULTILINE)


class SpecimenError(LabError):
    """A specimen that is broken itself; names the file and the remedy."""

    exit_status = 1


@dataclass(frozen=True)
class Hostile:
    """What makes a specimen a hostile one. `base` is the project that its files are put over: the starter,
    beyond which it must not get, or the reference, which it must not harm.

    `needs`: what must be around it before it may run at all. `only`: the checks that matter, as pytest's
    -k has it; empty for all. `links` are symbolic links, by where they lead: in the repository itself, they
    would lead its own tools astray.
    """

    base: Path
    needs: str = ""
    only: str = ""
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Specimen:
    """A project and the checks that must fail on it; all other checks of `labs` must pass.

    `source` is its folder, or its patch of the reference. `story` says what is special about it.
    `fails` None: whatever fails, the grader must not be at fault (the starter).
    `instead_of`: the folder holds only what differs from the reference, in the place of these parts of it;
    or, if it is put `on` another specimen of that kind, what differs from that. Files that differ by a few
    lines need not be there: those lines may stand in a change.patch.
    `hostile` says how it was put together if it wants more than it has earned, or means harm.
    """

    name: str
    source: Path
    labs: tuple[str, ...]
    story: str
    fails: frozenset[str] | None
    instead_of: tuple[str, ...] = ()
    hostile: Hostile | None = None
    on: Path | None = None

    def build(self, reference: Path, into: Path) -> None:
        """Make the project in the folder `into`; SpecimenError if its patch does not apply."""
        patch = self.source if self.source.suffix == ".patch" else None
        if self.hostile:
            _copy(self.hostile.base, into)
        elif patch or self.instead_of:
            _copy(reference, into)
        for part in self.instead_of:
            _remove(into / part)
        if patch:
            _apply(patch, into, "project")
        else:
            if self.on:
                _copy(self.on, into)
            _copy(self.source, into)
            if (change := into / _CHANGE).is_file():
                change.unlink()
                _apply(self.source / _CHANGE, into, self.on.name if self.on else "project")
        for name, target in self.hostile.links if self.hostile else ():
            (into / name).symlink_to(target)


def load(root: Path) -> tuple[list[Specimen], list[str]]:
    """All specimens of the repository (the reference, the starter, accepted, wrong and hostile ones), and a
    sentence for each that cannot be used.

    LabError if there are none at all.
    """
    labs = tuple(sorted(path.name for path in (root / "checks").glob("lab[0-9][0-9]")))
    accepted, wrong = root / "specimens" / "accepted", root / "specimens" / "wrong"
    if not accepted.is_dir():
        raise LabError(
            f"{accepted} is missing, so this is not the instructors' repository.",
            "Run `lab prove` in a complete checkout.",
        )
    known = [
        Specimen("reference", root / "project", labs, "The reference earns every point.", frozenset()),
        Specimen(
            "starter", root / "starter", labs, "What students start from fails, but fails cleanly.", None
        ),
    ]
    broken = []
    sources = [
        *((_accepted, path) for path in sorted(accepted.iterdir()) if path.is_dir()),
        *((_wrong, path) for path in sorted(wrong.glob("*/*.patch"))),
        *((_wrong_folder, path.parent) for path in sorted(wrong.glob(f"*/*/{_TABLE}"))),
        *((_hostile, path) for path in sorted((root / "specimens" / "hostile").glob("*")) if path.is_dir()),
    ]
    for read, path in sources:
        try:
            known.append(read(path, root))
        except SpecimenError as error:
            broken.append(str(error))
    return known, broken


def _accepted(folder: Path, root: Path) -> Specimen:
    table = _table(folder, root, 'two lines: labs = ["lab01"] and style = "…"', labs=list, style=str)
    return Specimen(
        folder.name,
        folder,
        tuple(table["labs"]),
        table["style"],
        frozenset(),
        tuple(table.get("instead_of", ())),
    )


def _wrong_folder(folder: Path, root: Path) -> Specimen:
    wanted = 'three lines: story = "…", killed_by = ["…"] and instead_of = ["tests"]'
    table = _table(folder, root, wanted, story=str, killed_by=list, instead_of=list)
    lab = folder.parent.name
    return Specimen(
        f"{lab}/{folder.name}",
        folder,
        (lab,),
        table["story"],
        frozenset(table["killed_by"]),
        tuple(table["instead_of"]),
        on=_other_folder(folder, root, table.get("on"), "accepted"),
    )


def _other_folder(folder: Path, root: Path, name: str | None, kind: str = "") -> Path | None:
    """The specimen of that name, and kind, which is part of the name if none is given. SpecimenError if there
    is none.
    """
    if name is None:
        return None
    base = root / "specimens" / kind / name
    if not (base / _TABLE).is_file():
        path = (folder / _TABLE).relative_to(root)
        what = f"{kind} project" if kind else "specimen"
        raise SpecimenError(f"{path}: there is no {what} {name!r}.", "Correct the entry `on`.")
    return base


def _hostile(folder: Path, root: Path) -> Specimen:
    wanted = 'three lines: story = "…", labs = ["lab01"] and base = "starter" (or "reference")'
    table = _table(folder, root, wanted, story=str, labs=list, base=str)
    bases = {"starter": root / "starter", "reference": root / "project"}
    path = (folder / _TABLE).relative_to(root)
    if table["base"] not in bases:
        raise SpecimenError(f"{path}: there is no base {table['base']!r}.", f"Give it {wanted}.")
    if table["base"] == "starter" and "fails" in table:
        raise SpecimenError(
            f"{path}: what it fails is known, all that the starter fails.", "Take out the entry `fails`."
        )
    return Specimen(
        f"hostile/{folder.name}",
        folder,
        tuple(table["labs"]),
        table["story"],
        None if table["base"] == "starter" else frozenset(table.get("fails", ())),
        tuple(table.get("instead_of", ())),
        Hostile(
            bases[table["base"]],
            table.get("needs", ""),
            table.get("only", ""),
            tuple(table.get("links", {}).items()),
        ),
        on=_other_folder(folder, root, table.get("on")),
    )


def _table(folder: Path, root: Path, wanted: str, **types: type) -> dict[str, Any]:
    """What specimen.toml says; SpecimenError if it lacks an entry, or one is of another type."""
    path = folder / _TABLE
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for name, kind in types.items():
            if not isinstance(table[name], kind):
                raise ValueError(f"{name} is no {kind.__name__}")
    except (OSError, ValueError, KeyError) as error:
        raise SpecimenError(
            f"{path.relative_to(root)} cannot be used ({error}).", f"Give it {wanted}."
        ) from None
    return table


def _wrong(path: Path, root: Path) -> Specimen:
    text = path.read_text(encoding="utf-8", errors="replace")
    body = _BODY.search(text)
    header = text[: body.start()] if body else ""
    killers = frozenset(_HEADER.findall(header))
    story = " ".join(_HEADER.sub("", header).split())
    if not body or not killers or not story:
        raise SpecimenError(
            f"{path.relative_to(root)}: a wrong specimen begins with a sentence that says what the student "
            "misunderstood, then a line `Killed-by: <check id>` for each check that must catch it, then "
            "the patch.",
            "Write what is missing at the top of the file.",
        )
    return Specimen(f"{path.parent.name}/{path.stem}", path, (path.parent.name,), story, killers)


def _copy(folder: Path, into: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    shutil.copytree(folder, into, ignore=ignore, symlinks=True, dirs_exist_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _apply(patch: Path, folder: Path, base: str) -> None:
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent), "LC_ALL": "C"}
    for name in ("GIT_DIR", "GIT_WORK_TREE"):  # set inside git's own hooks
        environment.pop(name, None)
    try:
        applied = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", str(patch.resolve())],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise LabError("Patches are applied with git, which is not installed.", "Install git.") from None
    if applied.returncode != 0:
        said = applied.stderr.strip().splitlines() or [f"git apply ended with {applied.returncode}"]
        raise SpecimenError(
            f"{'/'.join(patch.parts[-4:])} no longer applies to {base}/: {said[0]}.",
            f"Make the same mistake in a copy of {base}/ and write the patch anew: "
            f"git diff --no-index {base} COPY.",
        )
