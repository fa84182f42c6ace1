"""PostgreSQL in a container: with a Docker engine at hand, on an image that the test makes from the wheel."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from labkit.errors import LabError
from labkit.postgres import open_server
from labkit.postgres.wheel import copy_programs, find_wheel, program_path

IMAGE = "flowforge-labs-test/postgres:18"

ENTRYPOINT = """\
#!/bin/sh
set -e
echo "$POSTGRES_PASSWORD" > /tmp/password
initdb -D /tmp/data -U "$POSTGRES_USER" -A scram-sha-256 --pwfile=/tmp/password -E UTF8 --locale=C -N
echo "host all all all scram-sha-256" >> /tmp/data/pg_hba.conf
exec postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
"""


def engine_answers() -> bool:
    if sys.platform != "linux":  # the image is made from this machine's own files
        return False
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return False
    return (
        shutil.which("docker") is not None
        and not subprocess.run(["docker", "version"], capture_output=True, check=False, timeout=30).returncode
    )


needs_engine = pytest.mark.skipif(
    not engine_answers(),
    reason="NOT TESTED: --postgres docker needs a Docker engine, and none answers here",
)


def libraries(*programs: Path) -> set[Path]:
    """The shared libraries that programs need, and the loader, as paths of this machine."""
    said = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=True).stdout
    words = [word for line in said.splitlines() for word in line.split() if word.startswith("/")]
    return {Path(word) for word in words if not word.endswith(":")}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with PostgreSQL and a shell, and nothing else: nothing can be pulled in a test."""
    wheel = find_wheel()
    assert wheel is not None
    tree = tmp_path_factory.mktemp("image")
    copy_programs(wheel, tree / "opt")
    bin_folder = program_path(tree / "opt", "postgres").parent
    shutil.copy2(wheel.package / "pginstall18" / "bin" / "psql", bin_folder)
    shell = Path("/bin/sh").resolve()
    for path in libraries(shell, *bin_folder.iterdir()):
        if not path.is_relative_to(tree):
            (tree / path.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tree / path.relative_to("/"))
    files = {"etc/passwd": "nobody:x:65534:65534::/:/bin/sh\n", "entrypoint": ENTRYPOINT}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(tree, arcname=".")
        tar.add(shell, arcname="bin/sh")
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)
    changes = [
        f"ENV PATH=/{bin_folder.relative_to(tree)}:/bin",
        'ENTRYPOINT ["/entrypoint"]',
        "USER 65534",
        "EXPOSE 5432",
    ]
    options = [part for change in changes for part in ("--change", change)]
    subprocess.run(
        ["docker", "import", *options, "-", IMAGE], input=archive.getvalue(), check=True, capture_output=True
    )
    yield IMAGE
    subprocess.run(["docker", "rmi", "--force", IMAGE], check=False, capture_output=True)


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


@needs_engine
def test_a_container_serves_the_checks_and_stops(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_POSTGRES_IMAGE", image)
    monkeypatch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")  # its image cannot be pulled either
    server = open_server("docker")
    try:
        assert (server.kind, server.version) == ("docker", 18)
        with server.database() as template:
            query(template.url, "CREATE TABLE t (id int)")
            with server.database(template=template.name) as clone:
                assert query(clone.url, "SELECT CURRENT_USER, (SELECT count(*) FROM t)") == [(clone.role, 0)]
                assert clone.socket_url is None
    finally:
        server.close()
    with pytest.raises(psycopg.OperationalError):
        query(server.admin_url, "SELECT 1")


@needs_engine
def test_an_image_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_POSTGRES_IMAGE", "127.0.0.1:1/not/there:1")
    monkeypatch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
    with pytest.raises(LabError, match="LAB_POSTGRES_IMAGE"):
        open_server("docker")


def test_without_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(LabError, match="no Docker engine answers") as caught:
        open_server("docker")
    assert "--postgres embedded" in caught.value.remedy
