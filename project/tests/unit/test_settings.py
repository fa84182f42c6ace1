"""The configuration: what is read from the environment, and what is said when it is wrong."""

import pytest

from api_service.__main__ import main
from api_service.settings import ApiSettings
from flowforge.settings import ConfigurationError, load

URL = "postgresql://flowforge:secret@localhost/flowforge"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variables but DATABASE_URL, whatever is set where the tests run."""
    for name in ApiSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATABASE_URL", URL)
    return monkeypatch


def test_what_is_not_set_has_its_default() -> None:
    settings = load(ApiSettings)
    assert settings.database_url == URL
    assert (settings.api_host, settings.api_port) == ("127.0.0.1", 8080)
    assert (settings.db_pool_max, settings.shutdown_timeout) == (10, 10.0)
    assert (settings.environment, settings.log_level, settings.log_format) == ("development", "info", "json")


def test_an_empty_variable_counts_as_unset(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_PORT", "")
    assert load(ApiSettings).api_port == 8080


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("10s", 10), ("2m", 120), ("0s", 0)])
def test_a_duration_has_a_unit(environment: pytest.MonkeyPatch, text: str, seconds: float) -> None:
    environment.setenv("SHUTDOWN_TIMEOUT", text)
    assert load(ApiSettings).shutdown_timeout == seconds


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("API_PORT", "eighty"),
        ("API_PORT", "0"),
        ("API_PORT", "65536"),
        ("API_HOST", "not a host"),
        ("DB_POOL_MAX", "0"),
        ("SHUTDOWN_TIMEOUT", "10"),
        ("SHUTDOWN_TIMEOUT", "-1s"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("DATABASE_URL", "mysql://localhost/flowforge"),
        ("DATABASE_URL", ""),
    ],
)
def test_a_wrong_variable_is_named(environment: pytest.MonkeyPatch, name: str, text: str) -> None:
    environment.setenv(name, text)
    with pytest.raises(ConfigurationError, match=name):
        load(ApiSettings)


def test_all_wrong_variables_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_PORT", "eighty")
    environment.setenv("LOG_LEVEL", "loud")
    environment.delenv("DATABASE_URL")
    with pytest.raises(ConfigurationError) as caught:
        load(ApiSettings)
    assert all(name in str(caught.value) for name in ("API_PORT", "LOG_LEVEL", "DATABASE_URL"))


def test_the_password_is_never_shown(environment: pytest.MonkeyPatch) -> None:
    assert "secret" not in repr(load(ApiSettings))
    environment.setenv("DATABASE_URL", "postgres:/flowforge:secret@localhost")
    with pytest.raises(ConfigurationError) as caught:
        load(ApiSettings)
    assert "secret" not in str(caught.value)


def test_the_service_does_not_start_with_a_wrong_configuration(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_PORT", "eighty")
    with pytest.raises(SystemExit, match="API_PORT: must be a whole number, not 'eighty'"):
        main()
