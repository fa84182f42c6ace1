"""A contestant: a queue, a command that starts one worker on it, and its settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.queues import Queue

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, eq=False)
class Contestant:
    """A system with its settings. `label` tells it from the others of the same system.

    `log` says whether it writes a JSON line for every task; `guess` is about how many tasks one worker drains
    in a second, for the first run only: the others go by what that one found.
    """

    queue: Queue
    label: str
    command: tuple[str, ...]
    folder: Path = ROOT
    settings: Mapping[str, str] = field(default_factory=dict)
    log: bool = False
    guess: int = 1000

    @property
    def name(self) -> str:
        return f"{self.queue.name}, {self.label}"


def program(module: str, *arguments: str) -> tuple[str, ...]:
    """The command of a worker in `bench/workers`."""
    return (sys.executable, "-m", f"bench.workers.{module}", *arguments)
