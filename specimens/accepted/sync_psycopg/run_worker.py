"""Runs the worker-service."""

import sys

from flowforge.worker_main import main

if __name__ == "__main__":
    sys.exit(main())
