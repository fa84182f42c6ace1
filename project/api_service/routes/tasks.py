"""/tasks: create, list, read, replace, delete."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Response

from api_service.body import Route
from api_service.dependencies import RequestId, Tasks
from api_service.errors import responses
from api_service.fields import Limit, Page, Status, TaskId
from api_service.schemas import Envelope, PageMeta, Task, TaskInput, TaskPage

router = APIRouter(tags=["tasks"], route_class=Route)

Id = Annotated[TaskId, Path(alias="id", description="The task's UUID, in upper or lower case.")]


@router.get("/tasks", responses=responses(400, 500, 503))
async def list_tasks(
    tasks: Tasks, page: Page = 1, limit: Limit = 20, status: Status | None = None
) -> TaskPage:
    """Tasks, oldest first. A page past the end is empty."""
    data, total = await tasks.page(status, limit, (page - 1) * limit)
    return TaskPage(data=data, meta=PageMeta(page=page, limit=limit, total=total))


@router.post("/tasks", status_code=201, responses=responses(400, 413, 415, 500, 503))
async def create_task(
    tasks: Tasks, task: TaskInput, request_id: RequestId, response: Response
) -> Envelope[Task]:
    """A new task, which waits for a worker."""
    created = await tasks.create(task, request_id)
    response.headers["Location"] = f"/tasks/{created.id}"
    return Envelope(data=created)


@router.get("/tasks/{id}", responses=responses(400, 404, 500, 503))
async def read_task(tasks: Tasks, task_id: Id) -> Envelope[Task]:
    """The task as it stands now."""
    return Envelope(data=found(await tasks.get(task_id)))


@router.put("/tasks/{id}", responses=responses(400, 404, 413, 415, 500, 503))
async def replace_task(tasks: Tasks, task_id: Id, task: TaskInput) -> Envelope[Task]:
    """Replaces all that a client sets; what is left out goes back to its default."""
    return Envelope(data=found(await tasks.replace(task_id, task)))


@router.delete(
    "/tasks/{id}", status_code=204, response_class=Response, responses=responses(400, 404, 500, 503)
)
async def delete_task(tasks: Tasks, task_id: Id) -> None:
    """The task is gone at once, and for good."""
    if not await tasks.delete(task_id):
        raise no_such_task()


def found(task: Task | None) -> Task:
    if task is None:
        raise no_such_task()
    return task


def no_such_task() -> HTTPException:
    return HTTPException(404, "There is no such task.")
