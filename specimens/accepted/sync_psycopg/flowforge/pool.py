"""Connections to PostgreSQL, few and kept."""

import math
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.sql import Composed

Connection = psycopg.Connection[dict[str, Any]]

CONNECT_PATIENCE_S = 3
PING_PATIENCE_S = 4.0
SIGN_OF_LIFE_S = 3.0
QUEUE_PATIENCE_S = 30.0


class Unavailable(Exception):
    """The database cannot be reached, or has gone in the middle of something. One line says why."""


class Busy(Unavailable):
    """Every connection is lent to somebody else."""


class Pool:
    """At most `size` connections, opened on demand, each lent to one thread at a time.

    Every connection is in autocommit mode: a statement is a transaction unless somebody begins a longer one.
    PostgreSQL knows each by `name`, and the statement `first` prepares it, if there is one.
    """

    def __init__(self, url: str, size: int, name: str, first: LiteralString | Composed | None = None) -> None:
        self._url = url
        self._name = name
        self._first = first
        self._free_places = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._lent: set[Connection] = set()
        self._last_return = -math.inf

    @contextmanager
    def connection(self, patience: float = QUEUE_PATIENCE_S) -> Iterator[Connection]:
        """A connection for the length of a `with` block; Unavailable if there is none or it breaks."""
        if not self._free_places.acquire(timeout=patience):
            raise Busy(f"no connection became free within {patience:.0f} s")
        try:
            connection = self._take()
            try:
                yield connection
            except psycopg.Error as error:
                if _is_over(connection, error):
                    connection.close()
                    raise Unavailable(_line(error)) from error
                raise
            finally:
                self._give_back(connection)
        finally:
            self._free_places.release()

    def ping(self) -> None:
        """Unavailable unless the database answers within a few seconds, us or those who keep us waiting."""
        try:
            with self.connection(PING_PATIENCE_S) as connection:
                if not _answers(connection, PING_PATIENCE_S):
                    connection.close()
                    raise Unavailable(f"no answer within {PING_PATIENCE_S:.0f} s")
        except Busy:
            if time.monotonic() - self._last_return > SIGN_OF_LIFE_S:
                raise

    def interrupt(self) -> None:
        """Cancel what runs on lent connections: their threads get an error instead of an answer."""
        with self._lock:
            lent = list(self._lent)
        for connection in lent:
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=0.5)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = self._open()
            elif _has_news(connection):  # nothing was asked, so it can only be the server's farewell
                connection.close()
                continue
            with self._lock:
                self._lent.add(connection)
            return connection

    def _open(self) -> Connection:
        try:
            connection = psycopg.connect(
                self._url,
                autocommit=True,
                application_name=self._name,
                connect_timeout=CONNECT_PATIENCE_S,
                row_factory=dict_row,
            )
            if self._first is not None:
                connection.execute(self._first)
            return connection
        except psycopg.OperationalError as error:
            raise Unavailable(_line(error)) from error

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            self._lent.discard(connection)
            if connection.info.transaction_status == TransactionStatus.IDLE:
                self._idle.append(connection)
                self._last_return = time.monotonic()
                return
        connection.close()


def _is_over(connection: Connection, error: psycopg.Error) -> bool:
    """Whether an error is not about the statement: the server has gone, is going, or we gave up waiting."""
    lost = isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith(("08", "57"))
    return lost or connection.closed


def _has_news(connection: Connection) -> bool:
    """Whether the server has sent something, or hung up."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _answers(connection: Connection, patience: float) -> bool:
    """Whether the server answers in time: libpq's own calls, because execute() waits for ever."""
    wire = connection.pgconn
    deadline = time.monotonic() + patience
    wire.send_query(b"SELECT 1")
    poll = select.poll()
    poll.register(wire.socket, select.POLLIN)
    while True:
        if wire.flush() == 0 and not wire.is_busy():
            break
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return False
        wire.consume_input()
    while wire.get_result() is not None:
        pass
    return True


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split()) or type(error).__name__
