"""What has been seen and need not be seen again: a JSON object with a line for each entry, to be diffed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from labkit.errors import LabError

E = TypeVar("E")


def load(path: Path, entry: Callable[..., E]) -> dict[str, E]:
    """Name → entry, each made of its fields; empty if there is no file. LabError if it cannot be read."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return {name: entry(**fields) for name, fields in table.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        place = f"docs/{path.name}"
        raise LabError(f"{path} cannot be read: {error!r}.", f"Restore it: git checkout {place}") from None


def save(path: Path, entries: Mapping[str, Any]) -> None:
    """Write entries (dataclasses), in their order."""
    lines = [f"{json.dumps(name)}: {json.dumps(asdict(entry))}" for name, entry in entries.items()]
    path.parent.mkdir(exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
