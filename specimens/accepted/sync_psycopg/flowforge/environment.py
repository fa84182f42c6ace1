"""Where settings come from: the process's environment, and behind it a file."""

import os
from pathlib import Path

from dotenv import dotenv_values

from flowforge.settings import SettingsError

FILE = Path(__file__).resolve().parent.parent / ".env"


def environment(file: Path = FILE) -> dict[str, str]:
    """All variables that are set to something; those of the process win. SettingsError if the file is there,
    but cannot be read."""
    try:
        stored = dotenv_values(file, interpolate=False) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file.name} cannot be read: {error}") from None
    own = {name: value for name, value in os.environ.items() if value}
    return {name: value for name, value in stored.items() if value} | own
