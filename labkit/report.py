"""The report: made once, stored as JSON (schema 1), exported many times."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labkit.checks import Outcome
from labkit.errors import LabError, UsageError
from labkit.evidence import Wait

SCHEMA = 1


@dataclass(frozen=True)
class Verdict:
    """How one check ended and what the student is told. Durations in seconds.

    `blocked_by` is the id of the check that must pass first, `log` and `curl` are the last lines and
    requests, `advice` is shown and not graded; `waits` are how long it waited for what, for each deadline.
    """

    id: str
    title: str
    outcome: Outcome
    score: float
    max_score: float
    duration_s: float
    did: str
    expected: str
    saw: str
    ask: str
    read: str
    again: str
    blocked_by: str | None = None
    curl: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()

    @property
    def lab(self) -> str:
        return self.id.split(".")[0]


@dataclass(frozen=True)
class Lab:
    """A lab's verdicts. `score` and `max_score` are in the course's points."""

    id: str
    title: str
    score: float
    max_score: float
    checks: tuple[Verdict, ...]


@dataclass(frozen=True)
class Report:
    """The outcome of one run. `started_at` is RFC 3339 in UTC."""

    course: str
    project: str
    seed: int
    started_at: str
    duration_s: float
    score: float
    max_score: float
    labs: tuple[Lab, ...]
    schema: int = SCHEMA

    def verdicts(self, outcome: Outcome | None = None) -> list[Verdict]:
        """All verdicts, or those with that outcome, in the order of the labs."""
        return [v for lab in self.labs for v in lab.checks if outcome is None or v.outcome == outcome]


@dataclass(frozen=True)
class Course:
    """The course's name and, by the labs' ids in order, their titles, points, and handouts that exist."""

    name: str
    titles: Mapping[str, str] = field(default_factory=dict)
    points: Mapping[str, float] = field(default_factory=dict)
    handouts: Mapping[str, str] = field(default_factory=dict)


def load_course(root: Path) -> Course:
    """labs/course.toml under the root; a nameless course without it, LabError if it is broken."""
    path = root / "labs" / "course.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        labs = table["labs"]
        return Course(
            name=table["name"],
            titles={lab["id"]: lab["title"] for lab in labs},
            points={lab["id"]: float(lab["points"]) for lab in labs},
            handouts={lab["id"]: lab["handout"] for lab in labs if (root / lab["handout"]).is_file()},
        )
    except FileNotFoundError:
        return Course(name="unnamed")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(
            f"{path} cannot be read: {error!r}.", "Restore it: git checkout labs/course.toml"
        ) from None


def compose(
    verdicts: Iterable[Verdict],
    course: Course,
    *,
    project: str,
    seed: int,
    started_at: str,
    duration_s: float,
) -> Report:
    """Put verdicts together, sorted by lab and then in the order given."""
    by_lab: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_lab.setdefault(verdict.lab, []).append(verdict)
    labs = tuple(
        Lab(
            id=lab,
            title=course.titles.get(lab, lab),
            score=_sum(v.score for v in of_lab),
            max_score=_sum(v.max_score for v in of_lab),
            checks=tuple(of_lab),
        )
        for lab, of_lab in sorted(by_lab.items())
    )
    return Report(
        course=course.name,
        project=project,
        seed=seed,
        started_at=started_at,
        duration_s=round(duration_s, 2),
        score=_sum(lab.score for lab in labs),
        max_score=_sum(lab.max_score for lab in labs),
        labs=labs,
    )


def _sum(points: Iterable[float]) -> float:
    return round(sum(points), 4)


def save(report: Report, path: Path) -> None:
    """Write the report as JSON, whole or not at all; LabError if that is not possible."""
    fields = asdict(report)
    text = json.dumps({"schema": fields.pop("schema"), **fields}, indent=1, ensure_ascii=False) + "\n"
    draft = _draft(path)
    try:
        # Half a surrogate pair is no UTF-8; written as an escape it is JSON.
        draft.write_bytes(text.encode("utf-8", "backslashreplace"))
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise LabError(
            f"The report could not be written to {path}: {error.strerror}.",
            "Make room there, or name another file: --report FILE",
        ) from None


def require_writable(path: Path) -> None:
    """UsageError unless a report can be written to `path`, to be known before the checks run; makes its
    folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        _draft(path).touch()
        _draft(path).unlink()
    except OSError as error:
        raise UsageError(
            f"A report cannot be written to {path}: {str(error.strerror).lower()}.",
            "Name another file: --report FILE",
        ) from None


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def read(path: Path) -> Report:
    """A stored report; UsageError if the file is not one."""
    remedy = "Make one with: lab check --report FILE"
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["schema"] != SCHEMA:
            raise ValueError(f"it has schema {table['schema']!r}, this version reads {SCHEMA}")
        return report_from(table)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {str(error.strerror).lower()}.", remedy) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} is not a report: {_why(error)}.", remedy) from None


def _why(error: Exception) -> str:
    match error:
        case json.JSONDecodeError() | UnicodeDecodeError():
            return "it is not JSON"
        case KeyError(args=(name, *_)):
            return f"{name!r} is missing"
        case _:
            return str(error)


def report_from(table: Mapping[str, Any]) -> Report:
    """A report from its JSON form; what this version does not know is left out."""
    return Report(
        course=str(table["course"]),
        project=str(table["project"]),
        seed=int(table["seed"]),
        started_at=str(table["started_at"]),
        duration_s=float(table["duration_s"]),
        score=float(table["score"]),
        max_score=float(table["max_score"]),
        labs=tuple(
            Lab(
                id=str(lab["id"]),
                title=str(lab["title"]),
                score=float(lab["score"]),
                max_score=float(lab["max_score"]),
                checks=tuple(verdict_from(check) for check in lab["checks"]),
            )
            for lab in table["labs"]
        ),
    )


def verdict_from(table: Mapping[str, Any]) -> Verdict:
    """A verdict from its JSON form."""
    texts = ("id", "title", "did", "expected", "saw", "ask", "read", "again")
    blocked_by = table["blocked_by"]
    return Verdict(
        **{name: str(table[name]) for name in texts},
        outcome=Outcome(table["outcome"]),
        score=float(table["score"]),
        max_score=float(table["max_score"]),
        duration_s=float(table["duration_s"]),
        blocked_by=None if blocked_by is None else str(blocked_by),
        advice=tuple(str(text) for text in table.get("advice", ())),
        curl=tuple(str(line) for line in table.get("curl", ())),
        log=tuple(str(line) for line in table.get("log", ())),
        waits=tuple(_wait_from(wait) for wait in table.get("waits", ())),
    )


def _wait_from(table: Mapping[str, Any]) -> Wait:
    given, fixed, took = (float(table[name]) for name in ("given", "fixed", "took"))
    return Wait(given, fixed, took, bool(table["met"]))
