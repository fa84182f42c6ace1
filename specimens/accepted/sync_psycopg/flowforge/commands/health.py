"""Says what is up and what is down."""

import json
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPConnection

from flowforge.commands.run import Result
from flowforge.logs import reason
from flowforge.pool import Pool
from flowforge.presence import worker_silence
from flowforge.settings import read_some

PATIENCE_S = 6.0

Question = Callable[[], str | None]
"""Asks a service how it is: None if it is up, otherwise the reason why not."""


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="Tell for each service whether it is UP or DOWN, and why.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    return parser


def act(arguments: Namespace, environ: Mapping[str, str]) -> Result:
    settings = read_some(
        environ, "database_url", "api_host", "api_port", "worker_lease", "worker_poll_interval"
    )
    url = settings["database_url"]
    may_be_silent = settings["worker_lease"] + 2 * settings["worker_poll_interval"]
    reasons = ask(
        {
            "api-service": partial(_api, settings["api_host"], settings["api_port"]),
            "worker-service": partial(_worker, url, may_be_silent),
            "postgresql": partial(_database, url),
        }
    )
    ok = not any(reasons.values())
    return Result(_as_json(reasons, ok) if arguments.json else _as_lines(reasons), ok)


def ask(questions: Mapping[str, Question], patience: float = PATIENCE_S) -> dict[str, str | None]:
    """The answers to questions that are all asked at once. Who does not answer in time is down, however it
    manages to keep us waiting."""
    answers: dict[str, str | None] = dict.fromkeys(questions, f"no answer within {patience:.0f} s")

    def ask_one(name: str) -> None:
        try:
            answers[name] = questions[name]()
        except Exception as error:
            answers[name] = reason(error)

    deadline = time.monotonic() + patience
    threads = [threading.Thread(target=ask_one, args=(name,), daemon=True) for name in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


def _api(host: str, port: int) -> str | None:
    connection = HTTPConnection(host, port, timeout=PATIENCE_S)
    connection.request("GET", "/health")
    status = connection.getresponse().status
    return None if status == 200 else f"GET /health answers {status}"


def _database(url: str) -> str | None:
    Pool(url, 1, "flowforge-script").ping()
    return None


def _worker(url: str, may_be_silent: float) -> str | None:
    with Pool(url, 1, "flowforge-script").connection() as connection:
        silence = worker_silence(connection)
    if silence is None:
        return "no worker is connected to the database"
    return None if silence <= may_be_silent else f"nothing heard of a worker for {silence:.1f} s"


def _as_lines(reasons: Mapping[str, str | None]) -> str:
    lines = [f"{name:<15} {f'DOWN  {why}' if why else 'UP'}" for name, why in reasons.items()]
    return "\n".join(lines)


def _as_json(reasons: Mapping[str, str | None], ok: bool) -> str:
    services = {name: {"status": _word(not why), "reason": why} for name, why in reasons.items()}
    return json.dumps({"status": _word(ok), "services": services})


def _word(ok: bool) -> str:
    return "up" if ok else "down"
