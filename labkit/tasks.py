"""What checks do with tasks over HTTP before they come to their own question."""

from __future__ import annotations

import uuid
from typing import Any

from labkit.evidence import Blocked, CheckFailed, Journal, aside, expect, shorten
from labkit.http import Client, Response

CREATES = "lab01.create.answers_201"
"""The check that fails, once for all, when no task can be created."""
READS = "lab01.read.gives_the_task"
"""The check that fails, once for all, when a task cannot be read back."""

CLIENT_FIELDS = ("title", "description", "priority", "type", "payload")
"""What the client sets; everything else of a task is the server's."""


def nobody() -> str:
    """A well-formed id that no task has: another one each time, for a project may make a task of it."""
    return str(uuid.uuid4())


def create(api: Client, title: str = "a task", **fields: Any) -> dict[str, Any]:
    """Create a task and return it as the API answered; blocks the check if that does not work."""
    return created(api, title, **fields).task


def created(
    api: Client, title: str = "a task", *, headers: dict[str, str] | None = None, **fields: Any
) -> Response:
    """Create a task and return the whole answer; blocks the check if that does not work."""
    try:
        answer = api.post("/tasks", json={"title": title, **fields}, headers=headers).expect(201)
        answer.task  # noqa: B018  (fails here if there is none)
        return answer
    except CheckFailed as cause:
        if _plain_works(api):
            raise  # so it is about what this very check sends
        raise Blocked(api.gate or CREATES, cause) from None


def read(api: Client, task: dict[str, Any]) -> dict[str, Any]:
    """The task as the API has it now; blocks the check if it cannot be read."""
    try:
        return api.get(f"/tasks/{task['id']}").expect(200).task
    except CheckFailed as cause:
        raise Blocked(api.gate or READS, cause) from None


def total(api: Client) -> int:
    """How many tasks there are, as lists say it; fails the check if they do not."""
    found = api.get("/tasks?limit=1").expect(200).meta.get("total")
    if not isinstance(found, int):
        raise CheckFailed("`meta.total` to be the number of all tasks", repr(found))
    return found


def expect_same(now: dict[str, Any], before: dict[str, Any], whose: str = "the task") -> None:
    """Fail the check unless a task is as it was; shows what differs, and nothing else."""
    names = [
        name
        for name in {**before, **now}
        if (name in now, now.get(name)) != (name in before, before.get(name))
    ]
    expect(
        not names,
        f"{whose} as it was: " + ", ".join(_shown(before, name) for name in names),
        ", ".join(_shown(now, name) for name in names),
    )


def _shown(task: dict[str, Any], name: str) -> str:
    return f"{name} {shorten(repr(task[name]), 100)}" if name in task else f"no {name}"


def _plain_works(api: Client) -> bool:
    """Whether an ordinary task can be created, aside from the running check."""
    with aside(Journal()):
        try:
            return bool(api.post("/tasks", json={"title": "a task"}).expect(201).task)
        except CheckFailed:
            return False
