"""`python -m flowforge`: read the configuration, then serve."""

import asyncio
import os
import sys

from . import logs, server
from .settings import ConfigurationError, load


def main() -> int:
    try:
        settings = load(os.environ)
    except ConfigurationError as error:
        print(f"flowforge cannot start: {error}", file=sys.stderr)
        return 1
    logs.configure(settings.log_level, settings.log_format)
    return asyncio.run(server.serve(settings))


if __name__ == "__main__":
    sys.exit(main())
