"""Fifty clients at once: every one gets its own answer."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from labkit import tasks
from labkit.checks import check
from labkit.evidence import CheckFailed, Journal, did, expect, recording

HANDOUT = "lab-01-rest-api.md#many-clients"
CLIENTS = 50
ROUNDS = 4


@check(points=0.2, read=HANDOUT)
def test_no_answer_is_lost_or_mixed_up(api):
    """Fifty clients create and read tasks at once, and each gets the answers to its own requests.

    What in your service belongs to one request, and what do all requests share?
    """
    tasks.create(api)

    def client(number: int) -> list[str]:
        wrong = []
        for turn in range(ROUNDS):
            name = f"client-{number}-{turn}"
            created = api.post(
                "/tasks", json={"title": name, "payload": {"n": number}}, headers={"X-Request-ID": name}
            ).expect(201)
            read = api.get(f"/tasks/{created.task['id']}", headers={"X-Request-ID": name}).expect(200)
            for answer in (created, read):
                title, request_id = answer.task.get("title"), answer.headers.get("X-Request-ID")
                if (title, request_id) != (name, name):
                    wrong.append(f"{name} got the task {title} with X-Request-ID {request_id}")
        return wrong

    wrong = [line for lines in _at_once(client) for line in lines]
    expect(not wrong, "each client to get the answers to its own requests", "; ".join(wrong[:4]))


@check(points=0.2, read=HANDOUT)
def test_every_task_is_kept(api):
    """Tasks that fifty clients create at once are all there afterwards, each once.

    Two requests add to the same thing at the same moment. Who goes first, and what does the other one see?
    """
    tasks.create(api)
    before = tasks.total(api)

    def client(number: int) -> list[str]:
        return [api.post("/tasks", json={"title": "at once"}).expect(201).task["id"] for _ in range(ROUNDS)]

    ids = [text for created in _at_once(client) for text in created]
    after = tasks.total(api)
    count = CLIENTS * ROUNDS
    expect(after == before + count, f"`meta.total` to grow by {count}", f"{before} before, {after} after")
    twice = [text for text, times in Counter(ids).items() if times > 1]
    expect(not twice, f"{count} different ids", f"{len(twice)} ids were given twice")
    asked = [api.get(f"/tasks/{text}") for text in ids[::10]]
    lost = [answer for answer in asked if answer.status != 200]
    expect(
        not lost,
        f"each of the {len(asked)} tasks that we looked up to be found",
        f"{len(lost)} of the {len(asked)} are not; the first answer: {lost[0]}" if lost else "",
    )


def _at_once(client):
    """Run `client(number)` for all clients at the same time; their results in order."""
    with recording(Journal()), ThreadPoolExecutor(CLIENTS) as pool:
        futures = [pool.submit(client, number) for number in range(CLIENTS)]
        errors = [error for future in futures if (error := future.exception())]
    did(f"{CLIENTS} clients at once, {ROUNDS} rounds each")
    if errors:
        failed = [error for error in errors if isinstance(error, CheckFailed)]
        raise failed[0] if failed else errors[0]
    return [future.result() for future in futures]
