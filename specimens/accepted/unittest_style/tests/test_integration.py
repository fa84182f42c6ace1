# ruff: noqa: PT009 (unittest's own way)
"""The API on the database that TEST_DATABASE_URL names."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

import psycopg
from fastapi.testclient import TestClient

from api_service.app import create_app
from api_service.settings import ApiSettings

URL = os.environ.get("TEST_DATABASE_URL", "")
PROJECT = Path(__file__).parents[1]


@unittest.skipUnless(URL, "set TEST_DATABASE_URL to an empty PostgreSQL database")
class DatabaseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        upgrade = [sys.executable, "-m", "alembic", "upgrade", "head"]
        subprocess.run(
            upgrade, cwd=PROJECT, env={**os.environ, "DATABASE_URL": URL}, check=True, capture_output=True
        )
        cls.connection = cls.enterClassContext(psycopg.connect(URL, autocommit=True))
        cls.client = cls.enterClassContext(TestClient(create_app(ApiSettings(database_url=URL))))

    def setUp(self) -> None:
        self.addCleanup(self.connection.execute, "DELETE FROM tasks")

    def rows(self) -> list[tuple]:
        return self.connection.execute("SELECT title, payload FROM tasks ORDER BY title").fetchall()

    def test_create(self) -> None:
        body = {"title": "ß", "payload": {"exact": 2**53, "text": "\\"}}
        response = self.client.post("/tasks", json=body)
        self.assertEqual(self.rows(), [("ß", body["payload"])])
        self.assertEqual(self.client.get(response.headers["Location"]).json(), response.json())

    def test_replace_and_delete(self) -> None:
        paths = [self.client.post("/tasks", json={"title": t}).headers["Location"] for t in ("a", "b", "c")]
        self.client.put(paths[0], json={"title": "d", "payload": {"n": None}})
        self.client.delete(paths[1])
        self.assertEqual(self.rows(), [("c", {}), ("d", {"n": None})])

    def test_list(self) -> None:
        self.connection.execute(
            "INSERT INTO tasks (title, status) SELECT n::text, 'completed' FROM generate_series(1, 25) n"
        )
        response = self.client.get("/tasks?status=completed&page=2").json()
        self.assertEqual((len(response["data"]), response["meta"]["total"]), (5, 25))

    def test_health(self) -> None:
        self.assertEqual(self.client.get("/health").status_code, 200)
