"""What the proof has seen of each specimen, kept in docs/proof.json; the page is made of it."""

from __future__ import annotations

import ast
import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit import manifest
from labkit.proof import ledger, reach
from labkit.proof.specimens import Specimen

_ALSO_HOSTILE = ("labkit/exports", "labkit/proof/hostile.py")
"""Hostile specimens are held against what is printed, too."""
_ALSO_WRONG = "labkit/proof/warm.py"
"""Wrong specimens start warm."""


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
    """The keys of specimens, as the repository is when they are asked for the first time; what is read is
    remembered."""

    root: Path
    _contents: dict[Path, bytes] = field(default_factory=dict)
    _checks: dict[str, bytes] = field(default_factory=dict)
    _reference: dict[tuple[str, ...], list[Path]] = field(default_factory=dict)

    def key(self, specimen: Specimen) -> str:
        """What stands for all that the outcome on a specimen depends on."""
        reference = self.root / "project"
        own = [] if specimen.source == reference else _all(specimen.source)
        own += _all(specimen.on) if specimen.on else []
        used: list[Path] = []
        if specimen.hostile:
            used = [*_all(specimen.hostile.base), *(f for n in _ALSO_HOSTILE for f in _all(self.root / n))]
        elif specimen.source == reference or specimen.source.suffix == ".patch" or specimen.instead_of:
            started = _all(self.root / _ALSO_WRONG) if specimen.fails else []
            used = [*self._of_reference(specimen.labs, own), *started]
        return self._digest([*own, *used], [self._of_checks(lab) for lab in specimen.labs])

    def of_labs(self, labs: Collection[str]) -> str:
        """What stands for the checks of these labs and the reference as they use it."""
        return self._digest(self._of_reference(tuple(labs), ()), map(self._of_checks, labs))

    def _of_reference(self, labs: tuple[str, ...], changed: Sequence[Path]) -> list[Path]:
        """Worked out once for all specimens that bring nothing new into play."""
        project = self.root / "project"
        if reach.mentioned(changed):
            return reach.of_reference(project, labs, changed)
        if labs not in self._reference:
            self._reference[labs] = reach.of_reference(project, labs)
        return self._reference[labs]

    def _of_checks(self, lab: str) -> bytes:
        if lab not in self._checks:
            worth = {
                name: points for name, points in _manifest(self.root).items() if name.startswith(f"{lab}.")
            }
            found = self._digest(reach.of_checks(self.root, lab), [json.dumps(worth).encode()])
            self._checks[lab] = found.encode()
        return self._checks[lab]

    def _digest(self, files: Iterable[Path], more: Iterable[bytes]) -> str:
        digest = hashlib.sha256()
        for part in more:
            digest.update(part + b"\0")
        for file in files:
            digest.update(f"\0{file.relative_to(self.root)}\0".encode())
            digest.update(self._content(file))
        return digest.hexdigest()[:16]

    def _content(self, file: Path) -> bytes:
        if file not in self._contents:
            self._contents[file] = hashlib.sha256(_what_counts(file, self.root)).digest()
        return self._contents[file]


def _manifest(root: Path) -> Mapping[str, float]:
    return manifest.load(root) if manifest.path(root).exists() else {}


def _all(path: Path) -> list[Path]:
    return list(reach.files(path)) if path.is_dir() else [path] if path.exists() else []


def _what_counts(file: Path, root: Path) -> bytes:
    """A file without what changes no outcome: the words in which a check speaks, the settings of linters."""
    content = file.read_bytes()
    if file == root / "pyproject.toml":
        return repr(tomllib.loads(content.decode()).get("tool", {}).get("pytest")).encode()
    if file.parent.parent == root / "checks" and file.name.startswith("test_") and file.suffix == ".py":
        return _without_docstrings(content)
    return content


def _without_docstrings(source: bytes) -> bytes:
    """A file of checks without the docstrings of its checks, which are for whoever reads the verdict."""
    lines = source.splitlines(keepends=True)
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    for function in tree.body:
        match function:
            case ast.FunctionDef(body=[ast.Expr(value=ast.Constant(value=str())) as text, _, *_]):
                first, last = text.lineno - 1, text.end_lineno or text.lineno
                whole = b"".join(lines[first:last]).strip()
                if whole.startswith(b'"""') and whole.endswith(b'"""'):
                    lines[first:last] = [b"\n"] * (last - first)
    return b"".join(lines)
