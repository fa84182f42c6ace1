"""The API on PostgreSQL."""


def test_a_task_is_a_row(stored, rows):
    task = stored.post("/tasks", json={"title": "x", "payload": {"n": None}}).json()["data"]
    assert stored.get(f"/tasks/{task['id']}").json()["data"] == task
    assert rows.execute("SELECT id::text, title, payload FROM tasks").fetchall() == [
        (task["id"], "x", {"n": None})
    ]


def test_one_row_is_replaced_and_one_deleted(stored, rows):
    paths = [stored.post("/tasks", json={"title": title}).headers["Location"] for title in "abc"]
    stored.put(paths[0], json={"title": "A"})
    stored.delete(paths[1])
    assert rows.execute("SELECT title FROM tasks ORDER BY title").fetchall() == [("A",), ("c",)]
    assert stored.get("/tasks").json()["meta"]["total"] == 2
