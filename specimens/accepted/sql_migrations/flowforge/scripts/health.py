"""Tells what is up and what is down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from datetime import timedelta
from typing import Annotated, Any

import aiohttp
import asyncpg
import typer

from flowforge.config import HealthConfig, read_health_config
from flowforge.database import CONNECT_PATIENCE_S, one_line
from flowforge.scripts.entry import Failure

PATIENCE_S = 6.0

# A worker beats at least four times in a lease, idle or not; one that stops signs off.
NEWEST = "SELECT clock_timestamp() - max(seen_at) FROM workers"


def health(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Say for each service whether it is UP, or DOWN and why."""
    found = asyncio.run(examine(read_health_config()))
    down = any(found.values())
    if as_json:
        services = {name: {"status": "down" if why else "up", "reason": why} for name, why in found.items()}
        typer.echo(json.dumps({"status": "down" if down else "up", "services": services}))
    else:
        for name, why in found.items():
            typer.echo(f"{'DOWN' if why else 'UP':<5}{name}{f': {why}' if why else ''}")
    raise typer.Exit(int(down))


async def examine(config: HealthConfig) -> dict[str, str | None]:
    """Why a service is down, or None, for each of the three."""
    async with asyncio.TaskGroup() as group:
        tasks = {
            name: group.create_task(why_down(examination))
            for name, examination in {
                "api-service": examine_api(config.api_host, config.api_port),
                "worker-service": examine_workers(
                    config.database_url, config.lease + 2 * config.poll_interval
                ),
                "postgresql": query(config.database_url, "SELECT 1"),
            }.items()
        }
    return {name: task.result() for name, task in tasks.items()}


async def why_down(examination: Awaitable[Any]) -> str | None:
    try:
        await asyncio.wait_for(examination, PATIENCE_S)
    except Exception as error:  # whatever it is, it is not up
        return one_line(error)
    return None


async def examine_api(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    async with aiohttp.ClientSession() as session, session.get(f"http://{shown}:{port}/health") as response:
        if response.status != 200:
            raise Failure(f"its /health says {response.status}")


async def examine_workers(url: str, quiet_s: float) -> None:
    silence: timedelta | None = await query(url, NEWEST)
    if silence is None:
        raise Failure("nobody has signed on")
    if silence > timedelta(seconds=quiet_s):
        raise Failure(f"no sign of life for {silence.total_seconds():.1f} s")


async def query(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url, timeout=CONNECT_PATIENCE_S, command_timeout=CONNECT_PATIENCE_S)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close(timeout=1)
