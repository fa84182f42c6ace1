"""What made-up tasks are about: lists of titles' beginnings, customers, descriptions and payloads.

Faker takes up to 100 microseconds for a word. So it is asked for a few thousand of them once, phrases and
payloads are made from those, and a million tasks can be drawn from the lists in no time.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from faker import Faker

MOST_WORDS = 500
MOST_PHRASES = 2000

DEEDS = (
    "Back up {domain}",
    "Check the address of {person}",
    "Convert {file}",
    "Export the orders from {city}",
    "Import {file}",
    "Invite {person}",
    "Publish {file} on {domain}",
    "Remind {person} of invoice {number}",
    "Renew the certificate of {domain}",
    "Send invoice {number}",
    "Send the monthly report to {email}",
    "Translate {file}",
)
DESCRIPTIONS = (
    "",
    "Asked for by {person}.",
    "They want to {purpose}, and need it for that.",
    "Part of the plan to {purpose}. Questions go to {person}, {email}.",
)
FAILURES = (
    "mail.{domain} did not answer in time",
    "{domain} answered 502 Bad Gateway",
    "{file} is not there",
    "line {number} of {file} cannot be read",
    "{company} has no order {number}",
)

Facts = dict[str, Any]


class Work(NamedTuple):
    """What a task has to do, and what comes of it."""

    payload: str
    """As JSON, and so is the result."""
    result: str | None = None
    error: str | None = None


class Phrases(NamedTuple):
    """What tasks are drawn from; a title is a deed for a customer."""

    deeds: Sequence[str]
    customers: Sequence[str]
    descriptions: Sequence[str]
    work: Mapping[str, Sequence[Work]]
    """By type."""


def make_phrases(seed: int, count: int) -> Phrases:
    """Enough of everything for `count` tasks that differ; the same for the same arguments."""
    chance = random.Random(seed)
    words = make_words(seed, min(count, MOST_WORDS))

    def draw() -> Facts:
        return {name: chance.choice(known) for name, known in words.items()} | {
            "number": chance.randrange(10_000, 100_000)
        }

    def some(templates: Sequence[str]) -> Sequence[str]:
        return [chance.choice(templates).format_map(draw()) for _ in range(min(3 * count, MOST_PHRASES))]

    def some_work(make: Callable[[Facts, random.Random], Work]) -> Sequence[Work]:
        return [make(draw(), chance) for _ in range(min(3 * count, MOST_PHRASES))]

    return Phrases(
        deeds=some(DEEDS),
        customers=[*words["company"], *words["person"]],
        descriptions=some(DESCRIPTIONS),
        work={make.__name__: some_work(make) for make in (noop, sleep, echo, fail)},
    )


def make_words(seed: int, size: int) -> Mapping[str, Sequence[str]]:
    fake = Faker("en_US")
    fake.seed_instance(seed)
    sources = {
        "person": fake.name,
        "company": fake.company,
        "city": fake.city,
        "domain": fake.domain_name,
        "file": fake.file_name,
        "email": fake.company_email,
        "purpose": fake.bs,
    }
    return {name: [word() for _ in range(size)] for name, word in sources.items()}


def noop(facts: Facts, chance: random.Random) -> Work:
    return Work(json.dumps({"invoice": facts["number"]} if chance.random() < 0.5 else {}))


def sleep(facts: Facts, chance: random.Random) -> Work:
    return Work(json.dumps({"seconds": chance.randrange(1, 30) / 10}))


def echo(facts: Facts, chance: random.Random) -> Work:
    payload = json.dumps({"to": facts["email"], "subject": facts["purpose"], "urgent": chance.random() < 0.2})
    return Work(payload, result=payload)


def fail(facts: Facts, chance: random.Random) -> Work:
    message = chance.choice(FAILURES).format_map(facts)
    return Work(json.dumps({"message": message}), error=message)
