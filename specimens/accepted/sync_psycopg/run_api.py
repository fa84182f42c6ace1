"""Runs the api-service."""

import sys

from flowforge.api_main import main

if __name__ == "__main__":
    sys.exit(main())
