"""The routes, on a store that agrees to everything."""

import asyncio
from unittest.mock import AsyncMock, Mock
from uuid import uuid4

from api_service.app import create_app
from api_service.routes import service, tasks
from api_service.settings import ApiSettings


def test_application():
    assert create_app(ApiSettings(database_url="postgresql://nobody@localhost/nothing")).routes


def test_create():
    store = AsyncMock()
    asyncio.run(tasks.create_task(store, Mock(), "request-1", Mock(headers={})))
    store.create.assert_awaited_once()


def test_read(monkeypatch):
    monkeypatch.setattr(tasks, "Envelope", Mock())
    store = AsyncMock()
    asyncio.run(tasks.read_task(store, uuid4()))
    store.get.assert_awaited_once()


def test_delete():
    store = AsyncMock()
    asyncio.run(tasks.delete_task(store, uuid4()))
    store.delete.assert_awaited_once()


def test_health():
    assert service.router.routes
