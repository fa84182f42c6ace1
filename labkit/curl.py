"""A request as one line that does the same again when it is pasted into a shell (bash, zsh)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

_REPEATED = re.compile(r"(.{1,8}?)\1{39,}", re.DOTALL)
_MOST_ARGUMENT_BYTES = 100_000
"""Linux takes 128 KiB in one argument."""
_MOST_CHARACTERS = 4_000


def line(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> str | None:
    """The command; None if the body is so long and irregular that nobody would want to see it."""
    words = ["curl", "-i", *_switches(url)]
    if method == "HEAD":
        words.append("--head")
    elif method != "GET" or body is not None:
        words += ["-X", method]
    words.append(_word(url))
    for name, value in headers.items():
        words += ["-H", _word(f"{name}: {value}" if value else f"{name};")]
    before = ""
    if body is not None:
        if not any(name.lower() == "content-type" for name in headers):
            words += ["-H", "Content-Type:"]  # or curl would declare a form
        argument = _argument(body)
        if argument is None:
            before = f"{_pipe(body)} | "
        words += ["--data-binary", argument or "@-"]
    whole = before + " ".join(words)
    return whole if len(whole) <= _MOST_CHARACTERS else None


def _switches(url: str) -> list[str]:
    """What keeps curl from changing the URL."""
    switches = ["--globoff"] if re.search(r"[][{}]", url) else []
    return [*switches, "--path-as-is"] if "/." in url else switches


def _argument(body: bytes) -> str | None:
    """The body as one word of the command; None if it must come through a pipe, which takes every byte."""
    if len(body) > _MOST_ARGUMENT_BYTES or body.startswith(b"@"):  # with an @, curl takes it for a file
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if not text.isprintable():
        return None
    parts = (
        f'"$({_printf(unit.encode(), times)})"' if times > 1 else _word(unit) for unit, times in _runs(text)
    )
    return "".join(parts) or "''"


def _pipe(body: bytes) -> str:
    """A command that prints the body, byte by byte."""
    commands = [_printf(unit.encode("latin-1"), times) for unit, times in _runs(body.decode("latin-1"))]
    return commands[0] if len(commands) == 1 else f"{{ {'; '.join(commands)}; }}"


def _runs(text: str) -> Iterator[tuple[str, int]]:
    """`text` in pieces, each with how often it is repeated: what is long mostly repeats itself."""
    end = 0
    for run in _REPEATED.finditer(text):
        if run.start() > end:
            yield text[end : run.start()], 1
        yield run[1], len(run[0]) // len(run[1])
        end = run.end()
    if end < len(text):
        yield text[end:], 1


def _printf(data: bytes, times: int) -> str:
    escaped = "".join(chr(b) if 32 <= b < 127 and b not in b"'\\" else f"\\{b:03o}" for b in data)
    escaped = escaped.replace("%", "%%")
    dashes = "-- " if escaped.startswith("-") else ""
    if times == 1:
        return f"printf {dashes}'{escaped}'"
    return f"printf {dashes}'{escaped}%.0s' $(seq {times})"


def _word(text: str) -> str:
    if text.isprintable():
        return shlex.quote(text)
    plain = range(32, 127)
    return (
        "$'"
        + "".join(chr(b) if b in plain and b not in b"'\\" else f"\\x{b:02x}" for b in text.encode())
        + "'"
    )
