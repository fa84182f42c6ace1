"""What is measured, as it lies on the disk: coverage speaks of sources that stay as they are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

from labkit.suite.measure import Target

Sources = Mapping[str, str]
"""Path, from the folder that holds the project's package → a digest of the file."""


def read(target: Target) -> Sources:
    """The measured files as they are now; one that cannot be read counts as none."""
    root = target.path.parent
    found = {}
    for path in _files(target):
        with suppress(OSError), path.open("rb") as file:
            found[os.path.relpath(path, root)] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _files(target: Target) -> Iterator[Path]:
    candidates = [Path(name) for name in target.files] or sorted(target.path.rglob("*.py"))
    for path in candidates:
        left_out = any(fnmatch(os.path.relpath(path, target.path), pattern) for pattern in target.without)
        if path.is_file() and not left_out:
            yield path


def differences(before: Sources, after: Sources) -> list[str]:
    """What differs, a sentence each."""
    told = [f"{name} is gone" for name in before if name not in after]
    told += [f"{name} is new" for name in after if name not in before]
    told += [f"{name} has changed" for name in before if after.get(name, before[name]) != before[name]]
    return told
