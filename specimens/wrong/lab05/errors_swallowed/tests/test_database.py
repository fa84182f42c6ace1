"""The API on PostgreSQL."""


def test_create(stored, rows):
    stored.post("/tasks", json={"title": "x"})
    stored.get("/tasks")
