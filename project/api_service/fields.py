"""The rules for single values, as types: FastAPI checks what comes in by them, and describes it by them.

Pydantic's patterns are Rust's: `$` is the end of the text, never a place before a last newline.
"""

import re
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

UUID_FORM = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def text(value: str) -> str:
    """Text that PostgreSQL can store and UTF-8 can carry."""
    if NOT_TEXT.search(value):
        raise ValueError("must not contain U+0000 or a lone surrogate")
    return value


def integer(value: Any) -> Any:
    """JSON Schema's integers: 3.0 is one. True and "3" are left to strict mode, which refuses them."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def digits(value: str | int) -> str | int:
    """A query's integer, or its default. int() alone takes "+1", " 1", "1_0" and "١" as well."""
    if isinstance(value, str) and not re.fullmatch("[0-9]+", value):
        raise ValueError("must be a whole number, in digits")
    return value


def canonical_uuid(value: str) -> str:
    """The hyphenated form. UUID() alone takes braces, "urn:uuid:" and no hyphens as well."""
    if not UUID_FORM.fullmatch(value):
        raise ValueError("must be a UUID in its hyphenated form")
    return value


def payload_value(value: Any) -> Any:
    """A text of at most 1000 code points, a number that a double can hold, a boolean or null."""
    if isinstance(value, str):
        if len(value) > 1000:
            raise ValueError("must have at most 1000 characters")
        return text(value)
    if isinstance(value, int | float):
        if not is_finite_double(value):
            raise ValueError("must be a finite number, as a double holds it")
        return value
    if value is not None:
        raise ValueError("must be a string, a number, a boolean or null")
    return None


def is_finite_double(number: float) -> bool:
    try:
        return abs(float(number)) != float("inf")
    except OverflowError:
        return False


Status = Literal["pending", "processing", "completed", "failed"]
TaskId = Annotated[UUID, BeforeValidator(canonical_uuid)]
Page = Annotated[int, Field(ge=1, le=100_000), BeforeValidator(digits)]
Limit = Annotated[int, Field(ge=1, le=100), BeforeValidator(digits)]

# \S as in "not of Unicode's White_Space"; Python's str.isspace() draws the line elsewhere.
Title = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S"), AfterValidator(text)]
Description = Annotated[str, Field(max_length=2000), AfterValidator(text)]
Priority = Annotated[int, Field(strict=True, ge=-100, le=100), BeforeValidator(integer)]
Type = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,49}$")]
PayloadName = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_]{0,63}$")]
PayloadValue = Annotated[
    str | int | float | bool | None,
    PlainValidator(payload_value, json_schema_input_type=str | float | bool | None),
]
Payload = Annotated[dict[PayloadName, PayloadValue], Field(max_length=50)]
