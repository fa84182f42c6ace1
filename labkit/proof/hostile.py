"""Hostile specimens: what they have gained, what they have broken, and what they have left behind."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from labkit import evidence, postgres
from labkit.checks import Outcome
from labkit.errors import LabError
from labkit.postgres import Server
from labkit.postgres.connection import admin
from labkit.proof.grading import Graded, grade_closely
from labkit.proof.specimens import Specimen
from labkit.report import Report

RUN_S = 300.0
"""How long a run may take, whatever the project does."""
_GONE_S = 5.0
"""How long after a run its last processes may need to be gone."""

_LEFT = r"""
    SELECT 'the database ' || datname FROM pg_database WHERE datname LIKE %(pattern)s
    UNION ALL SELECT 'the role ' || rolname FROM pg_roles WHERE rolname LIKE %(pattern)s
    ORDER BY 1
"""
_STRANGERS = r"""
    SELECT 'the database ' || datname FROM pg_database WHERE datname NOT LIKE 'lab\_%'
    UNION ALL SELECT 'the role ' || rolname FROM pg_roles WHERE rolname NOT LIKE 'lab\_%'
"""


@dataclass(frozen=True)
class Before:
    """How things are without anything hostile: the checks that the plain starter passes, the server, and what
    there is on it that no run has made."""

    starter: frozenset[str]
    server: Server
    strangers: frozenset[str] | None = None


@contextmanager
def before(root: Path, chosen: Sequence[Specimen]) -> Iterator[Before | None]:
    """What these specimens are compared with, for the length of a `with` block; None if none is hostile."""
    hostile = [specimen for specimen in chosen if specimen.hostile]
    if not hostile:
        yield None
        return
    server = postgres.open_server()
    try:
        yield Before(_passed_by_the_starter(root, hostile), server, _strangers(server))
    finally:
        server.close()


def _strangers(server: Server) -> frozenset[str]:
    """The databases and roles that no run has made, each as the beginning of a sentence."""
    with admin(server.admin_url, "look for what is there before a run") as connection:
        return frozenset(name for (name,) in connection.execute(_STRANGERS).fetchall())


def _passed_by_the_starter(root: Path, hostile: Sequence[Specimen]) -> frozenset[str]:
    """The checks that pass on the starter as it is, among those that these specimens are run on."""
    over = [specimen for specimen in hostile if specimen.hostile and specimen.fails is None]
    labs = sorted({lab for specimen in over for lab in specimen.labs})
    if not labs:
        return frozenset()
    only = [specimen.hostile.only for specimen in over if specimen.hostile]
    with tempfile.TemporaryDirectory(prefix="lab-prove-") as scratch:
        folder = Path(scratch, "project")
        Specimen("starter", root / "starter", (), "", None).build(root / "project", folder)
        options = ["-k", " or ".join(f"({names})" for names in sorted(set(only)))] if all(only) else []
        file = Path(scratch, "report.json")
        graded = grade_closely(root, labs, file, RUN_S, "--project", str(folder), *options)
    if errors := graded.report.verdicts(Outcome.ERROR):
        raise LabError(f"The plain starter cannot be graded: {errors[0].saw}")
    return _passed(graded.report)


def _passed(report: Report) -> frozenset[str]:
    return frozenset(verdict.id for verdict in report.verdicts(Outcome.PASSED))


def examine(root: Path, specimen: Specimen, scratch: Path, before: Before) -> tuple[Report, list[str]]:
    """Run the checks on a hostile specimen in the folder `scratch`; the report, and what is wrong with how
    the run went, in sentences. LabError if there is no report, or not in time."""
    assert specimen.hostile is not None
    temporary = scratch / "tmp"
    temporary.mkdir()
    folder = scratch / "project"
    specimen.build(root / "project", folder)
    only = specimen.hostile.only
    graded = grade_closely(
        root,
        specimen.labs,
        scratch / "report.json",
        RUN_S,
        *("--project", str(folder)),
        *(("-k", only) if only else ("--graded",)),
        variables={"TMPDIR": str(temporary)},
    )
    path = specimen.source.relative_to(root)
    problems = [*graded.told, *_raw(graded, scratch / "report.json"), *left(scratch, graded.pid, before)]
    if specimen.fails is None:
        problems += [
            f"{path}: {check} passes, as it does not on the plain starter. Sharpen the check: nothing has "
            "been built that would earn it."
            for check in sorted(_passed(graded.report) - before.starter)
        ]
    return graded.report, problems


def _raw(graded: Graded, file: Path) -> list[str]:
    """What a terminal would obey, in the output and in the report."""
    places = {"the terminal output": graded.output}
    places |= {f"the report, {where}": text for where, text in _texts(json.loads(file.read_text("utf-8")))}
    return [
        f"There are raw control characters in {where}: {evidence.shorten(line.strip(), 120)}. "
        "Whatever a project says goes through evidence.harmless()."
        for where, text in places.items()
        for line in text.split("\n")
        if not line.isprintable()
    ][:5]


def _texts(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield where, value
        case dict():
            for name, member in value.items():
                yield from _texts(member, f"{where}.{name}".lstrip("."))
        case list():
            for member in value:
                yield from _texts(member, where)


def left(scratch: Path, pid: int, before: Before) -> list[str]:
    """What the run of process `pid` has left behind: processes (which are killed), databases and roles, and
    files in its temporary folder, `tmp` in `scratch`."""
    problems = []
    until = time.monotonic() + _GONE_S
    while (alive := _processes(scratch)) and time.monotonic() < until:
        time.sleep(0.05)
    for process in alive:
        with suppress(psutil.Error):
            shown = evidence.shorten(" ".join(process.cmdline()), 120)
            process.kill()
            problems.append(f"A process is left: {shown}. Who should have ended it? labkit/guard.py")
    with admin(before.server.admin_url, "look for what a run has left") as connection:
        names = connection.execute(_LEFT, {"pattern": rf"lab\_{pid}\_%"}).fetchall()
    problems += [f"{name} is left. Who should have dropped it? checks/conftest.py" for (name,) in names]
    if before.strangers is not None:
        problems += [
            f"{name} has been made by somebody. Who has let a project do that? labkit/postgres/sessions.py. "
            "Drop it before you run this again."
            for name in sorted(_strangers(before.server) - before.strangers)
        ]
    files = sorted(str(path.relative_to(scratch)) for path in (scratch / "tmp").rglob("*"))
    if files:
        shown = evidence.shorten(", ".join(files), 200)
        problems.append(f"Files are left in the temporary folder: {shown}. Who should have removed them?")
    return problems


def _processes(scratch: Path) -> list[psutil.Process]:
    """Processes that work in the folder, or know of it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            words = [process.cwd(), *process.cmdline(), *process.environ().values()]
            if any(str(scratch) in word for word in words):
                found.append(process)
    return found
