"""Lock files: what processes share or do one after the other. The kernel releases them however they end."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.errors import LabError

_PATIENCE_S = 90.0


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` alone; wait for whoever has it."""
    deadline = time.monotonic() + _PATIENCE_S
    while (lock := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise LabError(
                f"Another run has been starting or stopping PostgreSQL for {_PATIENCE_S:.0f} s "
                f"and holds {path}.",
                "End that run, or wait for it, and try again.",
            )
        time.sleep(0.01)
    try:
        yield
    finally:
        os.close(lock)


def try_lock(path: Path) -> int | None:
    """Lock the file `path` for this process alone: a descriptor to close, or None if somebody has it."""
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError as error:
        os.close(lock)
        raise _cannot_lock(path, error) from error
    return lock


def share_lock(path: Path) -> int:
    """Lock the file `path` together with others; the kernel lets go of it however this process ends."""
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
    except OSError as error:
        os.close(lock)
        raise _cannot_lock(path, error) from error
    return lock


def is_locked(path: Path) -> bool:
    """Whether anybody holds the lock file `path`."""
    if (lock := try_lock(path)) is None:
        return True
    os.close(lock)
    return False


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _cannot_lock(path, error) from error


def _cannot_lock(path: Path, error: OSError) -> LabError:
    return LabError(
        f"The lock file {path} cannot be used: {(error.strerror or str(error)).lower()}.",
        "Name a folder on a local disk in LAB_STATE_DIR, or make this one writable.",
    )
