"""The API with its database, so we thought."""


def test_a_task_is_kept(stored):
    path = stored.post("/tasks", json={"title": "x"}).headers["Location"]
    assert stored.get(path).json()["data"]["title"] == "x"


def test_a_task_is_deleted(stored):
    path = stored.post("/tasks", json={"title": "x"}).headers["Location"]
    stored.delete(path)
    assert stored.get(path).status_code == 404
