"""Output to where not every character can be shown: the nearest ones that can, and no crash."""

from __future__ import annotations

import codecs
import io
from typing import TextIO

_PLAIN = {"…": "...", "—": "-", "–": "-", "·": "|", "’": "'", "“": '"', "”": '"', "×": "x"}
_PLAIN |= {"✓": "ok", "✗": "FAILED", "◌": "blocked", "█": "#", "░": ".", "→": "->", "≤": "<=", "≥": ">="}


def make_lenient(stream: TextIO) -> None:
    """Let `stream` write what its encoding lacks in the nearest way that it has."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="labkit.nearest")


def _nearest(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    texts = []
    for character in error.object[error.start : error.end]:
        nearest = _PLAIN.get(character)
        texts.append(nearest or character.encode("ascii", "backslashreplace").decode("ascii"))
    return "".join(texts), error.end


codecs.register_error("labkit.nearest", _nearest)
