"""A cluster's files: the programs and an initialised template, both made once, and copies of the template."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError
from labkit.postgres.postmaster import StartError
from labkit.postgres.processes import clean_environment
from labkit.postgres.state import (
    Account,
    hand_over,
    host,
    make_folder,
    run_as,
    service_account,
    state_folder,
    write_private,
)
from labkit.postgres.wheel import MAJOR, copy_programs, program_path, require_wheel

ADMIN = "postgres"

_INITDB = (
    *("--username", ADMIN, "--encoding=UTF8", "--auth=scram-sha-256", "--no-sync", "--no-data-checksums"),
    # Sorts by code point and knows every letter, on every machine alike.
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--wal-segsize=1"),
)

_ACCESS = """\
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""

_SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 200
superuser_reserved_connections = 20    # the checks get in when a project has used up the rest
shared_buffers = 32MB
# A commit is a write to the operating system's cache: it survives a crash of the server, not of the machine.
fsync = off
full_page_writes = off
synchronous_commit = on
wal_level = minimal
max_wal_senders = 0
max_logical_replication_workers = 0
min_wal_size = 16MB
max_wal_size = 256MB
checkpoint_timeout = 1h
log_checkpoints = off
# Nothing outside the data folder that a killed server could leave behind.
dynamic_shared_memory_type = mmap
io_method = sync
log_min_error_statement = panic        # statements can be long, and hold passwords
log_timezone = 'UTC'
timezone = 'UTC'
"""

_NO_STRANGERS = f"""\
REVOKE ALL ON DATABASE {ADMIN} FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;
"""


@dataclass(frozen=True)
class Store:
    """Everything that servers of one PostgreSQL version start from, and where it is kept."""

    state: Path
    folder: Path
    account: Account | None

    @property
    def runs_lock(self) -> Path:
        """Shared by every run that uses a server of this store."""
        return self.folder / "runs.lock"

    @property
    def template(self) -> Path:
        """An initialised cluster that never runs."""
        return self.folder / "template"

    @property
    def postgres(self) -> Path:
        """The server program."""
        return program_path(self.folder / "programs", "postgres")

    @property
    def password(self) -> str:
        """The admin's password."""
        return (self.folder / "password").read_text()

    def is_ready(self) -> bool:
        """Whether `prepare` has finished here, and nobody has deleted what it made."""
        made = (self.folder / "ready", self.folder / "password", self.template / "PG_VERSION", self.postgres)
        return all(path.exists() for path in made)


def start_lock(state: Path) -> Path:
    """Held while a server is started or stopped."""
    return state / "start.lock"


def open_store() -> Store:
    """The store of this user for the installed wheel; its content may have to be prepared."""
    wheel = require_wheel()
    state = state_folder()
    recipe = hashlib.sha256(repr((_INITDB, _ACCESS, _SETTINGS, _NO_STRANGERS)).encode()).hexdigest()[:6]
    folder = state / f"{host()}-pg{MAJOR}-{wheel.version}-{recipe}"
    return Store(state, folder, service_account())


def prepare(store: Store) -> None:
    """Fill the store, unless that has been done. The caller holds its start lock."""
    if store.is_ready():
        return
    try:
        make_folder(store.folder)
        for part in (store.folder / "programs", store.template):
            shutil.rmtree(part, ignore_errors=True)
        copy_programs(require_wheel(), store.folder / "programs")
        _initialise(store)
    except OSError as error:
        raise _no_room(store.folder, error) from error
    (store.folder / "ready").touch()


def spoil(store: Store) -> None:
    """Make the next `prepare` start from nothing."""
    (store.folder / "ready").unlink(missing_ok=True)


def copy_template(store: Store, data: Path) -> None:
    """Make `data` a fresh cluster; what was there is deleted."""
    remove(data)
    try:
        data.mkdir(mode=0o700)
        hand_over(data, store.account)
        # `cp` under the server's account: the copy belongs to it, and it takes a third of shutil's time.
        copied = subprocess.run(
            ["cp", "-R", f"{store.template}/.", str(data)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            env=clean_environment(),
            check=False,
            **run_as(store.account),
        )
    except OSError as error:
        raise _no_room(data, error) from error
    if copied.returncode != 0:
        raise StartError(copied.stderr)


def remove(path: Path) -> None:
    """Delete a folder or a link to one, if it is there."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def admin_url(store: Store, port: int) -> str:
    """Where the admin reaches a server that was started from this store."""
    return f"postgresql://{ADMIN}:{store.password}@127.0.0.1:{port}/{ADMIN}"


def forget(store: Store) -> None:
    """Delete a store that nothing runs from."""
    spoil(store)
    remove(store.folder)


def all_stores(state: Path) -> list[Store]:
    """This machine's stores, of whatever version."""
    return [
        Store(state, path, service_account()) for path in sorted(state.glob(f"{host()}-pg*")) if path.is_dir()
    ]


def _initialise(store: Store) -> None:
    data = store.template
    data.mkdir(mode=0o700)
    hand_over(data, store.account)
    password = secrets.token_hex(16)
    password_file = store.folder / "password.initdb"
    write_private(password_file, password)
    hand_over(password_file, store.account)
    try:
        _run(store, "initdb", "--pgdata", str(data), "--pwfile", str(password_file), *_INITDB)
    finally:
        password_file.unlink(missing_ok=True)
    (data / "pg_hba.conf").write_text(_ACCESS)
    with (data / "postgresql.conf").open("a") as file:
        file.write(_SETTINGS)
    _run(store, "postgres", "--single", "-D", str(data), ADMIN, typed=_NO_STRANGERS)
    write_private(store.folder / "password", password)


def _run(store: Store, program: str, *arguments: str, typed: str = "") -> None:
    done = subprocess.run(
        [*_with_a_name(), str(program_path(store.folder / "programs", program)), *arguments],
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        env=clean_environment(),
        check=False,
        **run_as(store.account),
    )
    if done.returncode == 0 and "ERROR:" not in done.stdout:  # single-user mode ends with 0 all the same
        return
    if not _has_name():
        said = done.stdout.strip().splitlines() or ["nothing was said"]
        raise LabError(
            f"PostgreSQL cannot be set up, because user id {os.geteuid()} has no name on this machine "
            f"(in /etc/passwd): {said[-1]}.",
            "Run as a user that has one, or use another PostgreSQL: LAB_POSTGRES_URL=postgresql://…",
        )
    raise StartError(done.stdout)


def _with_a_name() -> list[str]:
    """What makes a program believe that its user has a name: initdb insists on it, containers lack it."""
    if _has_name() or (unshare := shutil.which("unshare")) is None:
        return []
    return [unshare, "--user", "--map-user=65534", "--map-group=65534", "--"]


def _has_name() -> bool:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def _no_room(path: Path, error: OSError) -> LabError:
    if isinstance(error, shutil.Error):  # one entry a file: (from, to, reason)
        reason = re.sub(r"^\[Errno \d+\] ([^:]+).*", r"\1", str(error.args[0][0][2])).lower()
    else:
        reason = (error.strerror or str(error)).lower()
    return LabError(
        f"PostgreSQL cannot be set up in {path}: {reason}.",
        "Make room or give yourself the right to write there, or name another folder in LAB_STATE_DIR.",
    )
