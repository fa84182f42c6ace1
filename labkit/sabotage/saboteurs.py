"""The saboteurs. Each is one defect, as a client sees it; the check of the same name tells its story."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from labkit.sabotage.exchange import Conversation, Request, Resource, Response

MISSING: dict[str, Any] = {
    "data": None,
    "error": {"code": "not_found", "message": "There is no such task.", "details": []},
}


@dataclass(frozen=True)
class Saboteur:
    """A defect. `converse` carries on the conversation for a request of the methods and the resource that it
    is about; all others pass untouched. `where` is the status that a sound application gives to what the
    defect changes."""

    name: str
    resource: Resource | None
    methods: frozenset[str]
    where: int | None
    converse: Callable[[Request], Conversation]

    def meddles(self, method: str, resource: str) -> bool:
        """Whether it has a hand in such requests."""
        return (not self.methods or method in self.methods) and self.resource in (None, resource)

    def changes(self, method: str, resource: str, status: int) -> bool:
        """Whether a client that got this status from a sound application may get something else now."""
        return self.meddles(method, resource) and self.where in (None, status)


SABOTEURS: dict[str, Saboteur] = {}
"""All of them, by name."""
_PLACEBO = "-placebo"


def placebo(name: str) -> str:
    """What a job calls the saboteur that sits where this one would, and changes nothing."""
    return name + _PLACEBO


def named(name: str) -> Saboteur | None:
    """The saboteur, or the placebo, of that name; None if there is none."""
    saboteur = SABOTEURS.get(name.removesuffix(_PLACEBO))
    return replace(saboteur, converse=_untouched) if saboteur and name.endswith(_PLACEBO) else saboteur


def _untouched(request: Request) -> Conversation:
    return (yield request)


def _saboteur(
    *methods: str, on: Resource | None = None, where: int | None = None
) -> Callable[[Callable[[Request], Conversation]], Callable[[Request], Conversation]]:
    def register(converse: Callable[[Request], Conversation]) -> Callable[[Request], Conversation]:
        name = converse.__name__
        SABOTEURS[name] = Saboteur(name, on, frozenset(methods), where, converse)
        return converse

    return register


# -- creating ------------------------------------------------------------------------------------------------


@_saboteur("POST", on="tasks", where=201)
def created_answers_200(request: Request) -> Conversation:
    response = yield request
    return replace(response, status=200) if response.status == 201 else response


@_saboteur("POST", on="tasks", where=201)
def location_is_missing(request: Request) -> Conversation:
    response = yield request
    return response.without("location")


@_saboteur("POST", on="tasks", where=201)
def created_task_is_lost(request: Request) -> Conversation:
    response = yield request
    if response.status == 201:
        yield _another(request, "DELETE", f"/tasks/{_task(response).get('id')}")
    return response


@_saboteur("POST", on="tasks", where=201)
def description_is_dropped(request: Request) -> Conversation:
    return (yield _without(request, "description"))


@_saboteur("POST", on="tasks", where=201)
def priority_is_forgotten(request: Request) -> Conversation:
    return (yield _without(request, "priority"))


@_saboteur("POST", on="tasks", where=400)
def blank_titles_are_taken(request: Request) -> Conversation:
    body = request.json()
    title = body.get("title") if body else None
    blank = isinstance(title, str) and title.isspace()
    response = yield request.with_json({**(body or {}), "title": "-"}) if blank else request
    return _with(response, "data", title=title) if blank else response


@_saboteur("POST", on="tasks", where=400)
def long_titles_are_cut(request: Request) -> Conversation:
    body = request.json()
    title = body.get("title") if body else None
    long = isinstance(title, str) and len(title) > 200
    return (yield request.with_json({**(body or {}), "title": str(title)[:200]}) if long else request)


@_saboteur("POST", on="tasks", where=400)
def unknown_fields_are_ignored(request: Request) -> Conversation:
    known = ("title", "description", "priority", "type", "payload")
    body = request.json()
    if body is None or not body.keys() - set(known):
        return (yield request)
    return (yield request.with_json({name: body[name] for name in known if name in body}))


# -- errors --------------------------------------------------------------------------------------------------


@_saboteur(where=400)
def invalid_input_is_422(request: Request) -> Conversation:
    response = yield request
    return replace(response, status=422) if response.status == 400 else response


@_saboteur(where=400)
def details_are_empty(request: Request) -> Conversation:
    response = yield request
    body = response.json()
    if not body or not isinstance(body.get("error"), dict):
        return response
    return response.with_json({**body, "error": {**body["error"], "details": []}})


@_saboteur("GET", on="task", where=404)
def missing_task_is_null(request: Request) -> Conversation:
    response = yield request
    if response.status != 404:
        return response
    return replace(response, status=200).with_json({"data": None, "error": None})


@_saboteur("GET", "PUT", "DELETE", on="task", where=400)
def malformed_id_is_404(request: Request) -> Conversation:
    response = yield request
    if response.status != 400 or _is_uuid(request.task_id):
        return response
    return replace(response, status=404).with_json(MISSING)


# -- lists ---------------------------------------------------------------------------------------------------


@_saboteur("GET", on="tasks", where=200)
def limit_is_ignored(request: Request) -> Conversation:
    return (yield from _ignoring(request, "limit"))


@_saboteur("GET", on="tasks", where=200)
def every_page_is_the_first(request: Request) -> Conversation:
    return (yield from _ignoring(request, "page"))


@_saboteur("GET", on="tasks", where=200)
def filter_is_ignored(request: Request) -> Conversation:
    response = yield request
    if response.status != 200 or "status" not in request.parameters:
        return response
    return (yield request.with_parameters(status=None))


@_saboteur("GET", on="tasks", where=200)
def total_counts_the_page(request: Request) -> Conversation:
    response = yield request
    tasks = (response.json() or {}).get("data")
    return _with(response, "meta", total=len(tasks)) if isinstance(tasks, list) else response


@_saboteur("GET", on="tasks", where=200)
def newest_first(request: Request) -> Conversation:
    response = yield request
    body = response.json()
    if not body or not isinstance(body.get("data"), list):
        return response
    return response.with_json({**body, "data": body["data"][::-1]})


# -- changing and deleting -----------------------------------------------------------------------------------


@_saboteur("PUT", on="task", where=200)
def update_writes_nothing(request: Request) -> Conversation:
    before = _task((yield _another(request, "GET", request.path)))
    response = yield request
    if response.status == 200 and before:
        client_sets = ("title", "description", "priority", "type", "payload")
        yield request.with_json({name: before[name] for name in client_sets if name in before})
    return response


@_saboteur("PUT", on="task", where=200)
def update_keeps_what_was_left_out(request: Request) -> Conversation:
    before = _task((yield _another(request, "GET", request.path)))
    body = request.json()
    if not before or body is None:
        return (yield request)
    kept: dict[str, Any] = {
        name: before[name] for name in ("description", "priority", "type", "payload") if name in before
    }
    response = yield request
    return (yield request.with_json({**kept, **body})) if response.status == 200 else response


@_saboteur("GET", "POST", "PUT")
def updated_at_stands_still(request: Request) -> Conversation:
    response = yield request
    body = response.json()
    if not body or response.status >= 400:
        return response
    data = body.get("data")
    if isinstance(data, list):
        return response.with_json({**body, "data": [_never_updated(task) for task in data]})
    return response.with_json({**body, "data": _never_updated(data)})


@_saboteur("DELETE", on="task", where=204)
def delete_keeps_the_task(request: Request) -> Conversation:
    there = yield _another(request, "GET", request.path)
    if there.status != 200:
        return (yield request)
    return _deleted(there)


@_saboteur("DELETE", on="task", where=404)
def delete_of_nothing_succeeds(request: Request) -> Conversation:
    response = yield request
    if response.status != 404:
        return response
    return _deleted(response)


# -- the service ---------------------------------------------------------------------------------------------


@_saboteur("GET", on="health", where=503)
def health_hides_an_outage(request: Request) -> Conversation:
    response = yield request
    if response.status != 503:
        return response
    healthy = {"data": {"status": "ok", "database": "up"}, "error": None}
    return replace(response, status=200).with_json(healthy)


@_saboteur()
def request_id_is_replaced(request: Request) -> Conversation:
    response = yield request
    if request.header("x-request-id") is None:
        return response
    return response.with_header("x-request-id", str(uuid.uuid4()))


def _another(request: Request, method: str, path: str) -> Request:
    """One more request of the same client, with its headers, and without a body."""
    kept = tuple(header for header in request.headers if not header[0].startswith("content-"))
    return Request(method, path, headers=kept)


def _ignoring(request: Request, name: str) -> Conversation:
    """Gives what there is without a parameter; `meta` says what was asked. A wrong value is still seen."""
    response = yield request
    asked = request.parameters.get(name)
    if response.status != 200 or asked is None:
        return response
    return _with((yield request.with_parameters(**{name: None})), "meta", **{name: _number(asked)})


def _without(request: Request, field: str) -> Request:
    """The request without one field of its body, unless that field is wrong, which must still be seen."""
    body = request.json()
    fine = {"description": str, "priority": int}[field]
    if body is None or type(body.get(field)) is not fine:
        return request
    if field == "priority" and not -100 <= body[field] <= 100:
        return request
    if field == "description" and len(body[field]) > 2000:
        return request
    return request.with_json({name: value for name, value in body.items() if name != field})


def _task(response: Response) -> dict[str, Any]:
    """The task that an answer brings; empty if it brings none."""
    data = (response.json() or {}).get("data")
    return data if isinstance(data, dict) else {}


def _with(response: Response, part: str, **changes: object) -> Response:
    """The response with other values in its `data` or its `meta`, if there is such an object in it."""
    body = response.json()
    if not body or not isinstance(body.get(part), dict):
        return response
    return response.with_json({**body, part: {**body[part], **changes}})


def _deleted(response: Response) -> Response:
    """What a client gets when all has gone well, with the headers of another response."""
    return Response(204, tuple(header for header in response.headers if not header[0].startswith("content-")))


def _never_updated(task: Any) -> Any:
    if not isinstance(task, dict) or "created_at" not in task:
        return task
    return {**task, "updated_at": task["created_at"]}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
