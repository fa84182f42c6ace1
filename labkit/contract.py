"""openapi.yaml, loaded once: which operations there are, and what a response does that they do not allow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import jsonschema_rs
import yaml

from labkit.errors import LabError
from labkit.schema_errors import mismatches, shorten

DEFAULT_PATH = Path(__file__).resolve().parent.parent / "openapi.yaml"

METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"})
"""The methods that are judged. HEAD and OPTIONS are the framework's own affair, CONNECT is a proxy's."""

_ERROR_CODES = {404: "not_found", 405: "method_not_allowed"}
"""The codes of errors outside any operation; those of an operation stand in its own responses."""

_URI = "urn:flowforge:openapi"


@dataclass(frozen=True)
class Violation:
    """One way in which a response breaks the contract.

    `where` is the same for every occurrence of the same defect ("GET /tasks 200 $.data[].title"), `rule` is
    the JSON Schema keyword or one of status, header, content-type, body, json; `message` is for people.
    """

    where: str
    rule: str
    message: str


@dataclass(frozen=True)
class Operation:
    """One operation of the contract; the method in upper case, the path as a template."""

    id: str
    method: str
    path: str
    statuses: frozenset[int]
    definition: Mapping[str, Any] = field(repr=False, compare=False)


class Contract:
    """An OpenAPI document, indexed by operation; validators are compiled when they are first needed."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._registry = jsonschema_rs.Registry([(_URI, document)])
        self._validators: dict[str, jsonschema_rs.Validator] = {}
        self._operations: dict[str, dict[str, Operation]] = {}
        self._templates: list[tuple[re.Pattern[str], str]] = []
        for template, item in document["paths"].items():
            fixed = (re.escape(part) for part in re.split(r"\{[^}]*\}", template))
            self._templates.append((re.compile("[^/]+".join(fixed)), template))
            self._operations[template] = {
                method.upper(): Operation(
                    id=definition["operationId"],
                    method=method.upper(),
                    path=template,
                    statuses=frozenset(int(status) for status in definition["responses"]),
                    definition=definition,
                )
                for method, definition in item.items()
                if method.upper() in METHODS
            }

    def paths(self) -> dict[str, frozenset[str]]:
        """Every path template with the methods that it declares, in upper case."""
        return {template: frozenset(methods) for template, methods in self._operations.items()}

    def template(self, path: str) -> str | None:
        """The template that a concrete path ("/tasks/42"; a query is ignored) belongs to, if any."""
        bare = path.partition("?")[0]
        return next((template for pattern, template in self._templates if pattern.fullmatch(bare)), None)

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation that answers this request; None if path or method is not declared."""
        template = self.template(path)
        return None if template is None else self._operations[template].get(method.upper())

    def violations(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> list[Violation]:
        """What this response to this request breaks; empty if it is as the contract says.

        On paths of the project's own only the envelope of errors is judged.
        """
        method = method.upper()
        if method not in METHODS:
            return []
        lowered = {name.lower(): value for name, value in headers.items()}
        operation = self.operation(method, path)
        if operation is not None:
            return list(self._declared(operation, status, lowered, body))
        template = self.template(path)
        if template is not None:
            return list(self._wrong_method(method, template, status, lowered, body))
        return list(self._unknown_path(method, path, status, lowered, body))

    def _declared(
        self, operation: Operation, status: int, headers: Mapping[str, str], body: bytes
    ) -> Iterator[Violation]:
        where = f"{operation.method} {operation.path} {status}"
        if status not in operation.statuses:
            allowed = ", ".join(str(code) for code in sorted(operation.statuses))
            yield Violation(where, "status", f"Expected one of the status codes {allowed}, saw {status}.")
            yield from self._request_id(where, headers)
            return
        response, pointer = self._resolve(
            operation.definition["responses"][str(status)],
            f"#/paths/{_escape(operation.path)}/{operation.method.lower()}/responses/{status}",
        )
        for name, header in response.get("headers", {}).items():
            yield from self._header(where, name, header, f"{pointer}/headers/{_escape(name)}", headers)
        if "content" in response:
            schema = f"{pointer}/content/{_escape('application/json')}/schema"
            yield from self._body(where, schema, headers, body)
        elif body:
            yield Violation(where, "body", f"Expected no body with {status}, saw {_excerpt(body)}.")

    def _wrong_method(
        self, method: str, template: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> Iterator[Violation]:
        where = f"{method} {template} {status}"
        if status != 405:
            message = f"Expected 405, for {template} does not declare {method}; saw {status}."
            yield Violation(where, "status", message)
            return
        allow = headers.get("allow")
        named = {name.strip().upper() for name in (allow or "").split(",")}
        if missing := set(self._operations[template]) - named:
            saw = "no such header" if allow is None else shorten(allow)
            message = f"Expected the header Allow to name {', '.join(sorted(missing))}, saw {saw}."
            yield Violation(where, "header", message)
        yield from self._error(where, status, headers, body)

    def _unknown_path(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> Iterator[Violation]:
        where = f"{method} (unknown path) {status}"
        if status != 404 and self.template(path.partition("?")[0].rstrip("/")):
            message = f"Expected 404, for a trailing slash makes another path; saw {status}."
            yield Violation(where, "status", message)
        elif status >= 400:
            yield from self._error(where, status, headers, body)

    def _error(self, where: str, status: int, headers: Mapping[str, str], body: bytes) -> Iterator[Violation]:
        """An error outside any operation: request id, envelope, and the code that goes with the status."""
        yield from self._request_id(where, headers)
        broken = list(self._body(where, "#/components/schemas/ErrorEnvelope", headers, body))
        yield from broken
        code = _ERROR_CODES.get(status)
        if not broken and code is not None and (saw := json.loads(body)["error"]["code"]) != code:
            message = f'Expected error.code to be "{code}" with {status}, saw {shorten(saw)}.'
            yield Violation(f"{where} $.error.code", "const", message)

    def _request_id(self, where: str, headers: Mapping[str, str]) -> Iterator[Violation]:
        pointer = "#/components/headers/X-Request-ID"
        yield from self._header(where, "X-Request-ID", self._at(pointer), pointer, headers)

    def _header(
        self, where: str, name: str, header: Mapping[str, Any], pointer: str, headers: Mapping[str, str]
    ) -> Iterator[Violation]:
        definition, pointer = self._resolve(header, pointer)
        value = headers.get(name.lower())
        if value is not None:
            for mismatch in mismatches(self._validator(f"{pointer}/schema"), value, self._words):
                message = f"Expected the header {name} {mismatch.wanted}, saw {mismatch.saw}."
                yield Violation(where, "header", message)
        elif definition.get("required"):
            yield Violation(where, "header", f"Expected the header {name}, saw no such header.")

    def _body(self, where: str, schema: str, headers: Mapping[str, str], body: bytes) -> Iterator[Violation]:
        media_type = headers.get("content-type", "")
        if media_type.partition(";")[0].strip().lower() != "application/json":
            saw = shorten(media_type) if media_type else "none"
            yield Violation(where, "content-type", f"Expected Content-Type application/json, saw {saw}.")
            return
        try:
            found = mismatches(self._validator(schema), _parse(body), self._words)
        except ValueError as error:  # the validator's own limit of nesting included
            yield Violation(where, "json", f"Expected a JSON body, saw {_excerpt(body)}: {error}.")
            return
        for mismatch in found:
            message = f"Expected {mismatch.name} {mismatch.wanted}, saw {mismatch.saw}."
            yield Violation(f"{where} {mismatch.place}", mismatch.rule, message)

    def _validator(self, pointer: str) -> jsonschema_rs.Validator:
        if pointer not in self._validators:
            schema = {"$ref": _URI + quote(pointer, safe="#/~")}
            self._validators[pointer] = jsonschema_rs.Draft202012Validator(
                schema, registry=self._registry, validate_formats=True, offline=True
            )
        return self._validators[pointer]

    def _resolve(self, node: Mapping[str, Any], pointer: str) -> tuple[Mapping[str, Any], str]:
        """What a reference leads to, and where that stands."""
        while "$ref" in node:
            pointer = node["$ref"]
            node = self._at(pointer)
        return node, pointer

    def _at(self, pointer: str) -> Any:
        node: Any = self.document
        for part in pointer.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node

    def _words(self, keyword_location: str) -> str:
        """The description of the schema that a keyword belongs to, without its full stop."""
        schema = unquote(keyword_location).removeprefix(_URI).rpartition("/")[0]
        return str(self._at(schema).get("description", "")).strip().rstrip(".") if schema else ""


def load(path: Path | None = None) -> Contract:
    """The contract in `path`; by default the one in the repository's root. Read once for each path."""
    return _load((path or DEFAULT_PATH).resolve())


@cache
def _load(path: Path) -> Contract:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    remedy = f"It comes with the repository: compare it with `git diff {path.name}`."
    try:
        return Contract(yaml.load(path.read_text(encoding="utf-8"), Loader=loader))
    except OSError as error:
        raise LabError(f"The contract {path} cannot be read: {error.strerror}.", remedy) from error
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise LabError(f"The contract {path} is not an OpenAPI document: {reason}", remedy) from error


def _parse(body: bytes) -> Any:
    """The JSON in a body; ValueError says what is wrong with it, lone surrogates included."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    try:
        instance = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if "\\u" in text:
        try:
            json.dumps(instance, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("it holds a lone surrogate") from None
    return instance


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _excerpt(body: bytes) -> str:
    return shorten(body[:500].decode("utf-8", "replace"))


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
