"""What a check is: a test function with points, a title, a question, and one of four outcomes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

MARKER = "check"


class Outcome(StrEnum):
    """How a check ended. Only `ERROR` is the grader's own fault, and takes no points from the student."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    ERROR = "error"


@dataclass(frozen=True)
class Check:
    """A check as its author wrote it.

    `id` is `<lab>.<file without test_>.<function without test_>`; `read` is a path from the repository's
    root.
    """

    id: str
    title: str
    ask: str
    points: float
    read: str

    @property
    def lab(self) -> str:
        return self.id.split(".")[0]

    @property
    def name(self) -> str:
        return self.id.split(".")[-1]

    @property
    def again(self) -> str:
        """The command that runs this check alone."""
        return f"pytest checks/{self.lab} -k {self.name}"


def check(*, points: float, read: str) -> pytest.MarkDecorator:
    """Make a test function a check worth `points`.

    `read` is where its handout explains it ("lab-01-….md#anchor").
    The function's docstring is what the student reads: its first paragraph says what must hold, the second
    asks the question that leads there.
    """
    return getattr(pytest.mark, MARKER)(points=points, read=read)  # type: ignore[no-any-return]


def describe(lab: str, file: str, function: Callable[..., Any], points: float, read: str) -> Check:
    """The check that a marked test function stands for; ValueError if its docstring lacks a part.

    `file` and the function's name are given with their `test_`.
    """
    paragraphs = [" ".join(paragraph.split()) for paragraph in (inspect.getdoc(function) or "").split("\n\n")]
    if len(paragraphs) != 2 or not paragraphs[1].endswith("?"):
        raise ValueError(
            f"{file}::{function.__name__}: a check's docstring has two paragraphs, "
            "what must hold and a question that ends with a question mark"
        )
    return Check(
        id=f"{lab}.{file.removeprefix('test_')}.{function.__name__.removeprefix('test_')}",
        title=paragraphs[0].rstrip("."),
        ask=paragraphs[1],
        points=points,
        read=f"labs/{read}",
    )
