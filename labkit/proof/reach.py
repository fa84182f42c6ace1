"""What the outcome of a lab's checks can depend on, so that nothing else needs to be proved again.

What the checks use is read off their imports. When in doubt a file counts: too much costs minutes, too little
would leave a mistake unseen.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

APART = {
    "tests": ("lab05",),
    "pytest.ini": ("lab05",),
    "scripts": ("lab04", "lab05"),
    "worker_service": ("lab03", "lab04", "lab05"),
}
"""Parts of the reference that not every lab starts, and the labs that do. The rest counts for all labs, and
so do these if what counts mentions them."""
_NOT_STARTED = re.compile(rb"^(worker|test):.*$", re.MULTILINE)
"""Lines of the Procfile that only those labs use."""

_BEGIN = ("labkit/pytest_plugin.py", "checks/conftest.py")
_ALWAYS = ("openapi.yaml", "constraints.txt", "pyproject.toml", "schemathesis.toml", "labs/course.toml")
_TOLD = "labkit/exports"
"""How verdicts are told, which makes none."""
_ONLY_IMPORTED = ("labkit/episodes",)
"""Folders in which a file counts only for who imports it."""
_LEFT_BEHIND = {
    *("__pycache__", ".hypothesis", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".venv"),
    *("node_modules", ".lab", ".coverage"),
}


def of_checks(root: Path, lab: str) -> list[Path]:
    """The files of the checks and of labkit, and settings, that the checks of a lab depend on.

    Of a folder inside labkit all files count as soon as one does: some are started, not imported. (One folder
    is known to hold no such file.)
    """
    own = list(files(root / "checks" / lab))
    waiting = [path for name in _BEGIN if (path := root / name).exists()]
    waiting += [path for path in own if path.suffix == ".py"]
    reached = set(own)
    reached |= {path for name in _ALWAYS if (path := root / name).exists()}
    known: set[str] = set()
    read: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in read:
            continue
        read.add(path)
        fresh = _modules(path.read_bytes()) - known
        known |= fresh
        found = [file for name in fresh for file in _of_module(root, name)]
        waiting += [file for file in found if file.suffix == ".py"]
        reached |= {path, *found}
    return sorted(reached)


def of_reference(project: Path, labs: Iterable[str], changed: Iterable[Path] = ()) -> list[Path]:
    """The files of the reference that the checks of these labs depend on, once `changed` is put over it."""
    parts: dict[str, list[Path]] = {}
    for path in files(project):
        parts.setdefault(path.relative_to(project).parts[0], []).append(path)
    counts = [name for name in parts if name not in APART or set(APART[name]) & set(labs)]
    unread = [*changed, *(path for name in counts for path in parts[name])]
    while unread:
        named = mentioned(unread) & parts.keys() - counts
        counts += named
        unread = [path for name in named for path in parts[name]]
    return sorted(path for name in counts for path in parts[name])


def mentioned(paths: Iterable[Path]) -> set[str]:
    """The parts of the reference that not every lab starts and that these files import, start or open, or
    might."""
    texts = [_text(path) for path in paths]
    return {name for name in APART if any(_mention(name).search(text) for text in texts)}


def files(folder: Path) -> Iterator[Path]:
    """All files in a folder, in order, without those that running and testing leave behind."""
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        path = folder / name
        if name in _LEFT_BEHIND:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from files(path)
        elif path.is_file():
            yield path


@cache
def _modules(source: bytes) -> frozenset[str]:
    """The modules of labkit that a Python file imports or names in a string."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return frozenset()  # it counts itself, and once it can be read it is another file
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found |= {module, *(f"{module}.{alias.name}" for alias in names)}
            case ast.Constant(value=str(text)):
                found |= set(re.findall(r"\blabkit(?:\.\w+)+", text))
    return frozenset(name for name in found if name.startswith("labkit."))


def _of_module(root: Path, name: str) -> list[Path]:
    """The file of a module directly in labkit, or all files of the folder in labkit that it lies in."""
    _, first, *others = name.split(".")
    path = root / "labkit" / first
    if path == root / _TOLD:
        return []
    if str(path.relative_to(root)) in _ONLY_IMPORTED:
        inside = [path / "__init__.py", *(path / f"{other}.py" for other in others[:1])]
        return [file for file in inside if file.exists()]
    if path.is_dir():
        return list(files(path))
    file = path.with_suffix(".py")
    return [file] if file.exists() else []


def _text(path: Path) -> bytes:
    text = path.read_bytes()
    return _NOT_STARTED.sub(b"", text) if path.name == "Procfile" else text


@cache
def _mention(name: str) -> re.Pattern[bytes]:
    word = re.escape(name.encode())
    return re.compile(rb"(?:from|import|-m)\s+%b\b|\b%b[./]\w|[\"']%b[\"']" % (word, word, word))
