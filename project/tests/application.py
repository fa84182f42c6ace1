"""The application as tests start it: on a store in memory."""

from fastapi import FastAPI

from api_service.app import create_app
from api_service.dependencies import task_repository
from api_service.settings import ApiSettings
from tests.memory import MemoryTasks

NO_DATABASE = "postgresql://nobody@localhost/nothing"


def new_application(tasks: MemoryTasks) -> FastAPI:
    """An application that keeps its tasks in `tasks`.

    It opens its pool in its lifespan, which a client must therefore not start: TestClient does in a `with`.
    """
    application = create_app(ApiSettings(database_url=NO_DATABASE, environment="test"))
    replace_store(application, tasks)
    return application


def replace_store(application: FastAPI, tasks: MemoryTasks) -> None:
    async def memory() -> MemoryTasks:
        return tasks

    application.dependency_overrides[task_repository] = memory
