"""Says of api-service, worker-service and postgresql whether they are UP or DOWN, and why; exits with 1 if
any is DOWN. It answers within seconds, even when they do not."""

import argparse
import http.client
import json
import time
from threading import Thread
from typing import LiteralString

import command_line

# isort: split
import psycopg
from psycopg import errors

from flowforge.settings import AddressSettings, DatabaseSettings, load

LIMIT_S = 5.0
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT: LiteralString = "SET statement_timeout = '3s'"

# Every worker renews its row while it lives; how long that counts is its own WORKER_LEASE.
WORKERS = """
    SELECT count(*) FILTER (WHERE alive_until > now()), extract(epoch FROM now() - max(alive_until))::float
    FROM workers
"""

# For each service None if it is up, else the reason why it is not.
Reasons = dict[str, str | None]


class HealthSettings(DatabaseSettings, AddressSettings):
    """Where the three are found."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    as_json = parser.parse_args().json
    reasons = examine(load(HealthSettings))
    command_line.say(json.dumps(report(reasons)) if as_json else "\n".join(lines(reasons)))
    return command_line.FAILURE if any(reasons.values()) else 0


def lines(reasons: Reasons) -> list[str]:
    width = max(map(len, reasons))
    return [f"{name:{width}}  {f'DOWN  {reason}' if reason else 'UP'}" for name, reason in reasons.items()]


def report(reasons: Reasons) -> dict[str, object]:
    services = {name: {"status": status(reason), "reason": reason} for name, reason in reasons.items()}
    return {"status": status(any(reasons.values())), "services": services}


def status(down: object) -> str:
    return "down" if down else "up"


def examine(settings: HealthSettings) -> Reasons:
    """Asks all at once, and waits for LIMIT_S at most: threads that still hang then are left behind."""
    reasons: Reasons = dict.fromkeys(
        ("api-service", "worker-service", "postgresql"), f"no answer within {LIMIT_S:g} s"
    )
    threads = [
        Thread(target=examine_api, args=[settings, reasons], daemon=True),
        Thread(target=examine_database_and_worker, args=[settings.database_url, reasons], daemon=True),
    ]
    deadline = time.monotonic() + LIMIT_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
    return dict(reasons)


def examine_api(settings: AddressSettings, reasons: Reasons) -> None:
    connection = http.client.HTTPConnection(settings.reachable_host, settings.api_port, timeout=LIMIT_S)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        answer = None if response.status == 200 else f"GET /health answers {response.status}"
    except TimeoutError:
        return  # which is what the reason says already
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        problem = command_line.reason(error)
        answer = f"no answer at {settings.reachable_host}:{settings.api_port}: {problem}"
    finally:
        connection.close()
    reasons["api-service"] = answer


def examine_database_and_worker(url: str, reasons: Reasons) -> None:
    """The worker leaves its sign of life in the database, so it cannot be seen without."""
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
        connection.execute(STATEMENT_TIMEOUT)
    except (psycopg.Error, UnicodeError) as error:
        reasons["postgresql"] = command_line.one_line(str(error))
        reasons["worker-service"] = "not to be seen without the database"
        return
    reasons["postgresql"] = None
    with connection:
        try:
            reasons["worker-service"] = examine_workers(connection)
        except errors.UndefinedTable:
            reasons["worker-service"] = "the table of workers is missing: have all migrations been run?"
        except psycopg.Error as error:
            reasons["worker-service"] = command_line.one_line(error.diag.message_primary or str(error))


def examine_workers(connection: psycopg.Connection) -> str | None:
    [(alive, silent_s)] = connection.execute(WORKERS).fetchall()
    if alive:
        return None
    return "no worker runs" if silent_s is None else f"no worker runs; one was lost {silent_s:.0f} s ago"


if __name__ == "__main__":
    command_line.run(main)
