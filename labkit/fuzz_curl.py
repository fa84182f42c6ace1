"""A request of the fuzzer as one line for a shell, together with the requests that it depends on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit import curl

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_ID_IN_LOCATION = "grep -i ^location: | grep -oE '[0-9A-Fa-f-]{36}'"


@dataclass(frozen=True)
class Request:
    """A request as it was sent; the path with its query, no body as b""."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def task_id(url: str) -> str | None:
    """The id of the task that a URL or path is about, as it stands there."""
    found = _UUID.search(url)
    return found[0] if found else None


def curl_line(
    request: Request, url: str, created: Mapping[str, Request], changes: Mapping[str, Sequence[Request]]
) -> str | None:
    """A line that sends `request` to the service at `url` and shows the answer; None if it got too long.

    If the request is about a task that the fuzzer had created, so does the line: `created` holds the request
    for each id, and `changes` what was done to that task in between.
    """
    task = task_id(request.path)
    if task is None or task not in created:
        return _line(request, url)
    creation = _line(created[task], url, "curl -s -D - -o /dev/null")
    steps = [_line(change, url, "curl -s -o /dev/null", task) for change in changes.get(task, ())]
    last = _line(request, url, task=task)
    if creation is None or last is None or None in steps:
        return None
    return "; ".join([f"id=$({creation} | {_ID_IN_LOCATION})", *filter(None, steps), last])


def _line(request: Request, url: str, program: str = "curl -i", task: str | None = None) -> str | None:
    """One request; where its path names `task`, the line says $id."""
    address = url + request.path
    line = curl.line(request.method, address, request.headers, request.body or None)
    if line is None:
        return None
    if task is not None:
        name = '"$id"' if shlex.quote(address) == address else "'\"$id\"'"
        line = line.replace(task, name, 1)
    return line.replace("curl -i", program, 1)
