"""The environment variables, read once and checked all together."""

import os
import re
import secrets
import socket
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0}


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError("is not a whole number")
    return value


def _duration(value: Any) -> Any:
    """Seconds from a text like 500ms, 10s or 2m."""
    if not isinstance(value, str):
        return value
    if not (match := re.fullmatch(r"([0-9]{1,9})(ms|s|m)", value)):
        raise ValueError("is not a duration like 500ms, 10s or 2m")
    return int(match[1]) * UNITS_S[match[2]]


def _postgres_url(value: Any) -> Any:
    """The message never repeats the value: there is a password in it."""
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("postgres", "postgresql") and "//" in value and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("is not a postgresql:// URL")
    return value


WholeNumber = Annotated[int, BeforeValidator(_digits)]
Duration = Annotated[float, BeforeValidator(_duration)]
PostgresUrl = Annotated[SecretStr, BeforeValidator(_postgres_url)]


class Environment(BaseSettings):
    """How all of them are read."""

    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True, extra="ignore")


class DatabaseSettings(Environment):
    """What everything that talks to the database needs."""

    database_url: PostgresUrl


class ApiAddress(Environment):
    """Where the API is."""

    api_host: str = "127.0.0.1"
    api_port: Annotated[WholeNumber, Field(ge=1, le=65535)] = 8080


class WorkerRhythm(Environment):
    """How often a worker is heard of."""

    worker_poll_interval: Annotated[Duration, Field(gt=0)] = 5.0
    worker_lease: Annotated[Duration, Field(gt=0)] = 30.0


class ServiceSettings(DatabaseSettings):
    """What every service needs."""

    db_pool_max: Annotated[WholeNumber, Field(ge=1)] = 10
    shutdown_timeout: Duration = 10.0
    environment: str = "development"
    log_level: Literal["debug", "info", "warn", "error"] = "info"
    log_format: Literal["json", "pretty"] = "json"


class ApiSettings(ApiAddress, ServiceSettings):
    """What the api-service needs."""


def _own_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class WorkerSettings(WorkerRhythm, ServiceSettings):
    """What the worker-service needs."""

    worker_id: str = Field(default_factory=_own_name)
    worker_max_attempts: Annotated[WholeNumber, Field(ge=1)] = 3
    worker_concurrency: Annotated[WholeNumber, Field(ge=1)] = 1


class HealthSettings(WorkerRhythm, ApiAddress, DatabaseSettings):
    """What the health check needs."""


def explain(error: ValidationError) -> str:
    """One line for each variable that is missing or wrong."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        variable = str(problem["loc"][0]).upper()
        message = (
            "is not set" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ")
        )
        lines.append(f"{variable}: {message}")
    return "\n".join(lines)
