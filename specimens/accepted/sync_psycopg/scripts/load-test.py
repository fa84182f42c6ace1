"""Measures how quickly the API takes tasks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

try:
    from flowforge.commands import load
    from flowforge.commands.run import run

    status: int | str = run(load)
except KeyboardInterrupt:  # also while modules are still being loaded
    status = "Interrupted: what has been sent so far is in the database."
sys.exit(status)
