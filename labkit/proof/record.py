"""What the proof has seen of each specimen, kept in docs/proof.json; the page is made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.proof import ledger
from labkit.proof.specimens import Specimen

_NOT_GRADING = ("labkit/proof/", "labkit/exports/", "labkit/stack.py", "labkit/starter.py", "labkit/hints.py")


@dataclass(frozen=True)
class Seen:
    """How a specimen fared when it was last proved: the checks that failed, and for how long the checks ran.

    `key` stands for everything that the outcome depends on; while it is the same, so is the outcome."""

    key: str
    failed: tuple[str, ...]
    seconds: float


def path(root: Path) -> Path:
    """Where the record lies under the repository's root."""
    return root / "docs" / "proof.json"


def load(root: Path) -> dict[str, Seen]:
    """Specimen's name → what was seen; empty if nothing has been proved. LabError if it cannot be read."""
    return ledger.load(path(root), lambda key, failed, seconds: Seen(key, tuple(failed), float(seconds)))


def save(root: Path, seen: Mapping[str, Seen]) -> None:
    """Write the record, in the order of the specimens' names."""
    ledger.save(path(root), dict(sorted(seen.items())))


@dataclass(frozen=True)
class Keys:
    """The keys of specimens, as the repository is now."""

    root: Path
    common: str
    """Of all that every outcome depends on."""

    @classmethod
    def of(cls, root: Path) -> Keys:
        files = (file for folder in ("labkit", "project") for file in _files(root / folder))
        common = [file for file in files if not str(file.relative_to(root)).startswith(_NOT_GRADING)]
        shared = [root / "checks" / "conftest.py", root / "openapi.yaml", root / "constraints.txt"]
        return cls(root, _digest(root, [*common, *(file for file in shared if file.exists())]))

    def key(self, specimen: Specimen) -> str:
        checks = [file for lab in specimen.labs for file in _files(self.root / "checks" / lab)]
        own = _files(specimen.source) if specimen.source.is_dir() else [specimen.source]
        below = specimen.hostile.base if specimen.hostile else specimen.on
        base = _files(below) if below else ()
        return _digest(self.root, [*checks, *own, *base], self.common)


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts and "node_modules" not in file.parts:
            yield file


def _digest(root: Path, files: list[Path], begin: str = "") -> str:
    digest = hashlib.sha256(begin.encode())
    for file in files:
        digest.update(f"\0{file.relative_to(root)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
