"""The API on PostgreSQL."""


def test_total(stored, rows):
    stored.post("/tasks", json={"title": "x"})
    assert stored.get("/tasks").json()["meta"]["total"] == 1
