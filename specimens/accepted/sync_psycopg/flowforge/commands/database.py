"""The way of the scripts to the database."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from flowforge.commands.run import Failed
from flowforge.logs import reason

CONNECT_PATIENCE_S = 5
_PATIENCE = "SET lock_timeout = '10s'; SET statement_timeout = '15min'"


@contextmanager
def transaction(url: str, doing: str) -> Iterator[psycopg.Connection]:
    """A connection whose changes are made all at once, at the end of the block; Failed if they are not."""
    try:
        with psycopg.connect(
            url,
            application_name="flowforge-script",
            connect_timeout=CONNECT_PATIENCE_S,
            tcp_user_timeout=CONNECT_PATIENCE_S * 1000,
        ) as connection:
            connection.execute(_PATIENCE)
            yield connection
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # or nobody knew whether the commit came to its end
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise Failed(f"{doing}: {reason(error)}. Has the database been migrated?") from None
    except psycopg.Error as error:
        raise Failed(f"{doing}: {reason(error)}") from None
