"""What routes are given by name. Tests replace these to run without a database."""

from typing import Annotated

from fastapi import Depends, Header, Request

from api_service.repository import TaskRepository


async def task_repository(request: Request) -> TaskRepository:
    return request.state.tasks


async def request_id(
    request: Request,
    x_request_id: Annotated[
        str,
        Header(alias="X-Request-ID", description="A name for this request; an unsuitable one is replaced."),
    ] = "",
) -> str:
    """The id that the middleware settled on. The header is a parameter so that the description shows it."""
    return request.state.request_id


Tasks = Annotated[TaskRepository, Depends(task_repository)]
RequestId = Annotated[str, Depends(request_id)]
