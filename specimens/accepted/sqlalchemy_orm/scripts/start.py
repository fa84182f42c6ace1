"""Comes first in every script: it finds the project's modules, and makes Ctrl-C polite while they load."""

import signal
import sys
from pathlib import Path
from typing import Any, NoReturn


def _stop(*_: Any) -> NoReturn:
    sys.exit("Aborted before anything was done.")


signal.signal(signal.SIGINT, _stop)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
