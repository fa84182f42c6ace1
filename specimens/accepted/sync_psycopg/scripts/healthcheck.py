"""Says what is up and what is down."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

try:
    from flowforge.commands import health
    from flowforge.commands.run import run

    status: int | str = run(health)
except KeyboardInterrupt:  # also while modules are still being loaded
    status = "Interrupted."
sys.exit(status)
