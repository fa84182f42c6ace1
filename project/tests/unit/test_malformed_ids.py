"""Ids that are none, in every route that takes one: a mistake in the request, not a task that is missing."""

import pytest
from fastapi.testclient import TestClient

MALFORMED = ["not-a-uuid", "1", "0b6f6d3c9d9c4f6c8f8f0a1b2c3d4e5f", "{0b6f6d3c-9d9c-4f6c-8f8f-0a1b2c3d4e5f}"]


@pytest.mark.parametrize("task_id", MALFORMED)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_malformed_id_is_400(client: TestClient, method: str, task_id: str) -> None:
    body = {"title": "a task"} if method == "PUT" else None
    response = client.request(method, f"/tasks/{task_id}", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_request"
    assert [detail["field"] for detail in response.json()["error"]["details"]] == ["id"]
