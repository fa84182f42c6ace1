"""What tasks do: a function for each type.

It gets the payload and an Event that says when nobody wants the result any more, and returns the result.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

Payload = dict[str, Any]
Kind = Callable[[Payload, Event], Any]

_KINDS: dict[str, Kind] = {}


class Failed(Exception):
    """The task has failed, for the reason in the text."""


class GivenUp(Exception):
    """The work was broken off because nobody wants its result."""


@dataclass(frozen=True)
class Outcome:
    """`error` is None if all went well."""

    result: Any
    error: str | None


def perform(name: str, payload: Any, unwanted: Event) -> Outcome:
    """Do what a task of this type does. GivenUp is the only exception that comes out."""
    try:
        if (kind := _KINDS.get(name)) is None:
            raise Failed(f"unknown type: {name}")
        if not isinstance(payload, dict):
            raise Failed("the payload must be an object")
        result = kind(payload, unwanted)
        json.dumps(result, allow_nan=False)
    except GivenUp:
        raise
    except Failed as reason:
        return Outcome(None, str(reason))
    except Exception as error:
        return Outcome(None, repr(error))
    return Outcome(result, None)


def _kind(function: Kind) -> Kind:
    _KINDS[function.__name__] = function
    return function


@_kind
def noop(_payload: Payload, _unwanted: Event) -> None:
    return None


@_kind
def sleep(payload: Payload, unwanted: Event) -> None:
    seconds = payload.get("seconds")
    if type(seconds) not in (int, float) or not 0 <= seconds <= 60:
        raise Failed("seconds must be a number from 0 to 60")
    if unwanted.wait(seconds):
        raise GivenUp


@_kind
def echo(payload: Payload, _unwanted: Event) -> Payload:
    return payload


@_kind
def fail(payload: Payload, _unwanted: Event) -> None:
    message = payload.get("message", "failed, as it was told to")
    raise Failed(message if isinstance(message, str) else "message must be a text")
