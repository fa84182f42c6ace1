"""What only the checks of lab 01 need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from labkit import evidence


@pytest.fixture
def own_stack(stack, request) -> Callable[..., AbstractContextManager]:
    """Starts an API of the check's own with the given settings, and ends it after the block.

    It works on the shared API's database, or on an empty one with `fresh=True`.
    """

    @contextmanager
    def own(fresh: bool = False, **settings: str) -> Iterator:
        database = None if fresh else stack.database
        new_stack = request.getfixturevalue("new_stack")
        started = new_stack(database=database, surveyed=stack.surveyed, **settings)
        evidence.journal().logs.append(started.service.tail())
        try:
            yield started
        finally:
            started.service.kill()

    return own


@pytest.fixture(scope="module")
def fresh_stack(shared_stack, request):
    """An API without any tasks in it, for the checks of one file; or why there is none."""
    if isinstance(shared_stack, Exception):
        return shared_stack
    return request.getfixturevalue("new_stack")(surveyed=shared_stack.surveyed)
