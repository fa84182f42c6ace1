"""Measures how quickly the API takes tasks: a thread for each request that is under way."""

import json
import math
import threading
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from flowforge.commands.run import Failed, Result, count
from flowforge.logs import reason
from flowforge.settings import read_some

PATIENCE_S = 30.0
PERCENTILES = (50, 95, 99)


@dataclass
class Tally:
    """What has become of the requests so far; several threads write into it."""

    left: int
    durations_ms: list[float] = field(default_factory=list)
    """Of those that succeeded."""
    failures: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> int:
        """The number of a request that is to be made; 0 if there are no more."""
        with self.lock:
            number = self.left
            self.left = max(0, number - 1)
        return number

    def succeeded(self, duration_ms: float) -> None:
        with self.lock:
            self.durations_ms.append(duration_ms)

    def failed(self, why: str) -> None:
        with self.lock:
            self.failures[why] += 1


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="POST tasks to the API at API_HOST:API_PORT, and time the answers.")
    parser.add_argument("--requests", type=count, required=True, metavar="N", help="how many in all")
    parser.add_argument("--concurrency", type=count, required=True, metavar="C", help="how many at a time")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    return parser


def act(arguments: Namespace, environ: Mapping[str, str]) -> Result:
    settings = read_some(environ, "api_host", "api_port")
    tally = Tally(arguments.requests)
    load(settings["api_host"], settings["api_port"], tally, min(arguments.concurrency, arguments.requests))
    failed = tally.failures.total()
    figures = {"requests": arguments.requests, "succeeded": len(tally.durations_ms), "failed": failed}
    ordered = sorted(tally.durations_ms)
    percentiles = {f"p{share}_ms": percentile(ordered, share) for share in PERCENTILES}
    text = json.dumps(figures | percentiles) if arguments.json else _as_lines(tally, percentiles)
    return Result(text, ok=not failed)


def load(host: str, port: int, tally: Tally, concurrency: int) -> None:
    """Make all requests, `concurrency` at a time. Failed if there cannot be so many threads."""
    go = threading.Event()

    def client() -> None:
        go.wait()
        connection = HTTPConnection(host, port, timeout=PATIENCE_S)  # kept open if the API keeps it
        while number := tally.take():
            _post(connection, number, tally)
        connection.close()

    threads = [threading.Thread(target=client, daemon=True) for _ in range(concurrency)]
    try:
        for thread in threads:
            thread.start()
    except RuntimeError as error:
        raise Failed(f"Starting {concurrency} threads: {reason(error)}. Nothing has been sent.") from None
    go.set()
    for thread in threads:
        thread.join()


def percentile(ordered: Sequence[float], share: int) -> float | None:
    """The smallest value that at least `share` percent of all do not exceed; None if there is none at all."""
    return round(ordered[math.ceil(len(ordered) * share / 100) - 1], 3) if ordered else None


def _post(connection: HTTPConnection, number: int, tally: Tally) -> None:
    body = json.dumps({"title": f"Load test, {number} to go", "type": "noop"})
    began = time.perf_counter()
    try:
        connection.request("POST", "/tasks", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException) as error:
        connection.close()
        tally.failed(reason(error))
        return
    if answer.status == 201:
        tally.succeeded((time.perf_counter() - began) * 1000)
    else:
        tally.failed(f"answered with {answer.status}")


def _as_lines(tally: Tally, percentiles: Mapping[str, float | None]) -> str:
    succeeded = len(tally.durations_ms)
    total = succeeded + tally.failures.total()
    lines = [f"{succeeded} of {total} requests succeeded ({succeeded / total:.1%})"]
    lines += [f"{times} failed: {why}" for why, times in tally.failures.most_common()]
    lines += [
        f"{name.removesuffix('_ms')}  {took} ms" for name, took in percentiles.items() if took is not None
    ]
    return "\n".join(lines)
