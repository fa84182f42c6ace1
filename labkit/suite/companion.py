"""The seam in a process that tests have started, such as a server of their own."""

from __future__ import annotations

import atexit
import os
import threading

from labkit.sabotage import drivers, saboteurs
from labkit.sabotage.seam import SEAM
from labkit.suite import measure, wire
from labkit.suite.wire import SABOTEUR, SOCKET, Elsewhere


def join() -> None:
    """Put the seam into this process, with the saboteur of the job, and tell the checks what passes."""
    drivers.install()
    SEAM.saboteur = saboteurs.named(os.environ[SABOTEUR])
    measure.begin()
    atexit.register(measure.save)
    path = os.environ.get(SOCKET)
    if not path:
        return
    try:
        connection = wire.connect(path)
    except OSError:  # the job is over
        return
    one_at_a_time = threading.Lock()

    def tell(method: str, resource: str, status: int) -> None:
        with one_at_a_time:
            try:
                wire.send(connection, Elsewhere((method, resource, status)))
            except OSError:
                return

    SEAM.tell = tell
