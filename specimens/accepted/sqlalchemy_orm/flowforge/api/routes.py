"""The endpoints."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from flowforge import __version__
from flowforge.api.errors import ApiError
from flowforge.api.json_body import JsonRoute
from flowforge.api.schemas import (
    Envelope,
    ErrorEnvelope,
    Health,
    Info,
    Meta,
    QueryNumber,
    TaskId,
    TaskInput,
    TaskList,
    TaskOutput,
)
from flowforge.api.store import TaskStore
from flowforge.database import Database
from flowforge.models import TaskStatus


def request_id_header(_id: Annotated[str | None, Header(alias="X-Request-ID")] = None) -> None:
    """Only described here: the middleware has long read it."""


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorEnvelope} for status in statuses}


def task_store(request: Request) -> TaskStore:
    return request.app.state.store  # type: ignore[no-any-return]


Store = Annotated[TaskStore, Depends(task_store)]
router = APIRouter(route_class=JsonRoute, dependencies=[Depends(request_id_header)])


@router.get("/health", responses=errors(503))
async def get_health(request: Request) -> Envelope[Health]:
    database: Database = request.app.state.database
    await database.ping()
    return Envelope[Health](data=Health())


@router.get("/info")
async def get_info(request: Request) -> Envelope[Info]:
    return Envelope[Info](data=Info(version=__version__, environment=request.app.state.settings.environment))


@router.get("/openapi.json")
async def get_description(request: Request) -> dict[str, Any]:
    return request.app.openapi()  # type: ignore[no-any-return]


@router.get("/tasks", responses=errors(400, 500, 503))
async def list_tasks(
    store: Store,
    page: Annotated[QueryNumber, Query(ge=1, le=100_000)] = 1,
    limit: Annotated[QueryNumber, Query(ge=1, le=100)] = 20,
    status: TaskStatus | None = None,
) -> TaskList:
    tasks, total = await store.page(page, limit, status)
    meta = Meta(page=page, limit=limit, total=total)
    return TaskList(data=[TaskOutput.model_validate(task) for task in tasks], meta=meta)


@router.post("/tasks", status_code=201, responses=errors(400, 413, 415, 500, 503))
async def create_task(
    task: TaskInput, store: Store, request: Request, response: Response
) -> Envelope[TaskOutput]:
    created = await store.add(task.model_dump(), request.state.request_id)
    response.headers["Location"] = f"/tasks/{created.id}"
    return Envelope[TaskOutput](data=TaskOutput.model_validate(created))


@router.get("/tasks/{id}", responses=errors(400, 404, 500, 503))
async def read_task(id: TaskId, store: Store) -> Envelope[TaskOutput]:
    if (found := await store.get(id)) is None:
        raise no_such_task()
    return Envelope[TaskOutput](data=TaskOutput.model_validate(found))


@router.put("/tasks/{id}", responses=errors(400, 404, 413, 415, 500, 503))
async def replace_task(id: TaskId, task: TaskInput, store: Store) -> Envelope[TaskOutput]:
    if (replaced := await store.replace(id, task.model_dump())) is None:
        raise no_such_task()
    return Envelope[TaskOutput](data=TaskOutput.model_validate(replaced))


@router.delete("/tasks/{id}", status_code=204, responses=errors(400, 404, 500, 503))
async def delete_task(id: TaskId, store: Store) -> None:
    if not await store.remove(id):
        raise no_such_task()


def no_such_task() -> ApiError:
    return ApiError(404, "There is no such task.")
