"""`lab …`: what students and instructors type."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from labkit import encoding
from labkit.errors import LabError, UsageError

ROOT = Path(__file__).resolve().parent.parent
"""The repository that this labkit belongs to."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="FlowForge Labs. Exit status: 0 all passed, 1 a check failed, 3 the grader failed, 4 wrong usage.",
)

_Mistyped: type[Exception] = typer.BadParameter.__mro__[2]
"""ClickException, of the click that typer brings along or of click itself: that differs by version."""

ProjectOption = Annotated[Path, typer.Option("--project", metavar="DIR", help="The project's folder.")]
PostgresOption = Annotated[
    str,
    typer.Option("--postgres", metavar="WHICH", help="auto, embedded, docker, url, or a postgresql:// URL."),
]


def main() -> None:
    """The entry point: runs the command and turns every foreseeable problem into a sentence and a status."""
    for stream in (sys.stdout, sys.stderr):
        encoding.make_lenient(stream)
    signal.signal(signal.SIGTERM, _like_ctrl_c)
    try:
        status = app(standalone_mode=False)
    except LabError as error:
        _say(str(error))
        status = error.exit_status
    except _Mistyped as error:
        if told := str(error.format_message()):  # type: ignore[attr-defined]
            _say(f"{told}\nSee: lab --help")
        status = UsageError.exit_status
    except (KeyboardInterrupt, typer.Abort):
        _say("Stopped.")
        status = 130
    sys.exit(status or 0)


def _like_ctrl_c(number: int, frame: object) -> None:
    """SIGTERM comes to us alone, Ctrl-C to all that we have started as well: let there be no difference."""
    import psutil

    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            child.send_signal(number)
    raise KeyboardInterrupt


def _say(text: str) -> None:
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"lab: {text}")


@app.command()
def check(
    lab: Annotated[str | None, typer.Argument(help="A lab's number; all labs if left out.")] = None,
    k: Annotated[
        str | None, typer.Option("-k", metavar="NAME", help="Only the checks with that name.")
    ] = None,
    project: ProjectOption = Path("project"),
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write the report there as JSON.")
    ] = None,
    postgres: PostgresOption = "auto",
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, help="A line for every check; -vv for tracebacks.")
    ] = 0,
    processes: Annotated[
        int, typer.Option("-n", metavar="N", min=0, help="Run the checks in N processes side by side.")
    ] = 0,
) -> int:
    """Run the checks of a lab, or of all labs, with feedback that teaches."""
    import pytest

    arguments = [str(_folder(lab)), f"--rootdir={ROOT}", "--project", str(project.absolute())]
    arguments += ["--postgres", postgres]
    arguments += ["-k", k] if k else ["--graded"]
    arguments += ["--report", str(report.absolute())] if report else []
    arguments += [f"-{'v' * verbose}"] if verbose else []
    arguments += ["-n", str(processes)] if processes else []
    return int(pytest.main(["-c", str(ROOT / "pyproject.toml"), *arguments]))


def _folder(lab: str | None) -> Path:
    checks = ROOT / "checks"
    if lab is None:
        return checks
    name = f"lab{int(lab):02}" if lab.isascii() and lab.isdigit() else lab
    there = sorted(path.name for path in checks.glob("lab[0-9][0-9]"))
    if name not in there:
        raise UsageError(f"There are no checks for lab {lab}.", f"There are: {', '.join(there)}")
    return checks / name


@app.command()
def hint(
    lab: Annotated[str, typer.Argument(help="A lab's number.")],
    name: Annotated[str, typer.Argument(help="A check's name, as the report shows it.")],
) -> int:
    """The next question on the way to a check, never the answer."""
    from labkit import hints

    found = hints.next_hint(ROOT, _folder(lab).name, name)
    if found is None:
        typer.echo("That was the last question. Which of them can you answer now? (Once more: the first.)")
    else:
        typer.echo(f"{found.check}, question {found.rung} of {found.rungs}:\n  {found.question}")
    return 0


@app.command()
def up(project: ProjectOption = Path("project"), postgres: PostgresOption = "auto") -> int:
    """Run the whole stack: database, migrations, API and worker, in one log. Ctrl-C stops it all."""
    from labkit import stack

    return stack.up(project.absolute(), postgres)


@app.command()
def down() -> int:
    """Stop the PostgreSQL that the checks keep running between runs."""
    from labkit import postgres

    _say("PostgreSQL stopped." if postgres.stop_shared() else "No PostgreSQL of ours was running.")
    return 0


@app.command()
def database(
    name: Annotated[str, typer.Argument(help="A name of your choice; made the first time.")],
    postgres: PostgresOption = "auto",
) -> int:
    """Print the URL of a database to play with, whose role may do nothing else: TEST_DATABASE_URL, say."""
    from labkit import stack

    typer.echo(stack.database(name, postgres))
    return 0


@app.command()
def starter(destination: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")]) -> int:
    """Make the repository that students get: no reference, no specimens, no history."""
    from labkit import starter as making

    made = making.make(ROOT, destination)
    _say(f"{made} files in {destination}. Next: cd {destination} && make check")
    return 0


@app.command()
def prove(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[SPECIMEN]...", help="Only these; all if left out.")
    ] = None,
    processes: Annotated[int, typer.Option("-n", metavar="N", min=1, help="How many side by side.")] = (
        (os.cpu_count() or 1) + 1
    ),
    every: Annotated[
        int, typer.Option(metavar="N", min=1, help="Only every N-th of the wrong specimens.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave out what is on record, where nothing has changed since.")
    ] = False,
    note: Annotated[
        bool,
        typer.Option("--record", help="Put what is seen on record: docs/proof.*, and tests/feedback/."),
    ] = False,
    beyond: Annotated[
        bool,
        typer.Option("--all", help="Run wrong specimens on the labs after their own, too. Not recorded."),
    ] = False,
    doubled: Annotated[
        bool,
        typer.Option("--doubled", help="Warn of verdicts that change when our own deadlines are doubled."),
    ] = False,
    cold: Annotated[
        bool,
        typer.Option("--cold", help="Start the programs of wrong specimens as everybody's; twice as slow."),
    ] = False,
    deadlines: Annotated[
        bool, typer.Option("--deadlines", help="Instead: measure what the accepted projects need of them.")
    ] = False,
    repeat: Annotated[
        int | None,
        typer.Option("--flakes", metavar="N", min=1, help="Instead: the reference N times, half under load."),
    ] = None,
    lab: Annotated[str | None, typer.Option("--lab", help="With --flakes: on this lab only.")] = None,
    small_mistakes: Annotated[
        bool, typer.Option("--mutants", help="Instead: small mistakes in the reference's services.")
    ] = False,
) -> int:
    """Prove that the checks are right: every wrong specimen fails just where it should, every right one
    passes, and the reference passes every time."""
    from labkit import manifest
    from labkit.proof import calibration, flakes, mutation, page
    from labkit.proof import prove as proving

    if deadlines:
        return calibration.run(ROOT, names or [], 1, resume=resume)
    if small_mistakes:
        try:
            return mutation.run(ROOT, processes, every)
        finally:
            page.refresh(ROOT)

    if repeat is not None:
        return flakes.run(ROOT, [_folder(lab).name] if lab else sorted(manifest.labs(ROOT)), repeat)
    if lab is not None:
        raise UsageError("--lab goes with --flakes.", "Name specimens instead: lab prove 'lab03/*'")
    if beyond and (note or resume):
        raise UsageError(
            "--all shows what later labs make of a specimen, and keeps no record of it.",
            "Leave out --record and --resume.",
        )
    extent = proving.Extent(beyond, doubled, cold)
    return proving.run(ROOT, names or [], processes, every, resume=resume, note=note, extent=extent)


@app.command()
def report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A report that lab check --report wrote.")],
    form: Annotated[str, typer.Option("--as", metavar="FORM", help="terminal or markdown.")] = "terminal",
) -> int:
    """Show a stored report in another form, on standard output."""
    from labkit import exports
    from labkit import report as reports

    sys.stdout.write(exports.export(reports.read(file), form, reports.load_course(ROOT)))
    return 0
