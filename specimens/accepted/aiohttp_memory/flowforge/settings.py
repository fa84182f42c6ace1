"""The configuration: environment variables in, one frozen object out, or every mistake at once."""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LOG_LEVELS = ("debug", "info", "warn", "error")
LOG_FORMATS = ("json", "pretty")

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_LONGEST = 7 * 24 * 3600.0  # more than a week means "as long as it takes" and would overflow timers
_LOOKUP_PATIENCE = 3.0  # seconds; a start that fails has to fail within five


class ConfigurationError(Exception):
    """One or more environment variables are wrong; the text has a line for each."""


@dataclass(frozen=True, slots=True)
class Settings:
    host: str
    port: int
    shutdown_timeout: float  # seconds
    environment: str
    log_level: str
    log_format: str


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings from `environ`; an empty variable counts as unset."""
    mistakes: list[str] = []

    def read(name: str, default: str, parse: Callable[[str], Any]) -> Any:
        text = environ.get(name) or default
        try:
            return parse(text)
        except ValueError as error:
            mistakes.append(f"{name}={text[:60]!r}: {error}")
            return None

    settings = Settings(
        host=read("API_HOST", "127.0.0.1", _host),
        port=read("API_PORT", "8080", _port),
        shutdown_timeout=read("SHUTDOWN_TIMEOUT", "10s", _duration),
        environment=read("ENVIRONMENT", "development", _text),
        log_level=read("LOG_LEVEL", "info", _one_of(LOG_LEVELS)),
        log_format=read("LOG_FORMAT", "json", _one_of(LOG_FORMATS)),
    )
    if mistakes:
        raise ConfigurationError("set these variables right\n  " + "\n  ".join(mistakes))
    return settings


def _port(text: str) -> int:
    if not re.fullmatch(r"0*[0-9]{1,5}", text) or not 1 <= int(text[-5:]) <= 65535:
        raise ValueError("a port is a whole number from 1 to 65535")
    return int(text[-5:])


def _duration(text: str) -> float:
    found = re.fullmatch(r"([0-9]+)(ms|s|m)", text)
    if not found:
        raise ValueError("a duration is a whole number with ms, s or m, as in 10s")
    # float() takes any number of digits; int() refuses thousands of them
    return min(float(found[1]) * _SECONDS[found[2]], _LONGEST)


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"choose one of {', '.join(choices)}")
        return text

    return parse


def _text(text: str) -> str:
    text.encode()  # bytes that are no UTF-8 arrive as lone surrogates: UnicodeEncodeError is a ValueError
    return text


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", text) or not _resolves(text):
            raise ValueError("give an address of this machine, or a name that leads to one") from None
    return text


def _resolves(name: str) -> bool:
    """Whether `name` has an address; no answer within a few seconds counts as none."""
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            return

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(_LOOKUP_PATIENCE)
    return bool(found)
