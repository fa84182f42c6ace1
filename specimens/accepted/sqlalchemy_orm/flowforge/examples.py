"""Example tasks, such as a small agency might have queued."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from faker import Faker

from flowforge.models import TaskStatus

SHARES = {TaskStatus.PENDING: 3, TaskStatus.PROCESSING: 1, TaskStatus.COMPLETED: 5, TaskStatus.FAILED: 1}
SUPPLY = 150
LATEST = timedelta(minutes=3)
OLDEST = timedelta(days=30)


class Example(NamedTuple):
    """A row. JSON is text, as asyncpg wants it."""

    id: UUID
    title: str
    description: str
    status: str
    type: str
    payload: str
    result: str | None
    error: str | None
    attempts: int
    request_id: str
    created_at: datetime
    updated_at: datetime
    assigned_worker: str | None
    priority: int
    leased_until: datetime | None


@dataclass(frozen=True)
class Vocabulary:
    """Words made beforehand: asking Faker for every task would take longer than writing it."""

    clients: list[str]
    subjects: list[str]
    people: list[str]
    briefs: list[str]


@dataclass(frozen=True)
class Job:
    """A sort of work: its type, and how a title and a payload of it are made. `ends` are the statuses that
    such a task can come to."""

    type: str
    ends: frozenset[TaskStatus]
    title: str
    payload: Callable[[random.Random, Vocabulary], dict[str, Any]]


FINE = frozenset(TaskStatus) - {TaskStatus.FAILED}
JOBS = (
    Job("noop", FINE, "Archive the files of {client}", lambda _chance, _words: {}),
    Job("noop", FINE, "Tell {person} about the {subject}", lambda _chance, _words: {"by_mail": True}),
    Job(
        "sleep",
        FINE,
        "Render the {subject} for {client}",
        lambda chance, _words: {"seconds": chance.randint(1, 40) / 2},
    ),
    Job(
        "echo",
        FINE,
        "Send {person} an offer for the {subject}",
        lambda chance, words: {"to": chance.choice(words.people), "price": chance.randint(10, 900) * 10},
    ),
    Job(
        "fail",
        frozenset({TaskStatus.FAILED}),
        "Fetch the {subject} from {client}",
        lambda chance, words: {"message": f"{chance.choice(words.people)} has refused the connection"},
    ),
)


def examples(count: int, chance: random.Random, now: datetime) -> Iterator[Example]:
    """So many tasks. All comes from `chance`, except for the ids, and the times, which are before `now`."""
    words = _vocabulary(chance)
    for status in islice(_statuses(chance), count):
        yield _example(status, words, chance, now)


def _vocabulary(chance: random.Random) -> Vocabulary:
    faker = Faker()
    faker.seed_instance(chance.random())

    def some(make: Callable[[], str]) -> list[str]:
        return [make() for _ in range(SUPPLY)]

    return Vocabulary(
        clients=some(faker.company),
        subjects=[phrase.lower() for phrase in some(faker.catch_phrase)],
        people=some(faker.name),
        briefs=some(faker.paragraph),
    )


def _statuses(chance: random.Random) -> Iterator[TaskStatus]:
    """Each once, in some order, then as their shares are."""
    yield from chance.sample(list(SHARES), len(SHARES))
    while True:
        yield from chance.choices(list(SHARES), list(SHARES.values()))


def _example(status: TaskStatus, words: Vocabulary, chance: random.Random, now: datetime) -> Example:
    job = chance.choice([job for job in JOBS if status in job.ends])
    payload = job.payload(chance, words)
    title = job.title.format(
        client=chance.choice(words.clients),
        person=chance.choice(words.people),
        subject=chance.choice(words.subjects),
    )
    waits = status == TaskStatus.PENDING
    over = status in (TaskStatus.COMPLETED, TaskStatus.FAILED)
    created = now - LATEST - (OLDEST if over else LATEST) * chance.random()
    begun = created + timedelta(seconds=0 if waits else chance.uniform(0.01, 30))
    return Example(
        id=uuid4(),
        title=title[:200],
        description=chance.choice(words.briefs) if chance.random() < 0.7 else "",
        status=status.value,
        type=job.type,
        payload=json.dumps(payload),
        result=json.dumps(payload) if status == TaskStatus.COMPLETED and job.type == "echo" else None,
        error=payload["message"] if status == TaskStatus.FAILED else None,
        attempts=int(not waits),
        request_id=f"example-{chance.getrandbits(40):010x}",
        created_at=created,
        updated_at=begun + timedelta(seconds=payload.get("seconds", 0.02) if over else 0),
        assigned_worker=None if waits else f"studio-{chance.randint(1, 3)}",
        priority=round(max(-100, min(100, chance.gauss(0, 25)))),
        # whoever looks first finds it lost: the worker that has it is made up
        leased_until=begun if status == TaskStatus.PROCESSING else None,
    )
