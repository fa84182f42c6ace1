"""Empties the table of tasks. The work is done in flowforge/scripts/cleanup.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if __name__ == "__main__":
    try:
        from flowforge.scripts.cleanup import cleanup
        from flowforge.scripts.entry import enter
    except KeyboardInterrupt:
        sys.exit("Interrupted before anything was done.")
    enter(cleanup)
