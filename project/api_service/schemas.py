"""The bodies of requests and responses. Their rules for single values are in fields.py."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict

from api_service.fields import Description, Payload, Priority, Status, Title, Type

# PostgreSQL gives times in the session's time zone.
Time = Annotated[datetime, AfterValidator(lambda time: time.astimezone(UTC))]


class TaskInput(BaseModel):
    """What a client sets; every other field is unknown, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    description: Description = ""
    priority: Priority = 0
    type: Type = "noop"
    payload: Payload = {}


class Task(BaseModel):
    """A task as it is stored."""

    id: UUID
    title: str
    description: str
    status: Status
    priority: int
    type: str
    payload: dict[str, Any]
    result: dict[str, Any] | None
    error: str | None
    attempts: int
    assigned_worker: str | None
    request_id: str | None
    created_at: Time
    updated_at: Time


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    database: Literal["up"] = "up"


class Info(BaseModel):
    name: str
    version: str
    environment: str


class PageMeta(BaseModel):
    page: int
    limit: int
    total: int


Data = TypeVar("Data")


class Envelope(BaseModel, Generic[Data]):
    data: Data
    error: None = None


class TaskPage(Envelope[list[Task]]):
    meta: PageMeta


class FieldError(BaseModel):
    field: str
    message: str


class Error(BaseModel):
    code: str
    message: str
    details: list[FieldError]


class ErrorEnvelope(BaseModel):
    data: None = None
    error: Error
