"""The configuration: read from the environment once, every mistake reported at once."""

import re
from typing import Annotated, Any, Literal, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


def whole_number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError("must be a whole number")
    return int(text)


def port(number: int) -> int:
    if not 1 <= number <= 65535:
        raise ValueError("must be a port, 1 to 65535")
    return number


def at_least_one(number: int) -> int:
    if number < 1:
        raise ValueError("must be at least 1")
    return number


def more_than_nothing(duration: float) -> float:
    if duration <= 0:
        raise ValueError("must be more than 0")
    return duration


def seconds(text: str) -> float:
    """The duration "500ms", "10s" or "2m" in seconds."""
    duration = re.fullmatch("([0-9]{1,9})(ms|s|m)", text)
    if not duration:
        raise ValueError("must be a whole number with ms, s or m, such as 10s")
    return int(duration[1]) * {"ms": 0.001, "s": 1, "m": 60}[duration[2]]


def host(text: str) -> str:
    """A host name or IP address by its looks; whether it is ours, we find out when we listen on it."""
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*|[0-9A-Fa-f:.]+(%\w+)?", text):
        raise ValueError("must be a host name or an IP address")
    return text


def printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


def postgres_url(text: str) -> str:
    """A URL that libpq understands. The messages never quote it, for it holds a password."""
    if not text.startswith(("postgres://", "postgresql://")):
        raise ValueError("must start with postgresql:// or postgres://")
    try:
        parts = conninfo_to_dict(text)
        for number in str(parts.get("port") or "5432").split(","):
            port(whole_number(number))
    except (psycopg.Error, ValueError):
        raise ValueError("must be a URL that PostgreSQL understands") from None
    # An "@" or "/" in a password ends it too early. The rest would be shown as a name that is not found.
    host, name = str(parts.get("host") or ""), str(parts.get("dbname") or "")
    if ("@" in host and not host.startswith("/")) or ("@" in name and "%40" not in text):
        raise ValueError("must have %40 for an @ and %2F for a / in its user name and password")
    return text


WholeNumber = Annotated[int, BeforeValidator(whole_number)]
Seconds = Annotated[float, BeforeValidator(seconds)]


class DatabaseSettings(BaseSettings):
    """What everybody reads who needs the database."""

    model_config = SettingsConfigDict(env_ignore_empty=True, validate_default=False)

    database_url: Annotated[str, AfterValidator(postgres_url)] = Field(repr=False)


class AddressSettings(BaseSettings):
    """Where the API listens, which is where its clients find it."""

    model_config = SettingsConfigDict(env_ignore_empty=True, validate_default=False)

    api_host: Annotated[str, AfterValidator(host)] = "127.0.0.1"
    api_port: Annotated[WholeNumber, AfterValidator(port)] = 8080

    @property
    def reachable_host(self) -> str:
        """What a client on this machine connects to: nobody can connect to "all addresses"."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.api_host, self.api_host)


class ServiceSettings(DatabaseSettings):
    """What every service of FlowForge reads."""

    db_pool_max: Annotated[WholeNumber, AfterValidator(at_least_one)] = 10
    shutdown_timeout: Seconds = 10.0
    environment: Annotated[str, AfterValidator(printable)] = "development"
    log_level: Literal["debug", "info", "warn", "error"] = "info"
    log_format: Literal["json", "pretty"] = "json"


class ConfigurationError(Exception):
    """Its text names every wrong variable, one a line, and no secret."""


Settings = TypeVar("Settings", bound=BaseSettings)


def load(settings: type[Settings]) -> Settings:
    """Reads the environment, or raises ConfigurationError."""
    try:
        return settings()
    except ValidationError as error:
        problems = "\n".join(describe(problem) for problem in error.errors(include_url=False))
        raise ConfigurationError(f"The configuration is wrong (see .env.example):\n{problems}") from None


def describe(problem: Any) -> str:
    name = str(problem["loc"][0]).upper()
    if problem["type"] == "missing":
        return f"  {name} is not set"
    rule = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    given = str(problem["input"])
    secret = name == "DATABASE_URL" or "@" in given  # its URL, put in the wrong place
    return f"  {name}: {rule}" if secret else f"  {name}: {rule}, not {given!r}"
