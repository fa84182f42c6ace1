"""GET: one task, and lists of them."""

import pytest
from httpx import AsyncClient
from store import DictStore

pytestmark = pytest.mark.anyio

NO_TASK = "/tasks/00000000-0000-4000-8000-000000000000"


async def titles(client: AsyncClient, **query: object) -> list[str]:
    return [task["title"] for task in (await client.get("/tasks", params=query)).json()["data"]]


async def test_there_is_no_such_task(client: AsyncClient) -> None:
    answer = await client.get(NO_TASK)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_id_that_is_none(client: AsyncClient, method: str) -> None:
    body = {"title": "x"} if method == "PUT" else None
    answer = await client.request(method, "/tasks/not-a-uuid", json=body)
    assert answer.status_code == 400


async def test_pages_follow_each_other(client: AsyncClient, store: DictStore) -> None:
    for letter in "abcde":
        store.put_in(letter)
    assert await titles(client) == ["a", "b", "c", "d", "e"]
    assert await titles(client, limit=2) == ["a", "b"]
    assert await titles(client, limit=2, page=2) == ["c", "d"]
    assert await titles(client, limit=2, page=4) == []


async def test_the_total_is_that_of_all_pages(client: AsyncClient, store: DictStore) -> None:
    for letter in "abc":
        store.put_in(letter)
    answer = await client.get("/tasks?limit=2")
    assert answer.json()["meta"] == {"page": 1, "limit": 2, "total": 3}


async def test_a_status_is_a_filter(client: AsyncClient, store: DictStore) -> None:
    store.put_in("waits")
    store.put_in("has failed", status="failed", error="no water")
    assert await titles(client, status="failed") == ["has failed"]
    assert await titles(client, status="completed") == []


@pytest.mark.parametrize("query", ["page=0", "limit=101", "limit=ten", "status=lost"])
async def test_a_query_that_makes_no_sense(client: AsyncClient, query: str) -> None:
    answer = await client.get(f"/tasks?{query}")
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [query.split("=")[0]]


async def test_a_path_and_a_method_that_are_none(client: AsyncClient) -> None:
    assert (await client.get("/nothing")).json()["error"]["code"] == "not_found"
    answer = await client.patch("/tasks")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


async def test_the_service_says_what_it_is(client: AsyncClient) -> None:
    assert (await client.get("/info")).json()["data"]["name"] == "flowforge"
    assert "/tasks/{id}" in (await client.get("/openapi.json")).json()["paths"]
