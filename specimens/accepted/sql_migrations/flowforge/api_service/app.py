"""Routes and handlers."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from aiohttp import web

from flowforge import VERSION, contract, store
from flowforge.api_service.envelope import REQUEST_ID, ApiError, data_response, envelope, json_response
from flowforge.config import Config
from flowforge.database import ping

LARGEST_BODY = 65_536
CONFIG = web.AppKey("config", Config)
POOL: web.AppKey[asyncpg.Pool] = web.AppKey("pool", asyncpg.Pool)
IN_FLIGHT: web.AppKey[set[asyncio.Task[Any]]] = web.AppKey("in_flight", set)

routes = web.RouteTableDef()


def create_app(config: Config, pool: asyncpg.Pool) -> web.Application:
    app = web.Application(middlewares=[count_in, envelope], client_max_size=LARGEST_BODY)
    app[CONFIG] = config
    app[POOL] = pool
    app[IN_FLIGHT] = set()
    app.add_routes(routes)
    return app


@web.middleware
async def count_in(request: web.Request, handler: Any) -> web.StreamResponse:
    """A request in flight is a task of its own, so that a shutdown can wait for it, and cut it short."""
    work = asyncio.ensure_future(handler(request))
    request.app[IN_FLIGHT].add(work)
    work.add_done_callback(request.app[IN_FLIGHT].discard)
    return await work  # type: ignore[no-any-return]


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    await ping(request.app[POOL])
    return data_response({"status": "ok", "database": "up"})


@routes.get("/info")
async def info(request: web.Request) -> web.Response:
    environment = request.app[CONFIG].environment
    return data_response({"name": "flowforge", "version": VERSION, "environment": environment})


@routes.get("/openapi.json")
async def openapi(_request: web.Request) -> web.Response:
    return json_response(contract.DESCRIPTION)


@routes.get("/tasks")
async def list_tasks(request: web.Request) -> web.Response:
    page, limit, status = contract.list_query(request.query)
    tasks, total = await store.find_page(request.app[POOL], status, page, limit)
    meta = {"page": page, "limit": limit, "total": total}
    return data_response([dict(task) for task in tasks], meta=meta)


@routes.post("/tasks")
async def create_task(request: web.Request) -> web.Response:
    fields = contract.task_input(await read_json(request))
    task = await store.create(request.app[POOL], fields, request[REQUEST_ID])
    return data_response(dict(task), 201, {"Location": f"/tasks/{task['id']}"})


@routes.get("/tasks/{id}")
async def read_task(request: web.Request) -> web.Response:
    task_id = contract.task_id(request.match_info["id"])
    return data_response(dict(found(await store.find(request.app[POOL], task_id))))


@routes.put("/tasks/{id}")
async def replace_task(request: web.Request) -> web.Response:
    body = await read_json(request)
    task_id = contract.task_id(request.match_info["id"])
    fields = contract.task_input(body)
    return data_response(dict(found(await store.replace(request.app[POOL], task_id, fields))))


@routes.delete("/tasks/{id}")
async def delete_task(request: web.Request) -> web.Response:
    task_id = contract.task_id(request.match_info["id"])
    found(await store.delete(request.app[POOL], task_id) or None)
    return web.Response(status=204)


async def read_json(request: web.Request) -> bytes:
    """The body of a request that is not too large and is declared as JSON."""
    body = await request.read()
    declared = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if declared != "application/json":
        raise ApiError(415, "unsupported_media_type", "Only application/json is understood here.")
    return body


def found(thing: Any) -> Any:
    if thing is None:
        raise ApiError(404, "not_found", "No task has this id.")
    return thing
