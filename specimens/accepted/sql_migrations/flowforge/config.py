"""The environment, as a frozen object."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

Value = TypeVar("Value")


class ConfigError(Exception):
    """What is wrong with the environment, one line a variable."""


@dataclass(frozen=True)
class CommonConfig:
    """What every service needs. Times are in seconds."""

    database_url: str
    db_pool_max: int
    shutdown_timeout: float
    environment: str
    log_level: str
    log_format: str


@dataclass(frozen=True)
class Config(CommonConfig):
    """What the api-service needs."""

    api_host: str
    api_port: int


@dataclass(frozen=True)
class WorkerConfig(CommonConfig):
    """What the worker-service needs."""

    name: str
    poll_interval: float
    lease: float
    max_attempts: int
    concurrency: int


@dataclass(frozen=True)
class ApiAddress:
    """Where the API is."""

    host: str
    port: int


@dataclass(frozen=True)
class HealthConfig:
    """What the health check needs."""

    database_url: str
    api_host: str
    api_port: int
    poll_interval: float
    lease: float


class Environment:
    """Reads variables one by one and remembers what was wrong."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def read(self, name: str, parse: Callable[[str], Value], default: str | None = None) -> Value | None:
        text = os.environ.get(name, "") or default
        if text is None:
            self.wrong.append(f"{name}: missing")
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.wrong.append(f"{name}: {error}")
            return None

    def check(self) -> None:
        """ConfigError if anything was wrong."""
        if self.wrong:
            raise ConfigError("\n".join(self.wrong))

    def read_common(self) -> dict[str, Any]:
        return {
            "database_url": self.read("DATABASE_URL", database_url),
            "db_pool_max": self.read("DB_POOL_MAX", whole(1, 10_000), "10"),
            "shutdown_timeout": self.read("SHUTDOWN_TIMEOUT", seconds, "10s"),
            "environment": self.read("ENVIRONMENT", str, "development"),
            "log_level": self.read("LOG_LEVEL", choice("debug", "info", "warn", "error"), "info"),
            "log_format": self.read("LOG_FORMAT", choice("json", "pretty"), "json"),
        }

    def read_address(self) -> dict[str, Any]:
        return {
            "api_host": self.read("API_HOST", str, "127.0.0.1"),
            "api_port": self.read("API_PORT", whole(1, 65_535), "8080"),
        }

    def read_rhythm(self) -> dict[str, Any]:
        return {
            "poll_interval": self.read("WORKER_POLL_INTERVAL", some_seconds, "5s"),
            "lease": self.read("WORKER_LEASE", some_seconds, "30s"),
        }


def read_config() -> Config:
    environment = Environment()
    values = environment.read_common() | environment.read_address()
    environment.check()
    return Config(**values)


def read_worker_config() -> WorkerConfig:
    environment = Environment()
    read = environment.read
    own_name = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}"
    values = environment.read_common() | environment.read_rhythm()
    values |= {
        "name": read("WORKER_ID", str, own_name),
        "max_attempts": read("WORKER_MAX_ATTEMPTS", whole(1, 10_000), "3"),
        "concurrency": read("WORKER_CONCURRENCY", whole(1, 1_000), "1"),
    }
    environment.check()
    return WorkerConfig(**values)


def read_database_url() -> str:
    environment = Environment()
    url = environment.read("DATABASE_URL", database_url)
    environment.check()
    assert url is not None
    return url


def read_api_address() -> ApiAddress:
    environment = Environment()
    values = environment.read_address()
    environment.check()
    return ApiAddress(values["api_host"], values["api_port"])


def read_health_config() -> HealthConfig:
    environment = Environment()
    values = environment.read_address() | environment.read_rhythm()
    values["database_url"] = environment.read("DATABASE_URL", database_url)
    environment.check()
    return HealthConfig(**values)


def database_url(text: str) -> str:
    expected = "expected postgresql://user:password@host:port/name"
    parts = urlsplit(text)
    if parts.scheme not in ("postgres", "postgresql") or not text.startswith(f"{parts.scheme}://"):
        raise ValueError(expected)
    try:
        well_formed = parts.port != 0 and parse_qs(parts.query, strict_parsing=bool(parts.query)) is not None
    except ValueError:
        raise ValueError(expected) from None
    if not well_formed:
        raise ValueError(expected)
    return text


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,9})(ms|s|m)", text, re.ASCII)
    if match is None:
        raise ValueError("expected a whole number and a unit, ms, s or m")
    return int(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2]]


def some_seconds(text: str) -> float:
    if not seconds(text):
        raise ValueError("expected more than nothing")
    return seconds(text)


def choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError("expected " + " or ".join(allowed))
        return text

    return parse
