"""Configuration from the environment."""

import os
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict


class SettingsError(Exception):
    """Names every variable that is missing or wrong, a line each."""


@dataclass(frozen=True)
class Settings:
    """Durations are in seconds."""

    database_url: str
    db_pool_max: int
    api_host: str
    api_port: int
    shutdown_timeout: float
    environment: str
    log_level: str
    log_format: str
    worker_id: str
    worker_poll_interval: float
    worker_lease: float
    worker_max_attempts: int
    worker_concurrency: int


def read_settings(environ: Mapping[str, str]) -> Settings:
    """What both services need, and each of them reads it all. SettingsError if anything is wrong."""
    return Settings(**_read_all(environ, _VARIABLES))


def read_some(environ: Mapping[str, str], *names: str) -> dict[str, Any]:
    """These variables alone, by their names in Settings, for what needs no more. SettingsError likewise."""
    return _read_all(environ, {name.upper(): _VARIABLES[name.upper()] for name in names})


def _database_url(text: str) -> str:
    if not text.startswith(("postgres://", "postgresql://")):
        raise ValueError("must begin with postgresql:// or postgres://")
    try:
        port = conninfo_to_dict(text).get("port", 5432)
    except psycopg.ProgrammingError:
        raise ValueError("is a URL that PostgreSQL does not understand") from None
    for part in str(port).split(","):
        _port(part)
    return text


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("must be a port, 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text) or int(text) == 0:
        raise ValueError("must be a whole number of at least 1")
    return int(text)


def _patience(text: str) -> float:
    match = re.fullmatch("([0-9]{1,9})(ms|s|m)", text)
    if match is None:
        raise ValueError("must be a whole number followed by ms, s or m")
    return int(match[1]) * {"ms": 0.001, "s": 1, "m": 60}[match[2]]


def _pause(text: str) -> float:
    if not _patience(text):
        raise ValueError("must be longer than nothing")
    return _patience(text)


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:%-]+", text):
        raise ValueError("must be a host name or an address")
    return text


def _one_of(*choices: str) -> Callable[[str], str]:
    def choose(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text.lower()

    return choose


_Reader = tuple[str | None, Callable[[str], Any]]
_VARIABLES: dict[str, _Reader] = {
    "DATABASE_URL": (None, _database_url),
    "DB_POOL_MAX": ("10", _count),
    "API_HOST": ("127.0.0.1", _host),
    "API_PORT": ("8080", _port),
    "SHUTDOWN_TIMEOUT": ("10s", _patience),
    "ENVIRONMENT": ("development", str),
    "LOG_LEVEL": ("info", _one_of("debug", "info", "warn", "error")),
    "LOG_FORMAT": ("json", _one_of("json", "pretty")),
    "WORKER_ID": (f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}", str),
    "WORKER_POLL_INTERVAL": ("5s", _pause),
    "WORKER_LEASE": ("30s", _pause),
    "WORKER_MAX_ATTEMPTS": ("3", _count),
    "WORKER_CONCURRENCY": ("1", _count),
}


def _read_all(environ: Mapping[str, str], variables: Mapping[str, _Reader]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name, (default, read) in variables.items():
        text = environ.get(name) or default
        if text is None:
            wrong.append(f"{name} is required")
            continue
        try:
            values[name.lower()] = read(text)
        except ValueError as problem:
            wrong.append(f"{name} {problem}")
    if wrong:
        raise SettingsError("\n".join(wrong))
    return values
