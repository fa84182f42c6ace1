"""What worker-service reads from the environment."""

import os
import secrets
import socket
from typing import Annotated

from pydantic import AfterValidator, Field

from flowforge.settings import (
    Seconds,
    ServiceSettings,
    WholeNumber,
    at_least_one,
    more_than_nothing,
    printable,
)


def unique_id() -> str:
    """A name that no other start of any worker has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class WorkerSettings(ServiceSettings):
    """What worker-service reads besides what every service reads."""

    worker_poll_interval: Annotated[Seconds, AfterValidator(more_than_nothing)] = 5.0
    worker_lease: Annotated[Seconds, AfterValidator(more_than_nothing)] = 30.0
    worker_max_attempts: Annotated[WholeNumber, AfterValidator(at_least_one)] = 3
    worker_concurrency: Annotated[WholeNumber, AfterValidator(at_least_one)] = 1
    worker_id: Annotated[str, AfterValidator(printable)] = Field(default_factory=unique_id)
