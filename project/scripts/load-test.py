"""Creates tasks at the API as fast as it takes them, and says how many requests succeeded and how long those
took. The tasks stay: run it against a database that may have them."""

import argparse
import asyncio
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

import command_line

# isort: split
import aiohttp
from yarl import URL

from flowforge.settings import AddressSettings, load

REQUEST_TIMEOUT_S = 10.0

# When nothing has been answered for so long, the requests that are left would not be either.
PATIENCE_S = 15.0

PERCENTILES = (50, 95, 99)


@dataclass
class Outcome:
    """What became of the requests."""

    requests: int
    latencies_ms: list[float] = field(default_factory=list)
    """Of those that succeeded."""
    problems: Counter[str] = field(default_factory=Counter)
    """Why the others did not, and how many for that reason."""

    @property
    def failed(self) -> int:
        return self.requests - len(self.latencies_ms)


def main() -> int:
    wanted = parse()
    address = load(AddressSettings)
    url = URL.build(scheme="http", host=address.reachable_host, port=address.api_port, path="/tasks")
    outcome = asyncio.run(load_test(url, wanted.requests, wanted.concurrency))
    command_line.say(json.dumps(report(outcome)) if wanted.json else "\n".join(lines(outcome)))
    for problem, number in outcome.problems.most_common():
        command_line.say(f"{number} x {problem}", sys.stderr)
    return command_line.FAILURE if outcome.failed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    count = command_line.at_least_one
    parser.add_argument("--requests", type=count, default=100, metavar="N", help="how many in all (100)")
    parser.add_argument("--concurrency", type=count, default=10, metavar="C", help="how many at once (10)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    return parser.parse_args()


async def load_test(url: URL, requests: int, concurrency: int) -> Outcome:
    """Sends the requests, `concurrency` at a time; gives up what is left once the API seems to be gone."""
    outcome = Outcome(requests)
    numbers = iter(range(1, requests + 1))
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency),
        timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
    ) as session:
        with command_line.progress() as progress, suppress(TimeoutError):
            bar = progress.add_task("sending requests", total=requests)
            async with asyncio.timeout(PATIENCE_S) as patience, asyncio.TaskGroup() as senders:

                async def send() -> None:
                    for number in numbers:
                        if await create_task(session, url, number, outcome) and not patience.expired():
                            patience.reschedule(loop.time() + PATIENCE_S)
                        progress.advance(bar)

                for _ in range(min(concurrency, requests)):
                    senders.create_task(send())
    if unanswered := outcome.failed - outcome.problems.total():
        outcome.problems["not sent or not answered: the API seems to be gone"] = unanswered
    return outcome


async def create_task(session: aiohttp.ClientSession, url: URL, number: int, outcome: Outcome) -> bool:
    """Whether the API answered; what became of the request is noted in `outcome`."""
    task = {"title": f"load test, request {number}"}
    started_at = perf_counter()
    try:
        async with session.post(url, json=task, allow_redirects=False) as response:
            await response.read()
    except TimeoutError:
        outcome.problems[f"no answer within {REQUEST_TIMEOUT_S:g} s"] += 1
    except (aiohttp.ClientError, OSError, ValueError) as error:
        outcome.problems[command_line.reason(error)] += 1
    else:
        if response.status == 201:
            outcome.latencies_ms.append((perf_counter() - started_at) * 1000)
        else:
            outcome.problems[f"answered with {response.status}"] += 1
        return True
    return False


def report(outcome: Outcome) -> dict[str, float | None]:
    return {
        "requests": outcome.requests,
        "succeeded": len(outcome.latencies_ms),
        "failed": outcome.failed,
        **{f"p{percent}_ms": percentile(outcome.latencies_ms, percent) for percent in PERCENTILES},
    }


def lines(outcome: Outcome) -> list[str]:
    succeeded = len(outcome.latencies_ms)
    shown = [f"{succeeded} of {outcome.requests} requests succeeded ({succeeded / outcome.requests:.1%})"]
    for percent in PERCENTILES:
        latency = percentile(outcome.latencies_ms, percent)
        shown.append(f"p{percent}  {'-' if latency is None else f'{latency:.1f} ms'}")
    return shown


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The smallest value that so many percent of all do not exceed (nearest rank)."""
    if not values:
        return None
    return round(sorted(values)[math.ceil(len(values) * percent / 100) - 1], 3)


if __name__ == "__main__":
    command_line.run(main)
