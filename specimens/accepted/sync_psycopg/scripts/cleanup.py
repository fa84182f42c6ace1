"""Deletes all tasks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

try:
    from flowforge.commands import cleanup
    from flowforge.commands.run import run

    status: int | str = run(cleanup)
except KeyboardInterrupt:  # also while modules are still being loaded
    status = "Interrupted: nothing has been deleted."
sys.exit(status)
