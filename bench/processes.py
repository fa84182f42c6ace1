"""Worker processes: started with their output in files, and gone when the block ends, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.contestants import Contestant
from labkit import guard
from labkit.errors import LabError
from labkit.project import environment


@dataclass(frozen=True)
class Worker:
    """A running worker process and the file that holds everything it printed."""

    process: subprocess.Popen[bytes]
    output: Path

    def must_run(self, contestant: Contestant) -> None:
        """LabError with its last words if it has ended."""
        if (code := self.process.poll()) is not None:
            raise self.trouble(contestant, f"ended with status {code}")

    def trouble(self, contestant: Contestant, what: str) -> LabError:
        """An error that says what is wrong with it and what it printed last."""
        lines = self.output.read_text(errors="replace").splitlines()[-8:]
        said = f"Its last words:\n{chr(10).join(lines)}" if lines else "It printed nothing."
        return LabError(
            f"A worker of {contestant.name} {what}. {said}",
            "Run it by hand to see why: " + " ".join(contestant.command),
        )

    def ports(self) -> set[int]:
        """The local ports of its TCP connections: that is how the server's backends are told apart."""
        found: set[int] = set()
        with suppress(psutil.Error):
            parent = psutil.Process(self.process.pid)
            for member in [parent, *parent.children(recursive=True)]:
                found.update(c.laddr.port for c in member.net_connections("tcp") if c.raddr)
        return found


@contextmanager
def workers(contestant: Contestant, count: int, url: str, scratch: Path) -> Iterator[Sequence[Worker]]:
    """`count` workers of a contestant on the database at `url`; killed, with their children, at the end.

    Their output goes to files: that costs every contestant the same, and nobody has to read along.
    """
    running: list[Worker] = []
    try:
        for number in range(count):
            running.append(_start(contestant, url, scratch / f"worker-{number}.log"))
        yield running
    finally:
        for worker in running:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.process.pid, signal.SIGKILL)
            worker.process.wait()
            guard.forget(worker.process.pid)


def _start(contestant: Contestant, url: str, output: Path) -> Worker:
    with output.open("wb") as file:
        process = subprocess.Popen(
            contestant.command,
            cwd=contestant.folder,
            env=environment({"DATABASE_URL": url, **contestant.settings}),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    guard.watch(process.pid)
    return Worker(process, output)
