def test_create(stored, rows):
    stored.post("/tasks", json={"title": "x"})
