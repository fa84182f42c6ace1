"""Puts load on the API. The work is done in flowforge/scripts/load.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if __name__ == "__main__":
    try:
        from flowforge.scripts.entry import enter
        from flowforge.scripts.load import load
    except KeyboardInterrupt:
        sys.exit("Interrupted before anything was done.")
    enter(load)
