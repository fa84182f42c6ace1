"""`python -m worker_service` claims tasks and runs them until SIGTERM or SIGINT."""

import logging
import os
import signal
import sys
from types import FrameType

from .loop import run
from .settings import read_settings


def main() -> None:
    settings = read_settings(os.environ)
    # Python's default would end the process by the signal, not with exit status 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    # TODO lab03#when-the-database-goes-away: not there at the start. Where do you notice, and who is told?
    # TODO lab03#a-line-for-each-step: who will read this: a person, or a program?
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.info("%s is here, and does nothing yet", settings.worker_id)
    run(settings)


def leave(number: int, frame: FrameType | None) -> None:
    # TODO lab03#shutting-down: this can be called between any two of your lines. After which of them is it
    # too early to go? And if the process does not end here, who ends it?
    sys.exit(0)


if __name__ == "__main__":
    main()
