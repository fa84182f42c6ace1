"""What the service says about itself."""

from typing import Any

from fastapi import APIRouter, Request

from api_service import __version__
from api_service.body import Route
from api_service.dependencies import Tasks
from api_service.errors import responses
from api_service.schemas import Envelope, Health, Info

router = APIRouter(tags=["service"], route_class=Route)


@router.get("/health", responses=responses(503))
async def health(tasks: Tasks) -> Envelope[Health]:
    """Whether the service reaches its database."""
    await tasks.ping()
    return Envelope(data=Health())


@router.get("/info")
async def info(request: Request) -> Envelope[Info]:
    """Which service this is."""
    environment = request.app.state.settings.environment
    return Envelope(data=Info(name="flowforge", version=__version__, environment=environment))


@router.get("/openapi.json")
async def description(request: Request) -> dict[str, Any]:
    """This document."""
    return request.app.openapi()
