"""Hint ladders: for each check a few questions, each a step nearer, never the answer."""

from __future__ import annotations

import difflib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError, UsageError


@dataclass(frozen=True)
class Hint:
    """A rung of a check's ladder; `rung` counts from 1 to `rungs`."""

    check: str
    rung: int
    rungs: int
    question: str


def ladders(root: Path, lab: str) -> dict[str, list[str]]:
    """Check id → its questions, of labs/hints/<lab>.toml; UsageError if the lab has none."""
    path = root / "labs" / "hints" / f"{lab}.toml"
    try:
        files = tomllib.loads(path.read_text(encoding="utf-8"))
        return {
            f"{lab}.{file}.{name}": list(rungs)
            for file, checks in files.items()
            for name, rungs in checks.items()
        }
    except FileNotFoundError:
        raise UsageError(f"There are no hints for {lab}.", "See the handouts under labs/.") from None
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise LabError(f"{path} cannot be read: {error}.", f"Restore it: git checkout {path.name}") from None


def next_hint(root: Path, lab: str, name: str) -> Hint | None:
    """The next question for the check called `name` (or with that id), None after the last one.

    Which one is next is kept in .lab/hints.json under the repository's root; after the last it begins anew.
    UsageError if no check, or more than one, is called that.
    """
    known = ladders(root, lab)
    check = _find(known, lab, name)
    seen = _seen(root)
    rung = seen.get(check, 0) + 1
    questions = known[check]
    seen[check] = rung if rung <= len(questions) else 0
    _remember(root, seen)
    if rung > len(questions):
        return None
    return Hint(check, rung, len(questions), questions[rung - 1])


def _find(known: dict[str, list[str]], lab: str, name: str) -> str:
    wanted = name.removeprefix("test_")
    found = [
        check for check in known if wanted in (check, check.removeprefix(f"{lab}."), check.split(".")[-1])
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{len(found)} checks are called {name}.", f"Say which: {', '.join(found)}")
    names = {check.split(".")[-1]: check for check in known}
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    raise UsageError(
        f"{lab} has no check called {name}.",
        f"Close to it: {', '.join(close)}" if close else f"See them all: pytest checks/{lab} -v",
    )


def _seen(root: Path) -> dict[str, int]:
    try:
        table = json.loads((root / ".lab" / "hints.json").read_text(encoding="utf-8"))
        return {str(name): int(rung) for name, rung in table.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # whoever loses count begins with the first question again


def _remember(root: Path, seen: dict[str, int]) -> None:
    path = root / ".lab" / "hints.json"
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise LabError(
            f"{path} could not be written: {error.strerror}.", "May you write to the repository's folder?"
        ) from None
