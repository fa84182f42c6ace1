"""A PostgreSQL of the bench's own, on disk and durable: a commit is on the disk before it is answered.

The checks' servers keep their data in memory and do without fsync, because they have nothing to lose. Here
the price of a commit is what is measured.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from labkit.errors import LabError
from labkit.postgres import PrivateServer, Server, private_server
from labkit.postgres.cluster import ADMIN, Store, remove
from labkit.postgres.processes import clean_environment
from labkit.postgres.state import hand_over, make_folder, run_as, state_folder, write_private
from labkit.postgres.wheel import program_path

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    # No checkpoint falls into a measured run: each begins with one.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    # The time at which a completion was committed is read from the server, not guessed from outside.
    "track_commit_timestamp": "on",
}
"""What differs from PostgreSQL's defaults, or matters so much that it is said all the same."""

_REST = {"listen_addresses": "127.0.0.1", "timezone": "UTC", "log_timezone": "UTC"}
_INITDB = ("--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--no-sync")
_ACCESS = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"


@contextmanager
def durable_server() -> Iterator[tuple[Server, Path]]:
    """A running server with a fresh cluster, and a folder for what its clients write.

    It is stopped and both are deleted at the end, by a guard if this process is killed.
    """
    # A state folder that is named is used for the data too: without that, they would go into memory.
    with mock.patch.dict(os.environ, LAB_STATE_DIR=str(state_folder())):
        with private_server() as private:
            private.stop("immediate")
            _initialise(private)
            private.start()
            yield private.server, make_folder(private.folder / "scratch")


def _initialise(private: PrivateServer) -> None:
    """Replace the cluster by one as `initdb` makes it, with the settings above."""
    data, store = private.data, private.store
    remove(data)
    data.mkdir(mode=0o700)
    hand_over(data, store.account)
    _initdb(store, data, private.folder / "password.initdb")
    (data / "pg_hba.conf").write_text(_ACCESS)
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in (SETTINGS | _REST).items())


def _initdb(store: Store, data: Path, password_file: Path) -> None:
    write_private(password_file, store.password)
    hand_over(password_file, store.account)
    command = [
        str(program_path(store.folder / "programs", "initdb")),
        *("--pgdata", str(data), "--username", ADMIN, "--pwfile", str(password_file)),
        *_INITDB,
    ]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        env=clean_environment(),
        check=False,
        **run_as(store.account),
    )
    if done.returncode != 0:
        said = done.stdout.strip().splitlines() or ["nothing was said"]
        raise LabError(f"The bench's PostgreSQL could not be set up: {said[-1]}.", "Try `lab down` first.")
