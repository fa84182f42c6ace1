"""The application: its routes, its middleware, its errors, and the pool that lives as long as it does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware import Middleware
from psycopg import OperationalError
from starlette.exceptions import HTTPException

from api_service import __version__, errors
from api_service.database import create_pool
from api_service.dependencies import request_id
from api_service.middleware import CrashMiddleware, RequestIdMiddleware, RequestLogMiddleware
from api_service.repository import TaskRepository
from api_service.routes import service, tasks
from api_service.settings import ApiSettings


def create_app(settings: ApiSettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with create_pool(settings.database_url, settings.db_pool_max) as pool:
            yield {"tasks": TaskRepository(pool)}

    app = FastAPI(
        title="FlowForge API",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,  # served by routes/service.py, which describes it as well
        redirect_slashes=False,
        responses=errors.ANY_OTHER_ERROR,
        dependencies=[Depends(request_id)],
        middleware=[  # the first is the outermost
            Middleware(RequestIdMiddleware),
            Middleware(RequestLogMiddleware),
            Middleware(CrashMiddleware),
        ],
        exception_handlers={
            HTTPException: errors.on_http_error,
            RequestValidationError: errors.on_invalid_request,
            OperationalError: errors.on_database_error,
        },
    )
    app.state.settings = settings
    app.include_router(service.router)
    app.include_router(tasks.router)
    return app
