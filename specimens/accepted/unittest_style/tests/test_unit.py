# ruff: noqa: PT009, RUF012 (unittest's own way)
"""The API on a stub."""

import unittest
import uuid

import structlog
from fastapi.testclient import TestClient
from psycopg import OperationalError

from api_service.app import create_app
from api_service.dependencies import task_repository
from api_service.settings import ApiSettings
from tests.stub_store import StubStore


class ApiTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.app = create_app(ApiSettings(database_url="postgresql://nobody@localhost/nothing"))

    def setUp(self) -> None:
        self.enterContext(structlog.testing.capture_logs())
        self.store = StubStore()
        self.app.dependency_overrides[task_repository] = lambda: self.store
        self.client = TestClient(self.app)

    def assertRefused(self, response, status: int, code: str) -> None:
        self.assertEqual(response.status_code, status)
        self.assertIsNone(response.json()["data"])
        self.assertEqual(response.json()["error"]["code"], code)


class CreateTest(ApiTestCase):
    body = {
        "title": "Call the dentist",
        "description": "before noon",
        "priority": -5,
        "type": "sleep",
        "payload": {"seconds": 0.5},
    }

    def test_answer(self) -> None:
        response = self.client.post("/tasks", json=self.body)
        self.assertEqual(response.status_code, 201)
        task = response.json()["data"]
        self.assertEqual({name: task[name] for name in self.body}, self.body)
        self.assertEqual(task["status"], "pending")
        self.assertIn(task["id"], response.headers["Location"])

    def test_is_kept(self) -> None:
        created = self.client.post("/tasks", json=self.body).json()
        self.assertEqual(self.client.get(f"/tasks/{created['data']['id']}").json(), created)

    def test_title_within_limits(self) -> None:
        for title in ("x", "é" * 200, " x "):
            with self.subTest(title=title):
                response = self.client.post("/tasks", json={"title": title})
                self.assertEqual(response.json()["data"]["title"], title)

    def test_fields_beyond_limits(self) -> None:
        wrong = [
            ("title", ""),
            ("title", "\t"),
            ("title", "x" * 201),
            ("description", "x" * 2001),
            ("priority", 101),
            ("priority", "1"),
            ("type", "with space"),
            ("payload", [1]),
            ("status", "failed"),
            ("colour", "red"),
        ]
        for field, value in wrong:
            with self.subTest(field=field, value=value):
                response = self.client.post("/tasks", json={"title": "x", field: value})
                self.assertRefused(response, 400, "invalid_request")
                self.assertEqual(response.json()["error"]["details"][0]["field"], field)
        self.assertEqual(self.store.kept, [])

    def test_bodies(self) -> None:
        for content, kind, status in [
            ("{", "application/json", 400),
            ("{}", "text/plain", 415),
            ("[" * 70_000, "application/json", 413),
        ]:
            with self.subTest(status=status):
                response = self.client.post("/tasks", content=content, headers={"Content-Type": kind})
                self.assertEqual(response.status_code, status)


class ReadTest(ApiTestCase):
    def test_missing(self) -> None:
        self.assertRefused(self.client.get(f"/tasks/{uuid.uuid4()}"), 404, "not_found")

    def test_no_uuid(self) -> None:
        for method in ("GET", "DELETE"):
            with self.subTest(method=method):
                self.assertRefused(self.client.request(method, "/tasks/1"), 400, "invalid_request")

    def test_list(self) -> None:
        ids = [str(self.store.keep(status=status).id) for status in ("pending", "failed", "pending")]
        for query, expected, total in [
            ("", ids, 3),
            ("?limit=2", ids[:2], 3),
            ("?limit=2&page=2", ids[2:], 3),
            ("?page=9", [], 3),
            ("?status=failed", ids[1:2], 1),
        ]:
            with self.subTest(query=query):
                response = self.client.get(f"/tasks{query}").json()
                self.assertEqual([task["id"] for task in response["data"]], expected)
                self.assertEqual(response["meta"]["total"], total)

    def test_queries_that_are_none(self) -> None:
        for query in ("limit=0", "limit=101", "page=x", "status=lost"):
            with self.subTest(query=query):
                self.assertRefused(self.client.get(f"/tasks?{query}"), 400, "invalid_request")


class ChangeTest(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.task = self.store.keep(title="old", description="old", priority=1, payload={"old": True})
        self.path = f"/tasks/{self.task.id}"

    def test_replace(self) -> None:
        response = self.client.put(self.path, json={"title": "new", "priority": 2})
        self.assertEqual(response.status_code, 200)
        task = response.json()["data"]
        self.assertEqual((task["title"], task["priority"]), ("new", 2))
        self.assertEqual((task["description"], task["payload"]), ("", {}))
        self.assertGreater(task["updated_at"], task["created_at"])
        self.assertEqual(self.client.get(self.path).json()["data"], task)

    def test_replace_missing(self) -> None:
        response = self.client.put(f"/tasks/{uuid.uuid4()}", json={"title": "new"})
        self.assertRefused(response, 404, "not_found")

    def test_delete(self) -> None:
        response = self.client.delete(self.path)
        self.assertEqual((response.status_code, response.content), (204, b""))
        self.assertRefused(self.client.get(self.path), 404, "not_found")

    def test_delete_missing(self) -> None:
        self.assertRefused(self.client.delete(f"/tasks/{uuid.uuid4()}"), 404, "not_found")


class ServiceTest(ApiTestCase):
    def test_health(self) -> None:
        self.assertEqual(self.client.get("/health").json()["data"], {"status": "ok", "database": "up"})

    def test_outage(self) -> None:
        self.store.error = OperationalError("gone")
        for path in ("/health", "/tasks"):
            with self.subTest(path=path):
                self.assertRefused(self.client.get(path), 503, "unavailable")

    def test_surprise(self) -> None:
        self.store.error = KeyError("inside")
        response = self.client.get("/tasks")
        self.assertRefused(response, 500, "internal")
        self.assertNotIn("inside", response.text)

    def test_request_id(self) -> None:
        for given, comes_back in (("a-b.c_1", True), ("a b", False)):
            with self.subTest(given=given):
                response = self.client.get("/info", headers={"X-Request-ID": given})
                self.assertEqual(response.headers["X-Request-ID"] == given, comes_back)

    def test_paths_and_methods_that_are_none(self) -> None:
        self.assertRefused(self.client.get("/"), 404, "not_found")
        self.assertRefused(self.client.delete("/tasks"), 405, "method_not_allowed")


if __name__ == "__main__":
    unittest.main()
