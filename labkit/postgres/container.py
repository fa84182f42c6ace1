"""A server in a container, for machines on which the embedded one does not run."""

from __future__ import annotations

import atexit
import os
import secrets
from contextlib import suppress
from importlib import import_module
from typing import Any

from labkit.errors import LabError
from labkit.postgres.connection import connect, first_line
from labkit.postgres.databases import Server

IMAGE = "postgres:18-alpine"
VARIABLE = "LAB_POSTGRES_IMAGE"

_ADMIN = "postgres"
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "superuser_reserved_connections": "20",
}


def open_container() -> Server:
    """A server in a container of this run's own; `close` stops it (or testcontainers, if the run is killed).

    LabError when there is no engine, no image, or the server in it does not start.
    """
    # Here, not above: they take longer to import than the embedded server takes to start.
    from testcontainers.community.postgres import PostgresContainer

    docker: Any = import_module("docker.errors")
    image = os.environ.get(VARIABLE) or IMAGE
    container = None
    try:
        container = PostgresContainer(
            image, username=_ADMIN, password=secrets.token_hex(16), dbname=_ADMIN, driver=None
        ).with_command([part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")])
        container.start()
        atexit.register(_stop, container)
        url = container.get_connection_url(
            host=container.get_container_host_ip().replace("localhost", "127.0.0.1")
        )
        with connect(url) as connection:
            version = connection.info.server_version // 10000
    except (docker.ImageNotFound, docker.APIError) as error:
        _stop(container)
        raise LabError(
            f"Docker could not start a container from {image}: {first_line(error)}.",
            f"Try `docker pull {image}`, or name an image that you have in {VARIABLE}.",
        ) from error
    except docker.DockerException as error:
        raise LabError(
            f"PostgreSQL was to run in a container, but no Docker engine answers at {_engine()}.",
            "Start Docker (or set DOCKER_HOST), or use another PostgreSQL: `--postgres embedded`, "
            "or LAB_POSTGRES_URL=postgresql://…",
        ) from error
    except Exception as error:  # what can happen while testcontainers waits has no class of its own
        said = _last_words(container)
        _stop(container)
        raise LabError(
            f"PostgreSQL in a container from {image} did not start: {first_line(error)}.{said}",
            f"Is it an image of PostgreSQL? {VARIABLE} can name another one.",
        ) from error
    return Server("docker", url, version, release=lambda: _stop(container))


def _stop(container: Any) -> None:
    with suppress(Exception):  # it may be gone already
        container.stop()


def _engine() -> str:
    return os.environ.get("DOCKER_HOST") or "its usual socket"


def _last_words(container: Any) -> str:
    with suppress(Exception):
        output = b"".join(container.get_logs()).decode(errors="replace")
        lines = [f"\n  {line}" for line in output.splitlines()[-8:]]
        return " Its last words:" + "".join(lines) if lines else ""
    return ""
