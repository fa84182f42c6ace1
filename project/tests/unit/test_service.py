"""What the service says about itself."""

from fastapi.testclient import TestClient

from api_service import __version__


def test_health_is_ok_while_the_store_answers(client: TestClient) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json() == {"data": {"status": "ok", "database": "up"}, "error": None}


def test_info_names_the_service(client: TestClient) -> None:
    response = client.get("/info")
    assert response.status_code == 200
    assert response.json() == {
        "data": {"name": "flowforge", "version": __version__, "environment": "test"},
        "error": None,
    }


def test_the_description_names_every_route(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {path: sorted(methods) for path, methods in paths.items()} == {
        "/health": ["get"],
        "/info": ["get"],
        "/openapi.json": ["get"],
        "/tasks": ["get", "post"],
        "/tasks/{id}": ["delete", "get", "put"],
    }
