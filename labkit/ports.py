"""TCP ports on this machine: which are free, who listens, and whose connections there are."""

from __future__ import annotations

import contextlib
import random
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import psutil

from labkit.errors import LabError

_TRIED = 200


def accepts_connections(port: int) -> bool:
    """Whether something on 127.0.0.1 accepts TCP connections on that port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody uses, outside the range that outgoing connections draw from."""
    numbers = random.SystemRandom()
    tried = [numbers.randrange(20_000, 32_000) for _ in range(_TRIED)]
    for port in [*tried, 0]:  # 0: any that is left, should somebody have taken them all
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LabError("No TCP port is left on 127.0.0.1.", "Which process listens on thousands of them?")


def listens(pid: int, port: int) -> bool:
    """Whether a process or a child of its listens there."""
    return any(place.endswith(f":{port}") for place in listening(pid))


def listening(pid: int) -> list[str]:
    """Where a process and its children listen, as host:port."""
    places: set[str] = set()
    for _, connection in _connections(pid):
        if connection.status == psutil.CONN_LISTEN:
            host = connection.laddr.ip
            places.add(f"{f'[{host}]' if ':' in host else host}:{connection.laddr.port}")
    return sorted(places)


def most_at_once(pid: int, ports: Iterable[int]) -> int:
    """Of connections from these ports the most that one process has open: that one, or a child of its."""
    owners = {connection.laddr.port: member for member, connection in _connections(pid)}
    return max(Counter(owners.get(port) for port in ports).values(), default=0)


def family(pid: int) -> list[psutil.Process]:
    """The children of a process, and theirs."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _connections(pid: int) -> Iterator[tuple[int, Any]]:
    """The TCP connections of a process and its children, each with the process that has it."""
    for member in [pid, *(child.pid for child in family(pid))]:
        with contextlib.suppress(psutil.Error):
            for connection in psutil.Process(member).net_connections("tcp"):
                yield member, connection
