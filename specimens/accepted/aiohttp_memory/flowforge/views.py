"""One view a path; aiohttp answers 405 for the methods that a view lacks."""

from typing import NoReturn

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11
from aiohttp.typedefs import Handler

from . import __version__, validation
from .description import DESCRIPTION
from .envelope import Problem, success
from .middlewares import REQUEST_ID
from .tasks import Draft, Task, TaskStore

STORE: web.AppKey[TaskStore] = web.AppKey("store", TaskStore)
ENVIRONMENT: web.AppKey[str] = web.AppKey("environment", str)


class Health(web.View):
    async def get(self) -> web.Response:
        return success({"status": "ok", "database": "none"})


class Info(web.View):
    async def get(self) -> web.Response:
        environment = self.request.app[ENVIRONMENT]
        return success({"name": "flowforge", "version": __version__, "environment": environment})


class Description(web.View):
    async def get(self) -> web.Response:
        return web.json_response(DESCRIPTION)


class Tasks(web.View):
    async def get(self) -> web.Response:
        page, limit, status = validation.listing(self.request.query)
        tasks, total = self.request.app[STORE].page(page, limit, status)
        meta = {"page": page, "limit": limit, "total": total}
        return success([task.as_json() for task in tasks], meta=meta)

    async def post(self) -> web.Response:
        raw = await _json_body(self.request)
        task = self.request.app[STORE].add(validation.draft(raw), self.request[REQUEST_ID])
        return success(task.as_json(), status=201, headers={"Location": f"/tasks/{task.id}"})


class OneTask(web.View):
    async def get(self) -> web.Response:
        task_id = validation.task_id(self.request.match_info["id"])
        return success(_existing(self.request.app[STORE].get(task_id)).as_json())

    async def put(self) -> web.Response:
        raw = await _json_body(self.request)
        task_id = validation.task_id(self.request.match_info["id"])
        draft: Draft = validation.draft(raw)
        return success(_existing(self.request.app[STORE].put(task_id, draft)).as_json())

    async def delete(self) -> web.Response:
        task_id = validation.task_id(self.request.match_info["id"])
        if not self.request.app[STORE].remove(task_id):
            _missing()
        return web.Response(status=204)


async def unknown_path(request: web.Request) -> web.Response:
    raise Problem(404, "There is nothing at this path.")


async def go_on(request: web.Request) -> None:
    """Let a client that asked send its body; ignore other expectations (the default is a bare 417)."""
    if request.version == HttpVersion11 and request.headers[hdrs.EXPECT].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the response itself has not begun


def add_routes(app: web.Application) -> None:
    views: dict[str, Handler | type[web.View]] = {
        "/health": Health,
        "/info": Info,
        "/openapi.json": Description,
        "/tasks": Tasks,
        "/tasks/{id:[^/]+}": OneTask,
        "/{path:.*}": unknown_path,  # last: whatever no view has taken
    }
    for path, view in views.items():
        app.router.add_route("*", path, view, expect_handler=go_on)


async def _json_body(request: web.Request) -> bytes:
    """The body as it came, once its size and then its media type are right."""
    try:
        raw = await request.read()
    except web.RequestPayloadError:
        raise Problem(400, "The body cannot be read.") from None
    if request.content_type != "application/json":
        raise Problem(415, "Declare the body as application/json.")
    return raw


def _existing(task: Task | None) -> Task:
    return task if task is not None else _missing()


def _missing() -> NoReturn:
    raise Problem(404, "There is no such task.")
