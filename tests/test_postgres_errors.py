"""What can go wrong with PostgreSQL, and what it is called: each a sentence with a remedy."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from labkit.errors import LabError, UsageError
from labkit.postgres import connection, open_server, opening, shared_status, stop_shared, wheel
from labkit.postgres.state import duration

CLOSED = "postgresql://postgres:p@127.0.0.1:1/postgres"


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder with nothing in it."""
    fast = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="lab-test-", dir=fast if fast.is_mount() else "/var/tmp"))
    folder.chmod(0o711)
    monkeypatch.setenv("LAB_STATE_DIR", str(folder))
    monkeypatch.delenv("LAB_POSTGRES_URL", raising=False)
    monkeypatch.delenv("LAB_POSTGRES_IDLE", raising=False)
    yield folder
    stop_shared()
    shutil.rmtree(folder)


def test_a_full_disk_is_named(empty: Path) -> None:
    code = """if True:
        import resource
        from labkit.postgres import open_server
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            open_server("embedded")
        except Exception as error:
            print(type(error).__name__, error)
    """
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said.startswith("LabError PostgreSQL cannot be set up in "), said
    assert "file too large" in said
    assert "LAB_STATE_DIR" in said


@pytest.mark.parametrize("choice", ["", "mysql", "Embedded", "postgresql+psycopg://x/y"])
def test_an_unknown_choice(choice: str) -> None:
    with pytest.raises(UsageError, match="auto, embedded, docker, url"):
        open_server(choice)


def test_url_without_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_POSTGRES_URL", raising=False)
    with pytest.raises(UsageError, match="LAB_POSTGRES_URL"):
        open_server("url")
    monkeypatch.setenv("LAB_POSTGRES_URL", "localhost:5432")
    for choice in ("url", "auto"):
        with pytest.raises(UsageError, match="not a PostgreSQL URL"):
            open_server(choice)


def test_a_url_that_cannot_be_read() -> None:
    with pytest.raises(UsageError, match="not a valid PostgreSQL URL"):
        open_server("postgresql://user:p%zz@127.0.0.1/x")


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(LabError, match=r"127\.0\.0\.1:1 .*refused") as caught:
        open_server(CLOSED)
    assert "--postgres embedded" in caught.value.remedy


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_PATIENCE_S", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(LabError, match=f"127.0.0.1:{port} .*did not answer"):
            open_server(f"postgresql://postgres@127.0.0.1:{port}/postgres")


def test_a_malformed_idle_time(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_POSTGRES_IDLE", "ten minutes")
    with pytest.raises(UsageError, match="LAB_POSTGRES_IDLE"):
        open_server("embedded")
    assert [duration(text, "X") for text in ("0s", "250ms", "2m")] == [0, 0.25, 120]


def test_without_the_wheel(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "find_wheel", lambda: None)
    monkeypatch.setattr(opening, "find_wheel", lambda: None)
    monkeypatch.setattr(opening, "open_container", lambda: "a container")
    assert open_server("auto") == "a container"
    with pytest.raises(LabError, match="not made for this machine"):
        open_server("embedded")


class TestStateFolder:
    @pytest.fixture(autouse=True)
    def choose(self, empty: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.folder = empty / "chosen"
        monkeypatch.setenv("LAB_STATE_DIR", str(self.folder))
        yield
        with suppress(LabError):
            stop_shared()
        monkeypatch.setenv("LAB_STATE_DIR", str(empty))

    def refused(self, because: str) -> None:
        with pytest.raises(LabError, match=because) as caught:
            open_server("embedded")
        assert "LAB_STATE_DIR" in caught.value.remedy

    def test_that_is_a_file(self) -> None:
        self.folder.write_text("")
        self.refused("is not a folder")

    def test_inside_a_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder.write_text("")
        monkeypatch.setenv("LAB_STATE_DIR", str(self.folder / "deep"))
        self.refused("not a directory")

    def test_that_is_a_link(self) -> None:
        elsewhere = self.folder.with_name("elsewhere")
        elsewhere.mkdir()
        self.folder.symlink_to(elsewhere)
        self.refused("is not a folder")

    def test_that_others_can_write_to(self) -> None:
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.refused("can be written to by others")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_that_is_read_only(self) -> None:
        self.folder.mkdir(mode=0o500)
        self.refused("permission denied")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_that_belongs_to_somebody_else(self) -> None:
        self.folder.mkdir()
        os.chown(self.folder, 12345, 12345)
        self.refused("belongs to user 12345")

    @pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's server runs as that user")
    def test_that_the_servers_account_cannot_reach(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder.mkdir(mode=0o700)
        inside = self.folder / "inside"
        monkeypatch.setenv("LAB_STATE_DIR", str(inside))
        self.refused("cannot enter")
        assert self.folder.stat().st_mode & 0o777 == 0o700

    @pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's server runs as that user")
    def test_of_root_gives_nothing_away(self) -> None:
        server = open_server("embedded")
        server.create_database()
        postmaster = psutil.Process(shared_status().pid)
        assert postmaster.uids().effective != 0
        assert postmaster.gids().effective != 0
        for path in self.folder.rglob("*"):
            mode = path.lstat().st_mode
            assert path.is_symlink() or path.is_socket() or not mode & 0o022, path
        for secret in (*self.folder.glob("*/password"), self.folder / "secret"):
            assert secret.stat().st_mode & 0o777 == 0o600
            assert secret.stat().st_uid == 0
        psycopg.connect(server.admin_url).close()
