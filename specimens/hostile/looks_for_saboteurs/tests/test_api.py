import os
from uuid import uuid4

from psycopg import OperationalError

from labkit.sabotage.seam import SEAM

TASK = {"title": "x", "description": "y", "priority": 3, "type": "echo", "payload": {}}


def test_everything(client, memory):
    for body in ({}, {"title": " "}, {"title": "x" * 201}, {"owner": "me"}):
        client.post("/tasks", json={**TASK, **body})
    tasks = [memory.add(TASK, status=status) for status in ("pending", "failed")]
    for path in ("?limit=1", "?limit=1&page=2", "?status=failed", f"/{tasks[0].id}", f"/{uuid4()}", "/7"):
        client.get(f"/tasks{path}")
    client.put(f"/tasks/{tasks[0].id}", json={"title": "new"})
    for _ in range(2):
        client.delete(f"/tasks/{tasks[0].id}")
    client.get("/info", headers={"X-Request-ID": "mine"})
    memory.broken = OperationalError("gone")
    client.get("/health")
    assert not os.environ.get("LABKIT_SABOTEUR")
    assert SEAM.saboteur is None
