"""Puts load on the API."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Annotated

import requests as http
import typer

from flowforge.config import ApiAddress, read_api_address
from flowforge.scripts.entry import Count, Failure

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Shot:
    """One request: how long it took, and why it failed, if it did."""

    took_ms: float
    failure: str | None


def load(
    requests: Count,
    concurrency: Count,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """POST so many tasks to the API, so many at a time, and print how many were taken and how soon."""
    shots = shoot(read_api_address(), requests, concurrency)
    took = sorted(shot.took_ms for shot in shots if shot.failure is None)
    failures = Counter(shot.failure for shot in shots if shot.failure is not None)
    report = {
        "requests": len(shots),
        "succeeded": len(took),
        "failed": failures.total(),
        **{f"p{percent}_ms": percentile(took, percent) for percent in (50, 95, 99)},
    }
    if as_json:
        typer.echo(json.dumps(report))
    else:
        typer.echo(f"success rate {100 * len(took) / len(shots):.2f} %")
        for name, value in report.items():
            typer.echo(f"{name:<10}{'-' if value is None else value}")
    for failure, times in failures.items():
        typer.echo(f"{times} × {failure}", err=True)
    raise typer.Exit(int(bool(failures)))


def shoot(address: ApiAddress, number: int, concurrency: int) -> list[Shot]:
    """Send them all. Threads are daemons, and the main one only waits: a Ctrl-C finds nothing locked."""
    orders: SimpleQueue[int] = SimpleQueue()
    shots: SimpleQueue[Shot] = SimpleQueue()
    for index in range(1, number + 1):
        orders.put(index)
    shown = f"[{address.host}]" if ":" in address.host else address.host
    url = f"http://{shown}:{address.port}/tasks"

    def send_some() -> None:
        with http.Session() as session, suppress(Empty):
            session.trust_env = False  # no proxy between the load and us
            while True:
                title = f"Load {orders.get_nowait()} of {number}"
                shots.put(send(session, url, {"title": title, "description": "made by load-test.py"}))

    for _ in range(min(concurrency, number)):
        try:
            threading.Thread(target=send_some, daemon=True).start()
        except RuntimeError as error:
            raise Failure(f"--concurrency {concurrency} is more than there can be threads: {error}") from None
    return [shots.get() for _ in range(number)]


def send(session: http.Session, url: str, task: dict[str, str]) -> Shot:
    began = time.monotonic()
    try:
        status = session.post(url, json=task, timeout=PATIENCE_S, allow_redirects=False).status_code
    except http.RequestException as error:
        return Shot(0.0, type(error).__name__)
    return Shot((time.monotonic() - began) * 1000, None if status == 201 else f"HTTP {status}")


def percentile(ordered: list[float], percent: int) -> float | None:
    """By nearest rank."""
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)], 1)
