"""Sends many tasks to the API, and says how it bore that."""

import start  # noqa: F401

# isort: split
import asyncio
import json
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import click
from yarl import URL

from flowforge import terminal
from flowforge.database import reason
from flowforge.settings import ApiAddress

PATIENCE = aiohttp.ClientTimeout(total=30)
A_NUMBER = click.IntRange(min=1)


@dataclass
class Findings:
    """What became of the requests."""

    took_ms: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def percentiles(self) -> dict[str, float | None]:
        names = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99}
        if not self.took_ms:
            return dict.fromkeys(names)
        twice = self.took_ms if len(self.took_ms) > 1 else self.took_ms * 2  # quantiles() wants two
        cuts = statistics.quantiles(twice, n=100, method="inclusive")
        return {name: round(cuts[share - 1], 2) for name, share in names.items()}


@click.command(help="POST tasks to the API at API_HOST:API_PORT, and print success rate and latencies.")
@click.option("--requests", type=A_NUMBER, required=True, help="How many requests to send.")
@click.option("--concurrency", type=A_NUMBER, required=True, help="How many of them at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def load_test(requests: int, concurrency: int, as_json: bool) -> None:
    address = terminal.settings(ApiAddress)
    findings = terminal.run(load(address, requests, concurrency))
    counts = {
        "requests": requests,
        "succeeded": len(findings.took_ms),
        "failed": findings.failures.total(),
    }
    percentiles = findings.percentiles()
    if as_json:
        click.echo(json.dumps(counts | percentiles))
    else:
        click.echo(f"{counts['succeeded'] / requests:.1%} of {requests} requests succeeded")
        for why, times in findings.failures.most_common():
            click.echo(f"  failed {times} times: {why}")
        for name, took in percentiles.items():
            click.echo(f"  {name[:3]}: " + ("none" if took is None else f"{took} ms"))
    click.get_current_context().exit(int(bool(findings.failures)))


async def load(address: ApiAddress, requests: int, concurrency: int) -> Findings:
    """Send so many requests, from so many coroutines that each send one after the other."""
    url = URL.build(scheme="http", host=address.api_host, port=address.api_port, path="/tasks")
    findings = Findings()
    numbers = iter(range(1, requests + 1))

    async def client(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            await send(session, url, number, findings)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session:
        async with asyncio.TaskGroup() as clients:
            for _ in range(min(concurrency, requests)):
                clients.create_task(client(session))
    return findings


async def send(session: aiohttp.ClientSession, url: URL, number: int, findings: Findings) -> None:
    task = {"title": f"Load test {number}", "type": "noop"}
    began = time.perf_counter()
    try:
        async with session.post(url, json=task, allow_redirects=False) as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        findings.failures[reason(error)] += 1
        return
    if answer.status == 201:
        findings.took_ms.append((time.perf_counter() - began) * 1000)
    else:
        findings.failures[f"status {answer.status}"] += 1


if __name__ == "__main__":
    load_test()
