"""What goes in and what comes out."""

import re
from datetime import UTC
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
)

from flowforge.models import TaskStatus

# Unicode's White_Space property; str.isspace() counts four separators more
WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain U+0000 or half a surrogate pair")
    return text


def _not_blank(text: str) -> str:
    if not text.strip(WHITE_SPACE):
        raise ValueError("must not be blank")
    return text


def _json_integer(value: Any) -> Any:
    """JSON Schema's integers: 3.0 is one, true and "3" are none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be an integer")
    return value


def _ascii_digits(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch("[0-9]+", value):
        raise ValueError("must be written in digits")
    return value


def _canonical_uuid(value: Any) -> Any:
    """The hyphenated form only: UUID() would take braces and urn:uuid: as well."""
    if isinstance(value, str) and not re.fullmatch(
        "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", value
    ):
        raise ValueError("must be a UUID")
    return value


Text = Annotated[str, AfterValidator(_storable)]
JsonInteger = Annotated[int, BeforeValidator(_json_integer)]
QueryNumber = Annotated[int, BeforeValidator(_ascii_digits)]
TaskId = Annotated[UUID, BeforeValidator(_canonical_uuid)]
PayloadName = Annotated[str, StringConstraints(pattern="^[A-Za-z][A-Za-z0-9_]{0,63}$")]
PayloadText = Annotated[Text, Field(max_length=1000, strict=True)]
PayloadNumber = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]
PayloadValue = PayloadText | StrictBool | PayloadNumber | None


class TaskInput(BaseModel):
    """What a client sets."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[Text, Field(min_length=1, max_length=200), AfterValidator(_not_blank)]
    description: Annotated[Text, Field(max_length=2000)] = ""
    priority: Annotated[JsonInteger, Field(ge=-100, le=100)] = 0
    type: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,49}$")] = "noop"
    payload: Annotated[dict[PayloadName, PayloadValue], Field(max_length=50)] = Field(default_factory=dict)


Utc = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
PriorityNow = Annotated[int, BeforeValidator(lambda priority: 0 if priority is None else priority)]


class TaskOutput(BaseModel):
    """A task as clients see it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    description: str
    status: TaskStatus
    priority: PriorityNow
    type: str
    payload: dict[str, Any]
    result: dict[str, Any] | None
    error: str | None
    attempts: int
    assigned_worker: str | None
    request_id: str | None
    created_at: Utc
    updated_at: Utc


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    database: Literal["up"] = "up"


class Info(BaseModel):
    name: Literal["flowforge"] = "flowforge"
    version: str
    environment: str


class Meta(BaseModel):
    page: int
    limit: int
    total: int


Data = TypeVar("Data")


class Envelope(BaseModel, Generic[Data]):
    data: Data
    error: None = None


class TaskList(Envelope[list[TaskOutput]]):
    meta: Meta


class ErrorDetail(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    code: str
    message: str
    details: list[ErrorDetail]


class ErrorEnvelope(BaseModel):
    data: None = None
    error: Problem
