"""The machine and the programs that a run was made with."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import psutil
import psycopg

from bench.results import Machine
from bench.server import SETTINGS

_PACKAGES = ("psycopg", "asyncpg", "uvloop", "procrastinate", "pgqueuer")


_LISTEN_S = 2.0
TOO_BUSY = 0.1
"""Others that use more of the processors than this spoil the numbers."""


def busy() -> float:
    """How much of the processors is in use while we only wait, from 0 to 1."""
    return psutil.cpu_percent(interval=_LISTEN_S) / 100


def describe(url: str, others: float) -> Machine:
    """This machine, with the server at `url`; `others` is how busy it was before."""
    with psycopg.connect(url, autocommit=True) as connection:
        server = connection.info.parameter_status("server_version") or "?"
        commit = _commit(connection)
    versions = {"Python": platform.python_version(), "PostgreSQL": server}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return Machine(
        cpu=_cpu(),
        cores=psutil.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        commit=commit,
        busy=round(others, 2),
        versions=versions,
        settings=SETTINGS,
    )


def _cpu() -> str:
    if sys.platform == "darwin":
        with suppress(OSError):
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit(connection: psycopg.Connection[tuple[object, ...]]) -> float:
    """The median time of a durable commit, in seconds."""
    connection.execute("CREATE TABLE bench_commit (n integer)")
    times = []
    for number in range(200):
        started = time.perf_counter()
        connection.execute("INSERT INTO bench_commit VALUES (%s)", [number])
        times.append(time.perf_counter() - started)
    connection.execute("DROP TABLE bench_commit")
    return median(times)
