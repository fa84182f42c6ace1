"""Paths and methods that nobody serves: refused in the same envelope as everything else."""

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize("path", ["/", "/nothing", "/tasks/", "/health/", "/tasks%0A"])
def test_an_unknown_path_is_404(client: TestClient, path: str) -> None:
    response = client.get(path, follow_redirects=False)
    assert response.status_code == 404
    assert response.json()["data"] is None
    assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/tasks", {"GET", "POST"}),
        ("PATCH", "/tasks/0b6f6d3c-9d9c-4f6c-8f8f-0a1b2c3d4e5f", {"GET", "PUT", "DELETE"}),
        ("POST", "/health", {"GET"}),
    ],
)
def test_another_method_is_405_and_names_those_that_are_allowed(
    client: TestClient, method: str, path: str, allowed: set[str]
) -> None:
    response = client.request(method, path)
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"
    assert set(response.headers["Allow"].split(", ")) >= allowed
