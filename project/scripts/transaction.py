"""Work on the database that is done whole or not at all, and waits that end."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import NoReturn

import psycopg
from command_line import Failure, one_line
from psycopg import errors

CONNECT_TIMEOUT_S = 3
PATIENCE_S = 30.0

# How soon a wait is broken off that follows one that was: the driver may want to say goodbye.
GIVE_UP_AGAIN_S = 1.0


@contextmanager
def transaction(url: str) -> Iterator[psycopg.Connection]:
    """A connection whose work is committed at the end of the block, unless that raises.

    Raises Failure if the database cannot be reached, or refuses something.
    """
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # it would tell how it cleans up after an error
    try:
        # What is not committed is undone when the connection closes, which takes no answer from the server.
        with closing(connect(url)) as connection:
            with patience():
                connection.execute("SET lock_timeout = '10s'")
            yield connection
            with patience():
                # Too late for Ctrl-C: whoever interrupts a script may count on it that nothing was done.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                connection.commit()
    except psycopg.Error as error:
        raise Failure(explain(error)) from None


def connect(url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S)
    except (psycopg.Error, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        raise Failure(f"The database cannot be reached: {one_line(str(error))}") from None


@contextmanager
def patience(seconds: float = PATIENCE_S) -> Iterator[Callable[[], None]]:
    """Breaks the block off with Failure after that long; what it yields starts the time again.

    A server that hangs keeps its connections open, so neither libpq nor a timeout of its own would notice.
    """
    out_of_patience = False

    def renew() -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds, GIVE_UP_AGAIN_S)

    def give_up(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal out_of_patience
        out_of_patience = True
        raise TimeoutError

    signal.signal(signal.SIGALRM, give_up)
    renew()
    try:
        yield renew
    except Exception:
        if not out_of_patience:
            raise
        raise Failure(f"The database has not answered for {seconds:g} s.") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def explain(error: psycopg.Error) -> str:
    """What the database refused, without the rows that it quotes."""
    said = one_line(error.diag.message_primary or str(error))
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        return f"The database is not ready: {said}. Have all migrations been run?"
    if isinstance(error, errors.LockNotAvailable):
        return "Somebody else has locked the tasks and does not let go. Nothing was changed; try again later."
    if error.sqlstate is None:  # it was not the database that said so
        return f"The connection to the database was lost: {said}"
    return f"The database refused: {said}"
