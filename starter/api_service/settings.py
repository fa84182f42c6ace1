"""Settings: everything that the environment decides, read once at the start."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    host: str
    port: int


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`, with defaults. An empty variable counts as unset."""
    # TODO lab01#start-and-stop: what does somebody see who starts this with API_PORT=eighty, and what do
    # they need to see? What if two variables are wrong?
    # TODO lab02#failing-fast: DATABASE_URL. Is there any default that would do no harm?
    # TODO lab02#the-connection-pool: DB_POOL_MAX, and which numbers make no sense?
    # TODO lab04#configuration: the worker's settings.py looks much like this one. Which lines are in both,
    # and which of them will the scripts need as well?
    # TODO lab04#levels: LOG_LEVEL and LOG_FORMAT. Who must know them before the first line is written?
    return Settings(
        host=environment.get("API_HOST") or "127.0.0.1",
        port=int(environment.get("API_PORT") or "8080"),
    )
