"""`python -m api_service` serves the API until SIGTERM or SIGINT."""

import os
import signal
import sys
from types import FrameType

import uvicorn

from .app import create_app
from .settings import read_settings


def main() -> None:
    settings = read_settings(os.environ)
    # uvicorn puts its own handlers over these while it serves, and raises the signal once more when it is
    # done. Python's default would then end the process by the signal, not with exit status 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    # TODO lab01#start-and-stop: how long does this server wait for a request in flight, and who decides that?
    # TODO lab02#failing-fast: the database is not there. Where do you notice, and who is told?
    uvicorn.run(create_app(), host=settings.host, port=settings.port)


def leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
