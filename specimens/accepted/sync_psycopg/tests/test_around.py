"""What stands around the routes: settings, and the log."""

import json
import logging

import pytest
from flask.testing import FlaskClient

from flowforge import logs
from flowforge.settings import SettingsError, read_settings
from tests.conftest import settings
from tests.shelf import Shelf


def test_defaults() -> None:
    read = settings()
    assert (read.api_port, read.shutdown_timeout, read.log_level) == (8080, 10, "info")


def test_every_wrong_variable_is_named() -> None:
    wrong = {
        "DATABASE_URL": "mysql://localhost/x",
        "API_HOST": "a b",
        "API_PORT": "65536",
        "DB_POOL_MAX": "0",
        "SHUTDOWN_TIMEOUT": "10",
        "WORKER_LEASE": "0s",
        "LOG_LEVEL": "loud",
    }
    with pytest.raises(SettingsError) as error:
        read_settings(wrong)
    assert {line.split()[0] for line in str(error.value).splitlines()} == set(wrong)


def test_a_request_leaves_a_line(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="flowforge")
    client.get("/tasks?page=2", headers={"X-Request-ID": "r-1"})
    line = json.loads(logs.JsonLines("api-service").format(caplog.records[-1]))
    assert (line["method"], line["path"], line["status"]) == ("GET", "/tasks", 200)
    assert (line["level"], line["service"]) == ("info", "api-service")


@pytest.mark.parametrize("kind", [logs.JsonLines, logs.PrettyLines])
def test_a_fault_is_on_the_line(
    client: FlaskClient, shelf: Shelf, caplog: pytest.LogCaptureFixture, kind: type[logs.Lines]
) -> None:
    shelf.fault = RuntimeError("out of tea")
    client.get("/tasks")
    text = kind("api-service").format(caplog.records[-1])
    assert "error" in text.lower()
    assert "out of tea" in text
