"""The configuration and the logs that all parts of the reference share."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parent.parent / "project"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module flowforge.settings."""
    monkeypatch.syspath_prepend(str(PROJECT))
    from flowforge import settings

    return settings


def log(code: str, log_format: str = "json", level: str = "info") -> list[str]:
    """The lines that a process prints which logs, as api-service does, and runs `code`."""
    begin = f"""
        import logging, warnings, structlog
        from flowforge.logging import configure
        configure("api-service", {level!r}, {log_format!r})
        log = structlog.get_logger()
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(code)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stderr == ""
    return ended.stdout.splitlines()


def test_a_crash_is_a_line_of_the_log() -> None:
    [line] = log("raise RuntimeError('bang')")
    crash = json.loads(line)
    assert (crash["level"], crash["error"]) == ("critical", "RuntimeError: bang")
    assert crash["exception"].startswith("Traceback")


def test_the_error_of_a_line_is_the_exception() -> None:
    lines = log(
        """
        try:
            1 / 0
        except ZeroDivisionError as error:
            log.exception("ours")
            log.error("given", exc_info=error)
            logging.getLogger("library").exception("a library's")
        """
    )
    assert [json.loads(line)["error"] for line in lines] == ["ZeroDivisionError: division by zero"] * 3


def test_libraries_log_in_the_same_form() -> None:
    lines = log(
        """
        logging.getLogger("library").warning("two\\nlines, %s", "and more")
        warnings.warn("careful")
        logging.getLogger("library").info("kept back")
        """,
        level="warn",
    )
    told = [json.loads(line) for line in lines]
    assert [line["level"] for line in told] == ["warning", "warning"]
    assert told[0]["msg"] == "two\nlines, and more"
    assert all(line["service"] == "api-service" and line["timestamp"].endswith("Z") for line in told)


def test_pretty_lines_cannot_be_forged_either() -> None:
    lines = log(
        """
        log.info("one", task_title="a\\nb \\x1b[2J")
        logging.getLogger("library").error("two\\n\\x1b[2J")
        """,
        log_format="pretty",
    )
    assert len(lines) == 2
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("postgresql://u:12%4034@h/d", True),
        ("postgres:///d?host=/tmp/a@b", True),
        ("postgresql://u:1?2#3@h/d", True),
        ("postgresql://u:12@34@h/d", False),
        ("postgresql://u:12/34@h/d", False),
    ],
)
def test_what_may_be_a_password_is_never_taken_for_a_host(settings: Any, url: str, accepted: bool) -> None:
    if accepted:
        assert settings.postgres_url(url) == url
        return
    with pytest.raises(ValueError, match=r"^must have %40 for an @ and %2F for a / in its user"):
        settings.postgres_url(url)


def test_every_mistake_is_named_and_no_password(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DB_POOL_MAX", "postgresql://u:s3cret@h/d")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(settings.ConfigurationError) as error:
        settings.load(settings.ServiceSettings)
    assert str(error.value).splitlines()[1:] == [
        "  DATABASE_URL is not set",
        "  DB_POOL_MAX: must be a whole number",
        "  LOG_LEVEL: must be 'debug', 'info', 'warn' or 'error', not 'loud'",
    ]


def test_the_example_explains_every_variable_that_a_service_reads(settings: Any) -> None:
    from api_service.settings import ApiSettings
    from worker_service.settings import WorkerSettings

    read = {name.upper() for name in {**ApiSettings.model_fields, **WorkerSettings.model_fields}}
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    explained = re.findall("(?:^#.*\n)+^([A-Z_]+)=", example, re.MULTILINE)
    assert set(explained) == read
    assert len(explained) == len(read)


def test_clients_of_all_addresses_connect_to_one(settings: Any) -> None:
    for given, reached in (("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3")):
        assert settings.AddressSettings(api_host=given).reachable_host == reached
