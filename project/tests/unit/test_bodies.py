"""Bodies that are refused before anybody looks at their fields."""

import pytest
from fastapi.testclient import TestClient

from api_service.body import MAX_BODY_BYTES

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"title": "a task",}', b'{"title": NaN}', b'{"title": "\xff"}', b"[" * 10_000],
    ids=["nothing", "half an object", "a comma too many", "NaN", "no UTF-8", "very deep"],
)
def test_broken_json_is_400(client: TestClient, body: bytes) -> None:
    response = client.post("/tasks", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_request"


@pytest.mark.parametrize("body", [b"null", b"[]", b'"a task"'])
def test_json_that_is_no_object_is_400(client: TestClient, body: bytes) -> None:
    response = client.post("/tasks", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["error"]["details"] == []


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/jsonp", ""])
def test_another_media_type_is_415(client: TestClient, media_type: str) -> None:
    response = client.post("/tasks", content=b'{"title": "a task"}', headers={"Content-Type": media_type})
    assert response.status_code == 415
    assert response.json()["error"]["code"] == "unsupported_media_type"


def test_a_media_type_may_have_parameters(client: TestClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/tasks", content=b'{"title": "a task"}', headers=headers).status_code == 201


def test_a_lone_surrogate_is_400_and_its_field_is_named(client: TestClient) -> None:
    response = client.post("/tasks", content=rb'{"title": "a \ud800 b"}', headers=JSON)
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["error"]["details"]] == ["title"]


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 201), (MAX_BODY_BYTES + 1, 413)])
def test_a_body_has_a_largest_size(client: TestClient, size: int, status: int) -> None:
    body = b'{"title": "a task"}'.ljust(size)
    assert client.post("/tasks", content=body, headers=JSON).status_code == status


def test_too_large_comes_before_everything_else(client: TestClient) -> None:
    response = client.post("/tasks", content=b"x" * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "payload_too_large"
