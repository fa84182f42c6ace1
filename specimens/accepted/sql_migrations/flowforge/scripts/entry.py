"""From a function to a script. Typer sees to options, usage and exit statuses 0 and 2, this file to 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import asyncpg
import typer

from flowforge.config import ConfigError
from flowforge.database import CLOSED_DOOR, DatabaseUnavailable, one_line

Count = Annotated[int, typer.Option(min=1)]


class Failure(Exception):
    """The text is for the operator."""


def enter(script: Callable[..., Any]) -> None:
    """Run a script with the options of this process, and end the process."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(_guarded(script))
    app()


def _guarded(script: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(script)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            script(*arguments, **options)
        except BrokenPipeError:  # nobody reads on, and Typer knows what to do then
            raise
        except (ConfigError, Failure) as error:
            reason = str(error)
        except (DatabaseUnavailable, *CLOSED_DOOR) as error:
            reason = f"The database at DATABASE_URL cannot be reached: {one_line(error)}"
        except asyncpg.PostgresError as error:
            reason = f"The database has refused: {one_line(error)} (Is it migrated?)"
        except KeyboardInterrupt:
            reason = "Interrupted."
        else:
            return
        typer.echo(reason, err=True)
        raise typer.Exit(1)

    return run
