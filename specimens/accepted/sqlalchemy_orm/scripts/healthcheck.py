"""Says of each service whether it is up."""

import start  # noqa: F401

# isort: split
import asyncio
import json
from collections.abc import Awaitable

import aiohttp
import click
from yarl import URL

from flowforge import terminal
from flowforge.database import Database, reason
from flowforge.settings import HealthSettings
from flowforge.worker.presence import silence_s

PATIENCE_S = 7.0


class Down(Exception):
    """The text says why."""


@click.command(help="Tell which services are UP and which are DOWN, and exit with 1 if any of them is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def healthcheck(as_json: bool) -> None:
    reasons = terminal.run(look(terminal.settings(HealthSettings)))
    down = any(reasons.values())
    if as_json:
        services = {name: {"status": word(bool(why)), "reason": why} for name, why in reasons.items()}
        click.echo(json.dumps({"status": word(down), "services": services}))
    else:
        for name, why in reasons.items():
            state = click.style(word(bool(why)).upper(), fg="red" if why else "green", bold=True)
            click.echo(f"{name}: {state}" + (f" ({why})" if why else ""))
    click.get_current_context().exit(int(down))


def word(down: bool) -> str:
    return "down" if down else "up"


async def look(settings: HealthSettings) -> dict[str, str | None]:
    """Service → why it is down; None for those that are up."""
    database = Database(settings.database_url.get_secret_value(), 2)
    quiet_s = settings.worker_lease + 2 * settings.worker_poll_interval
    questions: dict[str, Awaitable[None]] = {
        "api-service": ask_api(settings.api_host, settings.api_port),
        "worker-service": ask_worker(database, quiet_s),
        "postgresql": database.ping(),
    }
    try:
        answers = await asyncio.gather(*map(why_down, questions.values()))
    finally:
        await database.close()
    return dict(zip(questions, answers, strict=True))


async def why_down(question: Awaitable[None]) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await question
    except Exception as error:
        return reason(error)
    return None


async def ask_api(host: str, port: int) -> None:
    url = URL.build(scheme="http", host=host, port=port, path="/health")
    async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as answer:
        if answer.status != 200:
            raise Down(f"GET /health answered {answer.status}")


async def ask_worker(database: Database, quiet_s: float) -> None:
    silence = await silence_s(database.engine)
    if silence is None:
        raise Down("no worker has signed on")
    if silence > quiet_s:
        raise Down(f"no worker has been heard of for {silence:.0f} seconds")


if __name__ == "__main__":
    healthcheck()
