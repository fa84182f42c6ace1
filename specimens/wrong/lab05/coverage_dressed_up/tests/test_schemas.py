"""What a client may send."""

import pytest
from pydantic import ValidationError

from api_service.schemas import TaskInput


def test_defaults():
    task = TaskInput(title="a")
    assert (task.description, task.priority, task.type, task.payload) == ("", 0, "noop", {})


@pytest.mark.parametrize("fields", [{"title": ""}, {"title": "x" * 201}, {"title": "x", "owner": "me"}])
def test_refused(fields):
    with pytest.raises(ValidationError):
        TaskInput(**fields)
