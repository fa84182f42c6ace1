"""What was measured: recorded once, as JSON, and made into a page and a picture as often as one likes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

from labkit.errors import UsageError


@dataclass(frozen=True)
class Throughput:
    """A system with its settings: tasks per second in each round, and what a task cost the server.

    `wal` is bytes and `commits` transactions that wrote, both per task. `history` counts completed jobs that
    lay in the database before.
    """

    system: str
    label: str
    processes: int
    log: bool
    history: int
    tasks: int
    rates: tuple[float, ...]
    wal: float
    commits: float

    @property
    def rate(self) -> float:
        return median(self.rates)


@dataclass(frozen=True)
class Pickup:
    """Seconds from the commit of an INSERT to the commit of the claim, one worker, nothing else to do."""

    system: str
    label: str
    samples: int
    p50: float
    p99: float


@dataclass(frozen=True)
class Machine:
    """Where it was measured.

    `commit` is how long a durable commit of one row takes, in seconds; `busy` how much of the processors
    others used just before, from 0 to 1.
    """

    cpu: str
    cores: int
    memory_gb: float
    system: str
    commit: float
    busy: float
    versions: dict[str, str]
    settings: dict[str, str]


@dataclass(frozen=True)
class Results:
    """A whole run of the bench."""

    date: str
    command: str
    rounds: int
    minutes: float
    machine: Machine
    throughput: tuple[Throughput, ...]
    pickup: tuple[Pickup, ...]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """UsageError when there is no such file, or it holds something else."""
        try:
            found: dict[str, Any] = json.loads(path.read_text())
            found["machine"] = Machine(**found["machine"])
            found["throughput"] = tuple(
                Throughput(**(row | {"rates": tuple(row["rates"])})) for row in found["throughput"]
            )
            found["pickup"] = tuple(Pickup(**row) for row in found["pickup"])
            return cls(**found)
        except OSError as error:
            why = str(error.strerror).lower()
        except (ValueError, KeyError, TypeError) as error:
            why = f"it is not a record of this bench ({error})"
        raise UsageError(f"{path} cannot be read: {why}.", "Run `make bench`: it writes one.") from None

    def sorted(self) -> list[Throughput]:
        """Each system's rows together, systems and settings in the order in which they first appear."""
        systems = list(dict.fromkeys(row.system for row in self.throughput))
        settings = list(dict.fromkeys((row.label, row.log) for row in self.throughput))
        return sorted(
            self.throughput,
            key=lambda row: (systems.index(row.system), settings.index((row.label, row.log)), row.processes),
        )

    def best(self, system: str, processes: int, log: bool = False) -> Throughput | None:
        """The settings with which a system was fastest on a queue without history."""
        fitting = [
            row
            for row in self.throughput
            if (row.system, row.processes, row.log, row.history) == (system, processes, log, 0)
        ]
        return max(fitting, key=lambda row: row.rate, default=None)


def ratio(one: Throughput, other: Throughput) -> float:
    """How many times as fast `one` is: the median over the rounds, each compared with its own neighbour."""
    return median(a / b for a, b in zip(one.rates, other.rates, strict=False))
