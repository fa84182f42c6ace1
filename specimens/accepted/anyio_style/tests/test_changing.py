"""PUT and DELETE."""

import pytest
from httpx import AsyncClient
from store import DictStore
from test_reading import NO_TASK

pytestmark = pytest.mark.anyio


async def test_a_replaced_task_is_replaced(client: AsyncClient, store: DictStore) -> None:
    task = store.put_in("old", description="old", priority=3, type="echo", payload={"a": 1})
    answer = await client.put(f"/tasks/{task.id}", json={"title": "new"})
    assert answer.status_code == 200
    replaced = answer.json()["data"]
    assert replaced["title"] == "new"
    assert (replaced["description"], replaced["priority"]) == ("", 0)
    assert (replaced["type"], replaced["payload"]) == ("noop", {})
    assert replaced["updated_at"] > replaced["created_at"]
    assert (await client.get(f"/tasks/{task.id}")).json()["data"] == replaced


async def test_others_are_left_alone(client: AsyncClient, store: DictStore) -> None:
    task, other = store.put_in("one"), store.put_in("other")
    await client.put(f"/tasks/{task.id}", json={"title": "new"})
    await client.delete(f"/tasks/{task.id}")
    assert store.tasks == {other.id: other}


async def test_a_deleted_task_is_gone(client: AsyncClient, store: DictStore) -> None:
    task = store.put_in("x")
    answer = await client.delete(f"/tasks/{task.id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get(f"/tasks/{task.id}")).status_code == 404
    assert (await client.delete(f"/tasks/{task.id}")).status_code == 404


async def test_what_is_not_there_cannot_be_replaced(client: AsyncClient) -> None:
    assert (await client.put(NO_TASK, json={"title": "x"})).status_code == 404
