"""What holds for each request: its id, and what is said on a bad day."""

from uuid import UUID

import pytest
from httpx import AsyncClient
from psycopg import OperationalError
from store import DictStore

pytestmark = pytest.mark.anyio


async def test_a_request_keeps_its_id(client: AsyncClient) -> None:
    answer = await client.post("/tasks", json={"title": "x"}, headers={"x-request-id": "Order.66"})
    assert answer.headers["x-request-id"] == "Order.66"
    assert answer.json()["data"]["request_id"] == "Order.66"


@pytest.mark.parametrize("given", ["", "two words", "x" * 129])
async def test_an_id_that_will_not_do_is_replaced(client: AsyncClient, given: str) -> None:
    answer = await client.get("/nothing", headers={"x-request-id": given})
    assert UUID(answer.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/health", "/tasks"])
async def test_without_a_database_nobody_is_well(client: AsyncClient, store: DictStore, path: str) -> None:
    assert (await client.get(path)).status_code == 200
    store.broken = OperationalError("connection refused")
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


async def test_what_nobody_expected_is_not_explained(client: AsyncClient, store: DictStore) -> None:
    store.broken = RuntimeError("the password is mellon")
    answer = await client.get("/tasks")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "mellon" not in answer.text
