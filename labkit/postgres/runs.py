"""Which runs are alive, told by locks that the kernel releases however a run ends.

Every process that opened a server holds a file of its own in `runs/`, locked. Databases carry that file's
name, so those of a dead run can be told from everybody else's: no other user or machine ever has that file.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from labkit.postgres.locks import share_lock, try_lock
from labkit.postgres.state import make_folder, state_folder

_held: dict[Path, int] = {}
"""Locks that this process keeps until it ends."""


def token() -> str:
    """The name of this run: its process id and a random part."""
    return _token(os.getpid())


def register(server: str) -> None:
    """Note, before the first database is created there, that this run uses `server`."""
    folder = make_folder(state_folder() / "runs")
    path = folder / token()
    if path not in _held:
        draft = folder / f".{token()}"  # nobody takes it for a dead run's before it is locked
        lock = try_lock(draft)
        assert lock is not None, "a run's token is its own"
        draft.rename(path)
        _held[path] = lock
    if server not in _servers(path):
        with path.open("a") as file:
            file.write(f"{server}\n")


def hold(lock_file: Path) -> None:
    """Share a lock with other runs until this process ends."""
    if lock_file not in _held:
        _held[lock_file] = share_lock(lock_file)


@contextmanager
def dead_runs(server: str) -> Iterator[list[str]]:
    """Tokens of dead runs that used `server`; when the body ends well, they have nothing there any more."""
    held: list[tuple[Path, int]] = []
    try:
        for path in (state_folder() / "runs").glob("[!.]*"):
            if path in _held or (lock := try_lock(path)) is None:
                continue
            if server in _servers(path):
                held.append((path, lock))
                continue
            if not _servers(path):  # another sweep was faster
                path.unlink(missing_ok=True)
            os.close(lock)
        yield [path.name for path, _ in held]
        for path, _ in held:
            if left := [name for name in _servers(path) if name != server]:
                path.write_text("".join(f"{name}\n" for name in left))
            else:
                path.unlink(missing_ok=True)
    finally:
        for _, lock in held:
            os.close(lock)


def _servers(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@cache
def _token(pid: int) -> str:
    return f"{pid}_{secrets.token_hex(4)}"
