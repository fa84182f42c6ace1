"""Settings: everything that the environment decides, read once at the start."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    worker_id: str
    poll_interval_s: float


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`, with defaults. An empty variable counts as unset."""
    # TODO lab03#starting-the-worker: the other variables. Which of them does the API read already, and must
    # two services say the same thing about a wrong one?
    # TODO lab03#claiming: nobody has set a WORKER_ID, and two workers start. What are they called?
    # TODO lab03#polling: WORKER_POLL_INTERVAL=500ms. Who turns that into a number, and what about "soon"?
    # TODO lab04#configuration: three variables are wrong. Does somebody have to start this three times?
    return Settings(
        worker_id=environment.get("WORKER_ID") or "worker",
        poll_interval_s=5.0,
    )
