"""Tasks as a busy company would have them, with a past that fits their status."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from phrases import Phrases, make_phrases

PRIORITIES = (0, 0, 0, 0, 0, 0, 5, 10, 10, 25, 50, 90, -10, -50)
TYPES = ("noop", "noop", "noop", "echo", "echo", "echo", "sleep", "sleep", "fail")
TYPES_THAT_COMPLETE = TYPES[:-1]

WORKERS = ("worker-1", "worker-2", "worker-3", "worker-4")
ATTEMPTS_TO_COMPLETE = (1, 1, 1, 1, 1, 1, 1, 2)
ATTEMPTS_TO_GIVE_UP = 3
LOST = f"its worker was lost in each of {ATTEMPTS_TO_GIVE_UP} attempts"

# More do not run at once, however many tasks there are: their workers, too, have to be believed.
MOST_PROCESSING = 100

OLDEST = timedelta(days=30)
LONGEST_BETWEEN = timedelta(minutes=7)


class Row(NamedTuple):
    """A row of the table `tasks`; the fields are its columns."""

    id: str
    title: str
    description: str
    status: str
    priority: int
    type: str
    payload: str
    result: str | None
    error: str | None
    attempts: int
    assigned_worker: str | None
    leased_until: datetime | None
    request_id: str
    created_at: datetime
    updated_at: datetime


def tasks(count: int, seed: int, now: datetime) -> Iterator[Row]:
    """`count` tasks, oldest first, up to `now`.

    What a client sets, and the status, follow from `count` and `seed`. The ids are new every time, because
    the table may hold the same tasks already.
    """
    chance = random.Random(seed)
    chance_for_ids = random.Random()
    phrases = make_phrases(seed, count)
    between = min(OLDEST / count, LONGEST_BETWEEN)
    for number, status in enumerate(statuses(count, chance)):
        created_at = now - between * (count - number - 0.9 * chance.random())
        yield make_task(phrases, status, created_at, now, chance, chance_for_ids)


def statuses(count: int, chance: random.Random) -> Iterator[str]:
    """A status for each task, oldest first: four of five have ended, then some run, and the newest wait.
    Every status occurs, unless `count` is too small for all."""
    ended = max(min(count * 4 // 5, count - 2), 0)
    processing = min((count - ended + 2) // 4, MOST_PROCESSING)
    for number in range(ended):
        yield "failed" if number == 1 or (number > 1 and chance.random() < 0.15) else "completed"
    for number in range(count - ended):
        yield "processing" if number < processing else "pending"


def make_task(
    phrases: Phrases,
    status: str,
    created_at: datetime,
    now: datetime,
    chance: random.Random,
    chance_for_ids: random.Random,
) -> Row:
    type = choose_type(status, chance)
    work = chance.choice(phrases.work[type])
    attempts, updated_at = 0, created_at
    worker = leased_until = result = error = None
    if status != "pending":
        attempts, worker = 1, chance.choice(WORKERS)
        updated_at = min(created_at + timedelta(seconds=1 + 200 * chance.random()), now)
    if status == "processing":
        leased_until = now  # nobody works on it: the first worker that starts takes it over
    elif status == "completed":
        attempts, result = chance.choice(ATTEMPTS_TO_COMPLETE), work.result
    elif status == "failed" and type == "fail":
        error = work.error
    elif status == "failed":
        attempts, error = ATTEMPTS_TO_GIVE_UP, LOST
    return Row(
        id=uuid7(created_at, chance_for_ids),
        title=f"{chance.choice(phrases.deeds)} for {chance.choice(phrases.customers)}",
        description=chance.choice(phrases.descriptions),
        status=status,
        priority=chance.choice(PRIORITIES),
        type=type,
        payload=work.payload,
        result=result,
        error=error,
        attempts=attempts,
        assigned_worker=worker,
        leased_until=leased_until,
        request_id=f"{chance_for_ids.getrandbits(128):032x}",
        created_at=created_at,
        updated_at=updated_at,
    )


def choose_type(status: str, chance: random.Random) -> str:
    if status == "processing":
        return "sleep"  # the others are done before anybody can look
    if status == "failed" and chance.random() < 0.9:
        return "fail"  # the rest had the misfortune of losing their workers
    return chance.choice(TYPES_THAT_COMPLETE if status == "completed" else TYPES)


def uuid7(time: datetime, chance: random.Random) -> str:
    """A UUID version 7 of that time: milliseconds, then chance."""
    milliseconds = int(time.timestamp() * 1000)
    bits = milliseconds << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62)
    return f"{bits:032x}"
