"""GET /tasks: pages of a list that is always in the same order."""

import time
from datetime import datetime

import pytest

from labkit import tasks
from labkit.checks import check
from labkit.evidence import Blocked, Journal, expect, recording
from labkit.http import pages

HANDOUT = "lab-01-rest-api.md#lists-and-pages"
COUNT = 45


@pytest.fixture(scope="module")
def the_tasks(fresh_stack):
    """45 tasks in an API that has no others, as they were created; or what stood in the way.

    The first and the last differ in `created_at`, even where times are shown in whole seconds.
    """
    if isinstance(fresh_stack, Exception):
        return fresh_stack
    with recording(Journal()):
        try:
            created = [tasks.create(fresh_stack.client, f"task {n}") for n in range(COUNT - 1)]
            if "." not in str(created[0].get("created_at")):
                time.sleep(1.1)
            return [*created, tasks.create(fresh_stack.client, f"task {COUNT}")]
        except Blocked as blocked:
            return blocked


@pytest.fixture
def listed(stack, fresh_stack, the_tasks):
    """A client of the API that holds exactly `the_tasks`."""
    if isinstance(the_tasks, Exception):
        raise the_tasks
    return fresh_stack.client


@check(points=0.15, read=HANDOUT)
def test_empty_list_is_a_list(own_stack):
    """Without any tasks the list is empty, and its total 0.

    Is «nothing there» an error?
    """
    with own_stack(fresh=True) as empty:
        answer = empty.client.get("/tasks").expect(200)
        expect(
            answer.tasks == [] and answer.meta.get("total") == 0, "an empty list with a total of 0", answer
        )


@check(points=0.2, read=HANDOUT)
def test_answers_the_first_20(listed):
    """Without parameters the list is the first page of 20 tasks.

    What would `GET /tasks` cost with a million rows if nobody had set a default?
    """
    answer = listed.get("/tasks").expect(200)
    expect(len(answer.tasks) == 20, f"20 of the {COUNT} tasks", f"{len(answer.tasks)} tasks")
    for name, value in {"page": 1, "limit": 20}.items():
        expect(answer.meta.get(name) == value, f"`meta.{name}` to be {value}", answer.meta)


@check(points=0.2, read=HANDOUT)
def test_limit_is_kept(listed):
    """`limit` says how many tasks a page holds.

    Who decides how many rows leave the database: the query, or the code behind it?
    """
    for limit in (1, 7, 100):
        answer = listed.get(f"/tasks?limit={limit}").expect(200)
        wanted = min(limit, COUNT)
        expect(len(answer.tasks) == wanted, f"{wanted} of the {COUNT} tasks", f"{len(answer.tasks)} tasks")
        expect(answer.meta.get("limit") == limit, f"`meta.limit` to be {limit}", answer.meta)


@check(points=0.2, read=HANDOUT)
def test_next_page_follows_the_last(listed):
    """Page 2 starts right after page 1.

    With ten tasks a page, which is the first task of page 3?
    """
    first = _ids(listed.get("/tasks?page=1&limit=20"))
    for page, limit in ((1, 10), (2, 10), (3, 5), (7, 3)):
        answer = listed.get(f"/tasks?page={page}&limit={limit}")
        start = (page - 1) * limit
        expect(
            _ids(answer)[: 20 - start] == first[start : start + limit],
            f"the tasks at places {start + 1} to {start + limit} of the list",
            _titles(answer),
        )
        expect(answer.meta.get("page") == page, f"`meta.page` to be {page}", answer.meta)


@check(points=0.2, read=HANDOUT)
def test_pages_have_no_gap_and_no_overlap(listed, the_tasks):
    """All pages together hold every task exactly once.

    What must be true of an order for a page to mean the same thing twice?
    """
    for limit in (4, 9):
        seen = [task["id"] for page in pages(listed, "/tasks", limit) for task in page.tasks]
        repeated = len(seen) - len(set(seen))
        missing = len({task["id"] for task in the_tasks} - set(seen))
        expect(
            repeated == 0 and missing == 0,
            f"each of the {COUNT} tasks once on all pages of {limit}",
            f"{repeated} repeated, {missing} missing",
        )


@check(points=0.2, read=HANDOUT)
def test_order_is_by_creation(listed, the_tasks):
    """Lists are ordered by `created_at`, oldest first, and by `id` where that is equal.

    If you don't say in which order, who chooses one?
    """
    answer = listed.get("/tasks?limit=100").expect(200)
    expect(len(answer.tasks) == COUNT, f"all {COUNT} tasks on one page of 100", _titles(answer))
    times = _times(answer)
    expect(times == sorted(times), "`created_at` to rise from task to task", _titles(answer))
    ids = _ids(answer)
    first, last = the_tasks[0]["id"], the_tasks[-1]["id"]
    expect(
        first in ids and last in ids and ids.index(first) < ids.index(last),
        "the task created first to stand before the one created last",
        _titles(answer),
    )


@check(points=0.15, read=HANDOUT)
def test_order_survives_a_replace(listed, the_tasks):
    """Replacing a task does not move it in the list.

    Which of a task's two times orders the list, and why not the other?
    """
    answer = listed.get("/tasks?limit=10")
    before = _ids(answer)
    expect(len(before) > 3, f"ten of the {COUNT} tasks", _titles(answer))
    listed.put(f"/tasks/{before[3]}", json={"title": "task 3, revised"}).expect(200)
    answer = listed.get("/tasks?limit=10")
    expect(_ids(answer) == before, "the same tasks in the same order as before", _titles(answer))


@check(points=0.2, read=HANDOUT)
def test_total_counts_all(listed):
    """`meta.total` counts all tasks, not only those on the page.

    How does a client know whether there is a next page?
    """
    for query in ("", "?limit=5", "?limit=5&page=4"):
        answer = listed.get(f"/tasks{query}").expect(200)
        expect(answer.meta.get("total") == COUNT, f"`meta.total` to be {COUNT}", answer.meta)


@check(points=0.2, read=HANDOUT)
def test_status_filters(listed):
    """`status` keeps only the tasks in that status, and `total` counts after the filter.

    A page tells two things: which tasks, and how many in all. Where does each of them learn of the filter?
    """
    answer = listed.get("/tasks?status=pending&limit=100").expect(200)
    expect(
        len(answer.tasks) == COUNT and answer.meta.get("total") == COUNT,
        f"all {COUNT} tasks, for all are pending",
        f"{len(answer.tasks)} tasks, total {answer.meta.get('total')}",
    )
    for status in ("processing", "completed", "failed"):
        answer = listed.get(f"/tasks?status={status}").expect(200)
        expect(
            answer.tasks == [] and answer.meta.get("total") == 0,
            f"no tasks and a total of 0 for status={status}",
            answer,
        )


@check(points=0.15, read=HANDOUT)
def test_page_past_the_end_is_empty(listed):
    """A page past the end is an empty list, not an error.

    Tasks are deleted while a client walks through the pages. What should its last request answer?
    """
    for page in (6, 100_000):
        answer = listed.get(f"/tasks?page={page}&limit=10").expect(200)
        expect(
            answer.tasks == [] and answer.meta.get("total") == COUNT,
            f"an empty list, and a total of {COUNT}",
            answer,
        )


@check(points=0.2, read=HANDOUT)
def test_bad_limits_are_refused(api):
    """A limit is written in digits alone and lies between 1 and 100; anything else is refused.

    Who decides in your service what counts as a number in a query, and how generous are they?
    """
    for value in ("0", "101", "-1", "ten", "1.0", "1e1", "1_0", "%2B5", "9" * 40):
        api.get(f"/tasks?limit={value}").expect_error(400, "invalid_request", f"for limit={value[:12]}")


@check(points=0.15, read=HANDOUT)
def test_bad_pages_are_refused(api):
    """A page is written in digits alone and lies between 1 and 100000; anything else is refused.

    How far does the database have to count before it can show page 100001?
    """
    for value in ("0", "100001", "-1", "two", "1.0", "1_0", "9" * 40):
        api.get(f"/tasks?page={value}").expect_error(400, "invalid_request", f"for page={value[:12]}")


@check(points=0.15, read=HANDOUT)
def test_unknown_statuses_are_refused(api):
    """A status that does not exist is refused, rather than answered with an empty list.

    A client misspells a status. Which answer tells it so?
    """
    for value in ("lost", "PENDING", "pending,failed"):
        api.get(f"/tasks?status={value}").expect_error(400, "invalid_request", f"for status={value}")


@check(points=0.15, read=HANDOUT)
def test_unknown_parameters_are_ignored(api):
    """Query parameters that the contract does not know are ignored.

    Who adds parameters to a link on its way to you, and would you turn their visitors away?
    """
    api.get("/tasks?utm_source=mail&page=1").expect(200)


def _ids(answer):
    return [task["id"] for task in answer.expect(200).tasks]


def _times(answer):
    """When the tasks were created, as moments: of the same second, "…05.12Z" is earlier than "…05.123Z"."""
    texts = [str(task.get("created_at")) for task in answer.tasks]
    try:
        times = [datetime.fromisoformat(text.replace("z", "Z")) for text in texts]
        return times if all(time.tzinfo for time in times) else texts
    except ValueError:
        return texts


def _titles(answer):
    titles = [str(task.get("title")) for task in answer.tasks]
    return f"{len(titles)} tasks: " + ", ".join(titles[:8]) + (" …" if len(titles) > 8 else "")
