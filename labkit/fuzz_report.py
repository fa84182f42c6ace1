"""What the fuzzer's report (schemathesis, NDJSON) says: one finding for each kind of defect and operation."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labkit.fuzz_curl import Request, curl_line, task_id

NO_ANSWER = "no-answer"
"""The code of requests without an answer, which the fuzzer counts as errors of its own."""

_MEANINGS = {
    NO_ANSWER: "A request got no answer: it took too long, or the connection was refused or closed.",
    "ST101": "A request made the service fail: a 5xx says that the fault is the server's, whatever was sent.",
    "ST102": "A media type that the contract does not know made the service fail instead of a plain refusal.",
    "ST301": "A task was still there after it had been deleted.",
    "ST302": "A task was not found although it had just been created.",
    "ST201": "The service accepted a request that the contract calls invalid.",
    "ST202": "The service refused a request that the contract calls valid.",
    "ST103": "The service answered with a status code that the contract does not declare for this operation.",
    "ST108": "An answer does not have the shape that the contract promises.",
    "ST109": "An answer that is declared as JSON cannot be read as JSON.",
    "ST104": "An answer with a body does not say what that body is.",
    "ST105": "An answer is not declared as the media type that the contract promises.",
    "ST106": "The Content-Type of an answer is not a media type at all.",
    "ST107": "An answer lacks a header that the contract promises.",
    "ST204": "A method that the path does not declare was not refused with 405 and a list of those it does.",
}
"""The fuzzer's codes in our words; findings are reported in this order, the gravest first."""
_ORDER = list(_MEANINGS)
_TRANSPORT = {
    "ReadTimeout": "it took too long",
    "ConnectTimeout": "the service did not take the connection",
    "ConnectionError": "the connection was refused or closed",
    "ServerUnavailable": "the service is gone",
    "ChunkedEncodingError": "the answer broke off",
    "ContentDecodingError": "the answer does not fit its Content-Encoding",
    "TooManyRedirects": "one redirect led to the next",
}
"""Errors of the fuzzer that are the service's doing, by the name of the exception."""


@dataclass(frozen=True)
class Finding:
    """One kind of defect in one operation: the fuzzer's code and title, a paragraph, and a line to paste."""

    code: str
    title: str
    explanation: str
    operation: str
    curl: str


@dataclass(frozen=True)
class Report:
    """What a run did; `complete` if it came to its end, `problems` are the fuzzer's and not the service's."""

    cases: int
    findings: tuple[Finding, ...]
    complete: bool
    problems: tuple[str, ...]


@dataclass
class _Kind:
    """All occurrences of one defect in one operation; the one with the shortest line is shown."""

    code: str
    title: str
    operation: str
    curl: str = ""
    answer: str = ""
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, curl: str | None, answer: str) -> None:
        if reason:  # times and ids differ from one answer to the next
            self.reasons.setdefault(re.sub(r"[0-9a-f]*\d[0-9a-f]*", "", reason), reason)
        # Among silences the first one tells most: what comes after it may only meet a dead service.
        if curl and (not self.curl or (len(curl) < len(self.curl) and self.code != NO_ANSWER)):
            self.curl, self.answer = curl, answer

    def finding(self) -> Finding:
        parts = [_MEANINGS.get(self.code, f"{self.title}.")]
        if reasons := list(self.reasons.values()):
            more = f"; and {len(reasons) - 3} more of the kind" if len(reasons) > 3 else ""
            parts.append(f"Here: {'; '.join(reasons[:3])}{more}.")
        if self.answer:
            parts.append(f"The answer was {self.answer}")
        return Finding(self.code, self.title, " ".join(parts), self.operation, self.curl)


@dataclass
class _Reading:
    """What has been read so far. `created` maps the id of a task to the request that made it."""

    shown_url: str
    kinds: dict[tuple[str, str], _Kind] = field(default_factory=dict)
    created: dict[str, Request] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unanswered: str = ""
    cases: int = 0
    complete: bool = False

    def kind(self, code: str, title: str, operation: str) -> _Kind:
        return self.kinds.setdefault((code, operation), _Kind(code, title, operation))

    def error(self, event: dict[str, Any]) -> None:
        name, message = event["value"]["type"], str(event["value"]["message"])
        if name in _TRANSPORT:
            self.unanswered = _TRANSPORT[name]
            # Without a request in the report there is still the operation that it happened to.
            self.kind(NO_ANSWER, "No answer", event["label"]).add(_TRANSPORT[name], "", "")
        else:
            self.problems.append(f"{event['label']}: {_one_line(message)}")

    def scenario(self, event: dict[str, Any]) -> None:
        """A run of requests that share a recorder: all of one operation, or one path through the links."""
        recorder = event["recorder"]
        stateful = event["phase"] == "stateful"
        changes: dict[str, list[Request]] = {}
        for case_id, interaction in recorder.get("interactions", {}).items():
            self.cases += 1
            request = _request(interaction["request"])
            answer = interaction.get("response")
            line = curl_line(request, self.shown_url, self.created, changes if stateful else {})
            case = recorder.get("cases", {}).get(case_id, {}).get("value", {})
            if answer is None:
                operation = f"{request.method} {case.get('path', request.path)}"
                self.kind(NO_ANSWER, "No answer", operation).add(self.unanswered, line, "")
                continue
            for check in recorder.get("checks", {}).get(case_id, []):
                if check["status"] == "failure":
                    failure = check["failure_info"]["failure"]
                    kind = self.kind(failure["code"], failure["title"], failure["operation"])
                    kind.add(_reason(failure, case), line, _excerpt(answer))
            if 200 <= answer["status_code"] < 300:
                self.remember(request, answer, changes)

    def remember(self, request: Request, answer: dict[str, Any], changes: dict[str, list[Request]]) -> None:
        """Keep what a later request for the same task depends on."""
        if request.method == "POST":
            for name, values in answer["headers"].items():
                if name.lower() == "location" and (id := task_id(values[0])):
                    self.created[id] = request
        elif request.method in {"PUT", "DELETE"} and (id := task_id(request.path)):
            changes.setdefault(id, []).append(request)


def read(path: Path, shown_url: str) -> Report:
    """Read a report, whole or cut short; the findings' curl lines go to `shown_url`."""
    reading = _Reading(shown_url)
    for name, event in _events(path):
        if name == "ScenarioFinished":
            reading.scenario(event)
        elif name == "NonFatalError":
            reading.error(event)
        elif name == "FatalError":
            reading.problems.append(_one_line(json.dumps(event.get("exception"))))
        elif name == "EngineFinished":
            reading.complete = True
    # A silent operation whose request is known need not be listed again under the phase's own label, and
    # what is silent after the third is most likely silent for the same reason.
    kinds = [kind for kind in reading.kinds.values() if kind.answer or kind.curl] or [*reading.kinds.values()]
    silent = [kind for kind in kinds if kind.code == NO_ANSWER]
    kinds = [kind for kind in kinds if kind not in silent[3:]]
    kinds.sort(key=lambda kind: _ORDER.index(kind.code) if kind.code in _ORDER else len(_ORDER))
    findings = tuple(kind.finding() for kind in kinds)
    return Report(reading.cases, findings, reading.complete, tuple(reading.problems))


def _events(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:  # the last line of a run that was cut short
                return
            yield from event.items()


def _request(sent: dict[str, Any]) -> Request:
    url = urlsplit(sent["uri"])
    body = base64.b64decode(sent["body"]["$base64"]) if sent.get("body") else b""
    headers = {name: values[0] for name, values in sent["headers"].items()}
    return Request(sent["method"], url.path + (f"?{url.query}" if url.query else ""), headers, body)


def _reason(failure: dict[str, Any], case: dict[str, Any]) -> str:
    """What is special about this failure, in the fuzzer's words; "" if it says no more than the code does."""
    message: str = failure["message"]
    if failure["code"] == "ST201":
        return _one_line(message.partition("Invalid component:")[2])
    if failure["code"] in {"ST101", "ST102", "ST202"}:
        data = case.get("meta", {}).get("phase", {}).get("data", {})
        description = data.get("description") or ""
        if description.lower().endswith("positive test case"):
            return ""
        name = data.get("parameter") if data.get("parameter_location") in {"path", "query"} else None
        known = name is None or description.startswith(f"{name}:")
        return _one_line(description if known else f"{name}: {description}")
    return _one_line(message.partition("\n\n")[0])


def _excerpt(answer: dict[str, Any]) -> str:
    content = answer.get("content") or {}
    body = base64.b64decode(content.get("$base64", "")).decode("utf-8", "replace")
    return f"{answer['status_code']} {_one_line(body, 300)}".strip()


def _one_line(text: str, most: int = 200) -> str:
    line = " ".join(text.replace("\n- ", " ").split()).rstrip(".")
    return line if len(line) <= most else line[: most - 1] + "…"
