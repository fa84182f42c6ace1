"""What this service says about itself: the OpenAPI document behind /openapi.json."""

from typing import Any

from . import __version__
from .tasks import STATUSES

Json = dict[str, Any]


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _envelope(data: Json, **more: Json) -> Json:
    properties = {"data": data, "error": {"type": "null"}, **more}
    return {"type": "object", "required": list(properties), "properties": properties}


def _answer(description: str, schema: Json | None = None, **headers: Json) -> Json:
    answer: Json = {
        "description": description,
        "headers": {"X-Request-ID": _ref("headers", "RequestId"), **headers},
    }
    if schema is not None:
        answer["content"] = {"application/json": {"schema": schema}}
    return answer


def _responses(success: Json, *errors: str) -> Json:
    return success | {status: _ref("responses", _ERRORS[status]) for status in errors}


def _query(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_ERRORS = {
    "400": "InvalidRequest",
    "404": "NotFound",
    "413": "PayloadTooLarge",
    "415": "UnsupportedMediaType",
    "500": "Internal",
    "503": "Unavailable",
}

_REQUEST_ID = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"}
_NO_NUL = "^[^\\u0000]*$"

_CLIENT_SETS: Json = {
    "title": {
        "type": "string",
        "description": "At least one character is not white space.",
        "minLength": 1,
        "maxLength": 200,
        "pattern": _NO_NUL,
    },
    "description": {"type": "string", "maxLength": 2000, "pattern": _NO_NUL, "default": ""},
    "priority": {"type": "integer", "minimum": -100, "maximum": 100, "default": 0},
    "type": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,49}$", "default": "noop"},
    "payload": {
        "type": "object",
        "maxProperties": 50,
        "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$"},
        "additionalProperties": {"type": ["string", "number", "boolean", "null"], "maxLength": 1000},
        "default": {},
    },
}

_SERVER_SETS: Json = {
    "id": {"type": "string", "format": "uuid"},
    "status": _ref("schemas", "Status"),
    "result": {"type": ["object", "null"]},
    "error": {"type": ["string", "null"]},
    "attempts": {"type": "integer", "minimum": 0},
    "assigned_worker": {"type": ["string", "null"]},
    "request_id": {"type": ["string", "null"]},
    "created_at": {"type": "string", "format": "date-time"},
    "updated_at": {"type": "string", "format": "date-time"},
}

_SCHEMAS: Json = {
    "Status": {"type": "string", "enum": list(STATUSES)},
    "TaskInput": {
        "type": "object",
        "required": ["title"],
        "properties": _CLIENT_SETS,
        "additionalProperties": False,
    },
    "Task": {
        "type": "object",
        "required": [*_CLIENT_SETS, *_SERVER_SETS],
        "properties": _CLIENT_SETS | _SERVER_SETS,
    },
    "Health": {
        "type": "object",
        "required": ["status", "database"],
        "properties": {"status": {"const": "ok"}, "database": {"enum": ["up", "none"]}},
    },
    "Info": {
        "type": "object",
        "required": ["name", "version", "environment"],
        "properties": {
            "name": {"const": "flowforge"},
            "version": {"type": "string"},
            "environment": {"type": "string"},
        },
    },
    "Document": {
        "type": "object",
        "required": ["openapi", "info", "paths"],
        "properties": {
            "openapi": {"type": "string"},
            "info": {"type": "object"},
            "paths": {"type": "object"},
        },
    },
    "Meta": {
        "type": "object",
        "required": ["page", "limit", "total"],
        "properties": {name: {"type": "integer", "minimum": 0} for name in ("page", "limit", "total")},
    },
    "Failure": {
        "type": "object",
        "required": ["data", "error"],
        "properties": {
            "data": {"type": "null"},
            "error": {
                "type": "object",
                "required": ["code", "message", "details"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "details": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["field", "message"],
                            "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                        },
                    },
                },
            },
        },
    },
}

_TASK = _envelope(_ref("schemas", "Task"))
_TASK_LIST = _envelope(
    {"type": "array", "maxItems": 100, "items": _ref("schemas", "Task")}, meta=_ref("schemas", "Meta")
)
_LOCATION = {"description": "Where the task is.", "schema": {"type": "string", "format": "uri-reference"}}
_BY_ID = [_ref("parameters", "TaskId"), _ref("parameters", "RequestId")]
_ANYWHERE = [_ref("parameters", "RequestId")]
_BODY = {
    "required": True,
    "content": {"application/json": {"schema": _ref("schemas", "TaskInput")}},
}

DESCRIPTION: Json = {
    "openapi": "3.1.0",
    "info": {"title": "FlowForge", "version": __version__},
    "paths": {
        "/health": {
            "parameters": _ANYWHERE,
            "get": {
                "operationId": "health",
                "responses": _responses(
                    {"200": _answer("Well.", _envelope(_ref("schemas", "Health")))}, "503"
                ),
            },
        },
        "/info": {
            "parameters": _ANYWHERE,
            "get": {
                "operationId": "info",
                "responses": _responses({"200": _answer("Who this is.", _envelope(_ref("schemas", "Info")))}),
            },
        },
        "/openapi.json": {
            "parameters": _ANYWHERE,
            "get": {
                "operationId": "description",
                "responses": _responses({"200": _answer("This document.", _ref("schemas", "Document"))}),
            },
        },
        "/tasks": {
            "parameters": _ANYWHERE,
            "get": {
                "operationId": "list_tasks",
                "parameters": [
                    _query(
                        "page", {"type": "integer", "minimum": 1, "maximum": 100_000, "default": 1}, "From 1."
                    ),
                    _query(
                        "limit",
                        {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                        "A page's size.",
                    ),
                    _query("status", _ref("schemas", "Status"), "Only tasks in this status."),
                ],
                "responses": _responses(
                    {"200": _answer("A page of tasks.", _TASK_LIST)}, "400", "500", "503"
                ),
            },
            "post": {
                "operationId": "create_task",
                "requestBody": _BODY,
                "responses": _responses(
                    {"201": _answer("Created.", _TASK, Location=_LOCATION)}, "400", "413", "415", "500", "503"
                ),
            },
        },
        "/tasks/{id}": {
            "parameters": _BY_ID,
            "get": {
                "operationId": "read_task",
                "responses": _responses({"200": _answer("The task.", _TASK)}, "400", "404", "500", "503"),
            },
            "put": {
                "operationId": "replace_task",
                "requestBody": _BODY,
                "responses": _responses(
                    {"200": _answer("Replaced.", _TASK)}, "400", "404", "413", "415", "500", "503"
                ),
            },
            "delete": {
                "operationId": "delete_task",
                "responses": _responses({"204": _answer("Deleted.")}, "400", "404", "500", "503"),
            },
        },
    },
    "components": {
        "parameters": {
            "TaskId": {
                "name": "id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "format": "uuid"},
            },
            "RequestId": {
                "name": "X-Request-ID",
                "in": "header",
                "description": "Anything but 1 to 128 of A-Z a-z 0-9 . _ - is replaced.",
                "schema": {"type": "string"},
            },
        },
        "headers": {"RequestId": {"required": True, "schema": _REQUEST_ID}},
        "responses": {name: _answer(name, _ref("schemas", "Failure")) for name in _ERRORS.values()},
        "schemas": _SCHEMAS,
    },
}
