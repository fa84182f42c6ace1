"""Many requests at once, more of them than the pool has connections."""

from concurrent.futures import ThreadPoolExecutor

from fastapi.testclient import TestClient

NUMBERS = range(16)


def test_every_task_is_stored_once(client: TestClient) -> None:
    with ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(lambda n: client.post("/tasks", json={"title": f"task {n}"}), NUMBERS))
    assert [response.status_code for response in responses] == [201] * len(NUMBERS)
    listed = client.get("/tasks?limit=100").json()
    assert listed["meta"]["total"] == len(NUMBERS)
    assert sorted(task["title"] for task in listed["data"]) == sorted(f"task {n}" for n in NUMBERS)


def test_a_task_is_replaced_as_a_whole(client: TestClient) -> None:
    path = client.post("/tasks", json={"title": "old"}).headers["Location"]
    with ThreadPoolExecutor(8) as threads:
        bodies = [{"title": f"{n}", "description": f"{n}", "priority": n} for n in NUMBERS]
        responses = list(threads.map(lambda body: client.put(path, json=body), bodies))
    assert [response.status_code for response in responses] == [200] * len(NUMBERS)
    task = client.get(path).json()["data"]
    assert task["title"] == task["description"] == str(task["priority"])


def test_a_task_is_deleted_by_one_only(client: TestClient) -> None:
    path = client.post("/tasks", json={"title": "a task"}).headers["Location"]
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda _: client.delete(path).status_code, range(8)))
    assert sorted(statuses) == [204, *[404] * 7]
