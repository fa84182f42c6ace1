"""What a service says of itself in /openapi.json, held against openapi.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from labkit.contract import Contract, Operation

_OPTIONAL_STATUSES = {405, 500}
"""What any operation may answer; a description may leave it out."""
_MOST_SCHEMAS = 300
"""How many schemas of one body are looked at; a document that is nested deeper is no honest one."""


def differences(contract: Contract, document: object) -> dict[str, list[str]]:
    """What the contract has and the description lacks, as sentences by kind.

    The kinds are "operations", "statuses", "parameters" and "fields"; an operation that is missing altogether
    is missing once, among the operations.
    """
    found: dict[str, list[str]] = {"operations": [], "statuses": [], "parameters": [], "fields": []}
    described = _Description(document)
    for path, methods in contract.paths().items():
        for method in sorted(methods):
            wanted = contract.operation(method, path)
            assert wanted is not None
            there = described.operation(method, path)
            name = f"{method} {path}"
            if there is None:
                found["operations"].append(f"{name} is not described")
                continue
            if missing := [s for s in _statuses(wanted) if not _declares(there, s)]:
                found["statuses"].append(f"{name} lacks {', '.join(map(str, missing))}")
            own = _Description(contract.document)
            same = own.operation(method, path) or {}
            if names := own.parameters(path, method) - described.parameters(path, method):
                found["parameters"].append(f"{name} lacks the parameter {', '.join(sorted(names))}")
            if path == "/openapi.json":
                continue  # what a description consists of is OpenAPI's affair
            for part in ("request", "answer"):
                if names := own.fields(same, part) - described.fields(there, part):
                    found["fields"].append(f"{name} lacks in its {part}: {', '.join(sorted(names))}")
    return found


def _statuses(operation: Operation) -> list[int]:
    optional = _OPTIONAL_STATUSES if operation.path == "/health" else _OPTIONAL_STATUSES | {503}
    return sorted(operation.statuses - optional)


def _declares(operation: Mapping[str, Any], status: int) -> bool:
    responses = operation.get("responses")
    names = {str(name).upper() for name in responses} if isinstance(responses, dict) else set()
    return str(status) in names or f"{status // 100}XX" in names


class _Description:
    """An OpenAPI document of unknown origin: whatever is missing or of the wrong kind counts as not there."""

    def __init__(self, document: object) -> None:
        self._document = document if isinstance(document, dict) else {}
        paths = self._document.get("paths")
        self._paths = {
            _nameless(str(path)): self._resolve(item)
            for path, item in (paths.items() if isinstance(paths, dict) else ())
        }

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        found = self._paths.get(_nameless(path), {}).get(method.lower())
        return found if isinstance(found, dict) else None

    def parameters(self, path: str, method: str) -> set[str]:
        """Names of the query's parameters; path parameters may be called anything."""
        item = self._paths.get(_nameless(path), {})
        listed = [
            *_list(item.get("parameters")),
            *_list((self.operation(method, path) or {}).get("parameters")),
        ]
        resolved = [self._resolve(parameter) for parameter in listed]
        return {str(p.get("name")) for p in resolved if p.get("in") == "query"}

    def fields(self, operation: Mapping[str, Any], part: str) -> set[str]:
        """Names of all properties, at any depth, in the request's body or in the successful answers'."""
        if part == "request":
            bodies = [self._resolve(operation.get("requestBody"))]
        else:
            responses = operation.get("responses")
            bodies = [
                self._resolve(response)
                for status, response in (responses.items() if isinstance(responses, dict) else ())
                if str(status).startswith("2")
            ]
        names: set[str] = set()
        for body in bodies:
            content = body.get("content")
            for media_type in content.values() if isinstance(content, dict) else ():
                if isinstance(media_type, dict):
                    names |= set(self._properties(media_type.get("schema"), set()))
        return names

    def _properties(self, schema: object, seen: set[int]) -> Iterator[str]:
        resolved = self._resolve(schema)
        if not resolved or id(resolved) in seen or len(seen) > _MOST_SCHEMAS:
            return
        seen.add(id(resolved))
        properties = resolved.get("properties")
        for name, inner in properties.items() if isinstance(properties, dict) else ():
            yield str(name)
            yield from self._properties(inner, seen)
        for word in ("allOf", "anyOf", "oneOf", "prefixItems"):
            for inner in _list(resolved.get(word)):
                yield from self._properties(inner, seen)
        yield from self._properties(resolved.get("items"), seen)

    def _resolve(self, value: object) -> dict[str, Any]:
        for _ in range(20):
            if not isinstance(value, dict):
                return {}
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value
            value = self._document
            for step in reference.removeprefix("#/").split("/"):
                name = unquote(step).replace("~1", "/").replace("~0", "~")
                value = value.get(name) if isinstance(value, dict) else None
        return {}


def _nameless(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
