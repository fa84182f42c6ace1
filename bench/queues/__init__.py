"""The queues that are compared: how each is set up, filled and watched, in SQL and its public API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True)
class Queue:
    """One system's queue in a database of its own.

    `prepare(url)` makes its tables, `fill(url, count)` adds that many no-op jobs, and `insert` is a statement
    that adds one. `table` holds the jobs that wait; `left` tells cheaply whether any job waits or runs, and
    `done` counts the completed ones and gives the moment at which the last of them was committed. `claimed`
    is the status of a job that a worker has taken. `history` adds completed jobs of the past.
    """

    name: str
    table: LiteralString
    prepare: Callable[[str], None]
    fill: Callable[[str, int], None]
    clear: LiteralString
    left: LiteralString
    done: LiteralString
    insert: LiteralString
    claimed: str
    history: LiteralString
