"""A request of the fuzzer as one line for a shell, together with the requests that it depends on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_LONG_RUN = re.compile(r"(.)\1{79,}", re.DOTALL)


@dataclass(frozen=True)
class Request:
    """A request as it was sent; the path with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def task_id(self) -> str | None:
        """The id of the task that the path is about, in lower case."""
        return self.created_id(self.path)

    @staticmethod
    def created_id(url: str) -> str | None:
        """The task's id in a URL, in lower case."""
        found = _UUID.search(url)
        return found[0].lower() if found else None


def curl_line(
    request: Request,
    url: str,
    created: Mapping[str, Request],
    changes: Mapping[str, Sequence[Request]],
) -> str:
    """A line that sends `request` to the service at `url` and shows the whole answer.

    If the request is about a task that the fuzzer had created, so does the line: `created` holds the request
    for each id, and `changes` what was done to that task in between. Needs bash or zsh.
    """
    task = request.task_id()
    if task is None or task not in created:
        return _curl(request, url, "-i")
    location = "grep -i ^location: | grep -oE '[0-9A-Fa-f-]{36}'"
    steps = [f"id=$({_curl(created[task], url, '-s -D - -o /dev/null')} | {location})"]
    steps += [_curl(change, url, "-s -o /dev/null", task) for change in changes.get(task, ())]
    return "; ".join([*steps, _curl(request, url, "-i", task)])


def _curl(request: Request, url: str, options: str, task: str | None = None) -> str:
    """One request; where its path names `task`, the line says $id."""
    words = ["curl", options]
    if request.method != "GET" or request.body:
        words += ["-X", request.method]
    words.append(_address(url + request.path, task))
    for name, value in request.headers.items():
        words += ["-H", _quote(f"{name}: {value}") if value else f"'{name};'"]
    if request.body and "Content-Type" not in request.headers:
        words += ["-H", "Content-Type:"]  # or curl would declare a form
    if not request.body:
        return " ".join(words)
    try:
        text = request.body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if text.isprintable():
        return " ".join([*words, "--data-binary", _quote(text)])
    # Only a pipe takes every byte: an argument can hold no NUL.
    return " ".join([f"printf {_octal(request.body)} |", *words, "--data-binary", "@-"])


def _address(url: str, task: str | None) -> str:
    if task is None:
        return shlex.quote(url)
    before, found, after = re.split(f"({task})", url, maxsplit=1, flags=re.IGNORECASE)
    # The server may know ids in any case: what was sent in upper case goes there in upper case.
    name = "$id" if found != found.upper() else "$(echo $id | tr a-f A-F)"
    return shlex.quote(before) + f'"{name}"' + (shlex.quote(after) if after else "")


def _quote(text: str) -> str:
    """`text` as one word for a shell; long runs of one character are counted, not spelled out."""
    if not text.isprintable():
        escaped = "".join(c if c.isprintable() and c not in "'\\" else _escape(c) for c in text)
        return f"$'{escaped}'"
    words, end = [], 0
    for run in _LONG_RUN.finditer(text):
        if run[1] not in "'\"\\$`%!":
            words.append(shlex.quote(text[end : run.start()]))
            words.append(f"\"$(printf '{run[1]}%.0s' $(seq {len(run[0])}))\"")
            end = run.end()
    return "".join([*words, shlex.quote(text[end:])])


def _escape(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def _octal(data: bytes) -> str:
    """Bytes as a format for printf."""
    plain = range(32, 127)
    return "'" + "".join(chr(b) if b in plain and b not in b"'\\%" else f"\\{b:03o}" for b in data) + "'"
