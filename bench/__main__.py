"""`python -m bench`: measures, and writes docs/performance.md and docs/performance.svg."""

from __future__ import annotations

import importlib.util
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.page import page
from bench.picture import picture
from bench.results import Results
from labkit.errors import LabError, UsageError
from labkit.project import ProjectError

ROOT = Path(__file__).parents[1]
RECORD = ROOT / ".lab" / "bench.json"
DOCS = ROOT / "docs"

_STOPPED = 130
_EXTRAS = ("procrastinate", "pgqueuer", "asyncpg", "uvloop")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="The fastest settings only; two minutes.")] = False,
    rounds: Annotated[int, typer.Option(help="How often everything is measured; 0: as planned.")] = 0,
    record: Annotated[Path, typer.Option(help="Where the numbers go, as JSON.")] = RECORD,
    render: Annotated[bool, typer.Option("--render", help="Measure nothing: write the page anew.")] = False,
    out: Annotated[Path, typer.Option(help="The folder that the page and the picture go to.")] = DOCS,
) -> None:
    """Measure FlowForge's worker beside procrastinate and pgqueuer, on one durable PostgreSQL of its own.

    A full run takes about ten minutes and both cores: leave the machine alone meanwhile.
    """
    if rounds < 0:
        raise UsageError(f"--rounds is {rounds}: at least 1 is needed.")
    if not out.is_dir():
        raise UsageError(
            f"There is no folder {out} to write the page to.", "Name one that exists: --out DIR."
        )
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    results = Results.load(record) if render else _measure(quick, rounds, console)
    if not render:
        results.save(record)
    (out / "performance.svg").write_text(picture(results))
    (out / "performance.md").write_text(page(results))
    console.print(f"Written: {out}/performance.md, {out}/performance.svg (the numbers: {record})")


def _measure(quick: bool, rounds: int, console: Console) -> Results:
    if missing := [name for name in _EXTRAS if importlib.util.find_spec(name) is None]:
        raise UsageError(
            f"What FlowForge is compared with is not installed: {', '.join(missing)}.",
            "Run `make bench`, or: pip install -c constraints.txt -e '.[bench]'",
        )
    from bench import lineup  # needs what has just been looked for
    from bench.measure import measure

    plan = lineup.quick() if quick else lineup.full()
    command = "python -m bench --quick" if quick else "make bench"
    if rounds:
        plan, command = replace(plan, rounds=rounds), f"{command} --rounds {rounds}"
    return measure(plan, command, console)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status; foreseeable problems become a sentence."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        status = app(arguments, standalone_mode=False)
    except LabError as error:
        console.print(f"bench: {error}")
        return error.exit_status
    except ProjectError as error:
        console.print(f"bench: the reference cannot be measured: {error}")
        return LabError.exit_status
    except typer.BadParameter.__mro__[2] as error:  # ClickException: of click, or of a copy inside typer
        console.print(f"bench: {error.format_message()}\nSee: python -m bench --help")
        return UsageError.exit_status
    except (KeyboardInterrupt, typer.Abort):
        status = _STOPPED
    if status == _STOPPED:
        console.print("bench: stopped; nothing was written.")
    return int(status or 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
