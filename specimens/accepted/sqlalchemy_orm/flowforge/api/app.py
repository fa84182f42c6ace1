"""The application: routes, error answers, middleware, its own description."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from flowforge import __version__
from flowforge.api import errors
from flowforge.api.middleware import RequestMiddleware
from flowforge.api.routes import router
from flowforge.api.store import TaskStore
from flowforge.database import Database
from flowforge.settings import ApiSettings


class Api(FastAPI):
    """FastAPI promises a 422 wherever there is something to validate; here that is a 400."""

    def openapi(self) -> dict[str, Any]:
        description = super().openapi()
        for path in description["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        return description


async def on_http_exception(request: Request, error: HTTPException) -> JSONResponse:
    """What the framework answers by itself: an unknown path, a wrong method."""
    headers = {"Allow": methods_of(request.url.path)} if error.status_code == 405 else error.headers
    return errors.error_response(error.status_code, f"{error.detail}.", headers=headers)


def methods_of(path: str) -> str:
    """The methods of every route that `path` fits; the framework names only the first route's."""
    fitting = [route for route in router.routes if isinstance(route, Route) and route.path_regex.match(path)]
    return ", ".join(sorted({method for route in fitting for method in route.methods or ()}))


def create_app(settings: ApiSettings, database: Database) -> FastAPI:
    app = Api(
        title="FlowForge API",
        version=__version__,
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={
            errors.ApiError: errors.on_api_error,
            HTTPException: on_http_exception,
            RequestValidationError: errors.on_validation_error,
        },
    )
    app.state.settings = settings
    app.state.database = database
    app.state.store = TaskStore(database.engine)
    app.include_router(router)
    app.add_middleware(RequestMiddleware)
    return app
