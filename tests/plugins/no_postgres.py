"""A pytest plugin that gives the checks databases that nobody can reach, for projects that need none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from labkit import postgres
from labkit.postgres import Database


class Nowhere:
    """Stands in for a server."""

    def create_database(self, label: str = "check", template: str | None = None) -> Database:
        url = "postgresql://nobody@127.0.0.1:1/nothing"
        return Database(name=label, role="nobody", url=url, admin_url=url)

    def seal(self, database: Database) -> None: ...

    def drop_database(self, database: Database) -> None: ...

    @contextmanager
    def database(self, label: str = "check", template: str | None = None) -> Iterator[Database]:
        yield self.create_database(label)

    def close(self) -> None: ...


postgres.open_server = lambda choice: Nowhere()
