"""Tasks that could be somebody's: all fields of a task agree with one another and with its status."""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from faker import Faker

STATUSES = ("pending", "processing", "completed", "failed")
PRIORITIES = (-50, -10, 0, 0, 0, 5, 10, 50, 100)
TITLES = (
    "Invoice {company}",
    "Call {name} back",
    "Send the samples to {company} in {city}",
    "Book a room in {city} for {name}",
    "Check the contract with {company}",
    "Update the address of {name}, now in {city}",
    "Prepare the visit of {company}",
)
REASONS = ("the printer is out of paper", "nobody answered", "the address does not exist", "over the budget")
WORKERS = ("rhubarb:412:9f3c01", "rhubarb:413:77ab20", "celery:88:0c4d5e")
MOST_ATTEMPTS = 3


class Row(NamedTuple):
    """The columns, as COPY takes them: JSON is text."""

    title: str
    description: str
    priority: int
    type: str
    payload: str
    status: str
    result: str | None
    error: str | None
    attempts: int
    assigned_worker: str | None
    request_id: str
    created_at: datetime
    updated_at: datetime


class Words:
    """A supply of Faker's words, since it takes its time for each of them."""

    def __init__(self, chance: random.Random) -> None:
        faker = Faker("en_US")
        faker.seed_instance(chance.getrandbits(32))
        self.companies = [faker.company() for _ in range(80)]
        self.names = [faker.name() for _ in range(80)]
        self.cities = [faker.city() for _ in range(80)]
        self.sentences = [faker.sentence(10) for _ in range(200)]


def believable_tasks(count: int, chance: random.Random, now: datetime) -> Iterator[Row]:
    """So many tasks, in all statuses as far as they go. All but the times comes from `chance` alone."""
    words = Words(chance)
    first = chance.sample(STATUSES, len(STATUSES))
    for number in range(count):
        status = first[number] if number < len(first) else chance.choices(STATUSES, (5, 1, 10, 2))[0]
        yield _task(status, words, chance, now)


def _task(status: str, words: Words, chance: random.Random, now: datetime) -> Row:
    kind = _kind(status, chance)
    payload = _payload(kind, words, chance)
    lost = status == "failed" and kind != "fail"
    return Row(
        title=chance.choice(TITLES).format(
            company=chance.choice(words.companies),
            name=chance.choice(words.names),
            city=chance.choice(words.cities),
        ),
        description=" ".join(chance.choices(words.sentences, k=chance.randrange(4))),
        priority=chance.choice(PRIORITIES),
        type=kind,
        payload=json.dumps(payload),
        status=status,
        result=json.dumps(payload) if status == "completed" and kind == "echo" else None,
        error=f"lost its worker {MOST_ATTEMPTS} times" if lost else payload.get("message"),
        attempts=MOST_ATTEMPTS if lost else 0 if status == "pending" else 1,
        assigned_worker=None if status == "pending" else chance.choice(WORKERS),
        request_id=str(UUID(int=chance.getrandbits(128), version=4)),
        **_times(status, payload, chance, now),
    )


def _kind(status: str, chance: random.Random) -> str:
    """What can be in that status: a `fail` never completes, the others fail only with their workers."""
    if status == "failed":
        return chance.choices(("fail", "sleep", "echo"), (8, 1, 1))[0]
    return chance.choice(("noop", "sleep", "echo"))


def _payload(kind: str, words: Words, chance: random.Random) -> dict[str, Any]:
    match kind:
        case "sleep":
            return {"seconds": chance.randrange(1, 60) / 4}
        case "echo":
            return {
                "to": chance.choice(words.names),
                "copies": chance.randrange(1, 9),
                "urgent": chance.random() < 0.2,
            }
        case "fail":
            return {"message": chance.choice(REASONS)}
        case _:
            return {}


def _times(status: str, payload: dict[str, Any], chance: random.Random, now: datetime) -> dict[str, datetime]:
    """Done is what is old; what waits or runs is of the last minutes."""
    age_s = (
        chance.uniform(120, 600) if status in ("pending", "processing") else chance.uniform(600, 1_000_000)
    )
    created = now - timedelta(seconds=age_s)
    waited_s = 0.0 if status == "pending" else chance.uniform(0.1, 60)
    ran_s = payload.get("seconds", 0.01) if status in ("completed", "failed") else 0.0
    return {"created_at": created, "updated_at": created + timedelta(seconds=waited_s + ran_s)}
