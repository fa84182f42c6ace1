"""Where everything that outlives a process is kept, who owns it, and the locks that several runs share.

The state folder is `LAB_STATE_DIR` if that is set, else `flowforge-labs` in the user's cache folder.
PostgreSQL refuses to run as root, so root's servers run as `nobody`, and root's state folder is one that
`nobody` can reach.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import pwd
import re
import secrets
import shutil
import socket
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from labkit.errors import LabError, UsageError
from labkit.postgres.locks import locked

ROOT_STATE = Path("/var/tmp/flowforge-labs-root")
MEMORY = Path("/dev/shm")
"""Linux' file system in memory. A database there costs the same wherever the disk is slow."""

_SOCKET_PATH = 80
"""Longest path of a socket's folder, in bytes: macOS allows 103, `.s.PGSQL.65535.lock` included."""
_MEMORY_FREE = 2 << 30
_MEMORY_AVAILABLE = 4 << 30


@dataclass(frozen=True)
class Account:
    """The unprivileged account that servers run under when the checks are run by root."""

    uid: int
    gid: int


def service_account() -> Account | None:
    """The account for PostgreSQL's processes, or None when they run as the user who runs the checks."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(nobody.pw_uid, nobody.pw_gid)


def run_as(account: Account | None) -> dict[str, Any]:
    """Arguments of `subprocess.Popen` that run a program under `account`, with no other group."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def hand_over(path: Path, account: Account | None) -> None:
    """Make `path` belong to the account that PostgreSQL runs under."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def state_folder() -> Path:
    """The state folder, made if it is not there yet; LabError when it cannot be used safely."""
    chosen = os.environ.get("LAB_STATE_DIR")
    if chosen:
        folder = Path(chosen).expanduser().absolute()
    elif os.geteuid() == 0:
        folder = ROOT_STATE
    else:
        folder = _cache_folder() / "flowforge-labs"
    try:
        _own(folder)
    except OSError as error:
        raise LabError(
            f"The folder {folder}, where the checks keep their PostgreSQL, cannot be used: {_reason(error)}.",
            "Make it writable for you, or name another folder in LAB_STATE_DIR.",
        ) from error
    account = service_account()
    if account is not None and (closed := _closed_to(account, folder)):
        raise LabError(
            f"PostgreSQL does not run as root, and the account nobody cannot enter {closed}.",
            "Name a folder in LAB_STATE_DIR that every account can reach, for example one in /var/tmp.",
        )
    return folder


def fast_folder(state: Path) -> Path:
    """Where a server's data goes: in memory if there is plenty and nobody clears it away, else in `state`.

    Data is never needed after a restart of the machine, and creating a database is creating 300 files.
    """
    # systemd empties /dev/shm of a user's files when they log out, under a server that still runs.
    kept_at_logout = os.geteuid() == 0 or not Path("/run/systemd/system").exists()
    if "LAB_STATE_DIR" not in os.environ and kept_at_logout and _plenty_of_memory():
        folder = MEMORY / f"flowforge-labs-{os.geteuid()}"
        with suppress(OSError, LabError):
            _own(folder)
            return folder
    return state


def host() -> str:
    """This machine's name, for what lies in a home folder that several machines share."""
    return re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname().partition(".")[0])[:24].strip("-") or "host"


def make_folder(path: Path) -> Path:
    """A folder of ours inside the state folder: others may pass through it, not look into it."""
    with suppress(FileExistsError):
        path.mkdir()
        path.chmod(0o711)  # whatever the umask is
    return path


def socket_folder(beside: Path, account: Account | None) -> Path | None:
    """A folder for a server's unix socket: in `beside`, or in /tmp when that path is too long for one."""
    folder = _socket_path(beside)
    if len(os.fsencode(folder)) > _SOCKET_PATH:
        return None
    try:
        folder.mkdir(mode=0o711, exist_ok=True)
        found = folder.lstat()
        owners = {os.geteuid(), account.uid if account else os.geteuid()}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
            return None
        folder.chmod(0o711)
        hand_over(folder, account)
    except OSError:
        return None
    return folder


def remove_socket_folder(beside: Path) -> None:
    """Delete what `socket_folder` made, wherever that was."""
    shutil.rmtree(_socket_path(beside), ignore_errors=True)


def _socket_path(beside: Path) -> Path:
    folder = beside / "sock"
    if len(os.fsencode(folder)) <= _SOCKET_PATH:
        return folder
    tag = hashlib.sha256(os.fsencode(folder)).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"flowforge-{tag}"


def derived_password(state: Path, name: str) -> str:
    """The password of role `name`: random to everybody else, the same for all processes of this user."""
    return hmac.new(_secret(state), name.encode(), "sha256").hexdigest()[:32]


def duration(text: str, variable: str) -> float:
    """Seconds in a duration like `500ms`, `30s` or `10m`; UsageError naming `variable` for anything else."""
    if not (match := re.fullmatch(r"([0-9]{1,9})(ms|s|m)", text)):
        raise UsageError(
            f"{variable} is {text!r}, which is not a duration.", "Write a whole number with ms, s or m: 30s."
        )
    return int(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2]]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.rename(path)


def _cache_folder() -> Path:
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    if chosen.startswith("/"):  # the standard says to ignore a relative one
        return Path(chosen)
    try:
        return Path.home() / ".cache"
    except RuntimeError as error:
        raise LabError(
            "The checks keep their PostgreSQL in your cache folder, but you have no home folder.",
            "Set HOME, or name a folder in LAB_STATE_DIR.",
        ) from error


def _own(folder: Path) -> None:
    """Make `folder` if it is not there; refuse one that somebody else could have put there or can change."""
    mode = 0o711 if os.geteuid() == 0 else 0o700
    with suppress(FileExistsError):
        folder.mkdir(mode=mode, parents=True)
        folder.chmod(mode)
    found = folder.lstat()
    remedy = "Remove it, or name another folder in LAB_STATE_DIR."
    if not stat.S_ISDIR(found.st_mode):
        raise LabError(f"{folder}, where the checks keep their PostgreSQL, is not a folder.", remedy)
    if found.st_uid != os.geteuid():
        raise LabError(
            f"{folder}, where the checks keep their PostgreSQL, belongs to user {found.st_uid}, not to you.",
            remedy,
        )
    if found.st_mode & 0o022:
        raise LabError(
            f"{folder}, where the checks keep their PostgreSQL, can be written to by others.",
            f"Run `chmod go-w {folder}`, or name another folder in LAB_STATE_DIR.",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(13, "Permission denied")


def _closed_to(account: Account, folder: Path) -> Path | None:
    """The first folder on the way to `folder` that `account` may not pass through."""
    for step in [*reversed(folder.resolve().parents), folder.resolve()]:
        found = step.stat()
        if found.st_uid == account.uid:
            bit = stat.S_IXUSR
        elif found.st_gid == account.gid:
            bit = stat.S_IXGRP
        else:
            bit = stat.S_IXOTH
        if not found.st_mode & bit:
            return step
    return None


def _plenty_of_memory() -> bool:
    if not MEMORY.is_mount():
        return False
    free = os.statvfs(MEMORY)
    return (
        free.f_bavail * free.f_frsize >= _MEMORY_FREE
        and free.f_favail >= 100_000
        and psutil.virtual_memory().available >= _MEMORY_AVAILABLE
    )


def _secret(state: Path) -> bytes:
    path = state / "secret"
    with suppress(FileNotFoundError):
        return bytes.fromhex(path.read_text())
    with locked(state / "secret.lock"):
        if not path.exists():
            write_private(path, secrets.token_hex(32))
    return bytes.fromhex(path.read_text())


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
