"""Makes the repository that students get: the course without its answers."""

from __future__ import annotations

import shutil
from pathlib import Path

from labkit.errors import LabError, UsageError

_COPIED = {
    "classroom": ".",
    "starter": "project",
    "labs": "labs",
    "checks": "checks",
    "labkit": "labkit",
    "docs/concepts": "docs/concepts",
    "docs/environment.md": "docs/environment.md",
    "docs/performance.md": "docs/performance.md",
    "docs/performance.svg": "docs/performance.svg",
    "openapi.yaml": "openapi.yaml",
    "schemathesis.toml": "schemathesis.toml",
    "pyproject.toml": "pyproject.toml",
    "constraints.txt": "constraints.txt",
    "bootstrap.sh": "bootstrap.sh",
    "Makefile": "Makefile",
}
"""What goes where; everything that is not named stays behind."""

_NEVER = shutil.ignore_patterns(
    *("__pycache__", "*.pyc", ".*_cache", "*.egg-info", ".hypothesis", ".lab", ".venv"),
    *(".git", ".env", ".DS_Store"),
)


def make(root: Path, destination: Path) -> int:
    """Copy the students' repository from `root` to `destination`, and return how many files it has.

    UsageError if the destination exists already and is not an empty folder; LabError if it cannot be written.
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UsageError(
            f"{destination} exists already and is not an empty folder.",
            "Name a folder that does not exist yet.",
        )
    _require_sources(root)
    if inside := next((s for s in _COPIED if destination.resolve().is_relative_to(root / s)), None):
        raise UsageError(
            f"{destination} lies in {inside}/, which is copied itself.", "Name a folder outside of it."
        )
    try:
        for source, target in _COPIED.items():
            if (root / source).is_dir():
                shutil.copytree(root / source, destination / target, ignore=_NEVER, dirs_exist_ok=True)
            else:
                (destination / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / source, destination / target)
    except (OSError, shutil.Error) as error:
        raise LabError(
            f"{destination} could not be written: {_reason(error)}.", "Choose a folder that you may write to."
        ) from None
    return sum(path.is_file() for path in destination.rglob("*"))


def _require_sources(root: Path) -> None:
    if missing := [source for source in _COPIED if not (root / source).exists()]:
        raise LabError(
            f"{root} lacks {', '.join(missing)}, so it is not the instructors' repository.",
            "Run `lab starter` in a complete checkout.",
        )


def _reason(error: OSError) -> str:
    if isinstance(error, shutil.Error):  # one entry a file: (from, to, reason)
        return str(error.args[0][0][2])
    return str(error.strerror or error).lower()
