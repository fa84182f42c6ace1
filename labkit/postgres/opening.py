"""Which PostgreSQL a run uses."""

from __future__ import annotations

import os

from labkit.errors import UsageError
from labkit.postgres.container import open_container
from labkit.postgres.databases import Server
from labkit.postgres.embedded import open_embedded
from labkit.postgres.given import open_given
from labkit.postgres.wheel import find_wheel

VARIABLE = "LAB_POSTGRES_URL"
_SCHEMES = ("postgres://", "postgresql://")


def open_server(choice: str = "auto") -> Server:
    """The server that `choice` names: auto, embedded, docker, url (LAB_POSTGRES_URL), or a postgresql:// URL.

    auto is LAB_POSTGRES_URL if that is set, else the embedded server where there is one, else a container.
    LabError when that server cannot be had, UsageError when `choice` is none of these.
    """
    given = os.environ.get(VARIABLE, "")
    if choice.startswith(_SCHEMES):
        return open_given(choice, "The URL given as --postgres")
    if choice == "url" and not given:
        raise UsageError(
            f"The choice `url` takes the server from {VARIABLE}, which is not set.",
            f"Set it: export {VARIABLE}=postgresql://user:password@host:5432/postgres",
        )
    if choice == "url" or (choice == "auto" and given):
        if not given.startswith(_SCHEMES):
            raise UsageError(
                f"{VARIABLE} is not a PostgreSQL URL.",
                "It looks like postgresql://user:password@host:5432/postgres.",
            )
        return open_given(given, VARIABLE)
    if choice == "embedded" or (choice == "auto" and find_wheel()):
        return open_embedded()
    if choice in ("auto", "docker"):
        return open_container()
    raise UsageError(
        f"There is no PostgreSQL called {choice!r}.",
        "Choose auto, embedded, docker, url, or give a postgresql:// URL.",
    )
