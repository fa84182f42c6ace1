"""The logs of both services: structured from the first line to the last, and one story in two of them."""

import json
import re
import signal
from datetime import timedelta

from labkit import logs
from labkit.checks import check
from labkit.deadlines import scaled
from labkit.episodes.story import BAD_IDS, FORGED, HELD_S, SLEEP_S, TASKS
from labkit.evidence import expect, expect_unsaid, only, shorten
from labkit.http import Client
from labkit.logs import entries, is_number, moment
from labkit.stage import BACK_S, lease

LINES = "lab-04-operations.md#log-lines"
LEVELS = "lab-04-operations.md#levels"
ONE_ID = "lab-04-operations.md#one-request-id"

SLACK_MS = 250
"""What a busy machine may add to a duration between the client's last byte and the line (scaled)."""
ORDINARY = ("health", "list", "no-such-task", "nowhere", "method", "invalid", "slow", "task-noop")
WHERE = ("path", "msg", "logger", "module", "route", "endpoint", "handler")
"""Fields that may name the tasks whatever went wrong."""
INSIDE = (
    "traceback",
    "psycopg",
    "sqlalchemy",
    "asyncpg",
    "tasks_away",
    "relation",
    "does not exist",
    "select ",
)


@check(points=0.8, read=LINES)
def test_every_line_is_json(story):
    """From start to stop, in good minutes and bad ones, each line of both logs is one JSON object on stdout.

    Who else writes to your process' output, besides you?
    """
    _told(story)
    story.whole()
    for name, lines in (("the API", story.api), ("the worker", story.worker)):
        expect(bool(lines), f"{name} to write a log", "nothing")
        stray = logs.strays(lines)
        expect(
            not stray,
            f"every line of {name} to be a JSON object on stdout",
            "\n".join(shorten(text, 200) for text in stray[:4]),
        )


@check(points=0.6, read=LINES)
def test_lines_have_what_they_need(story):
    """Each line has timestamp, level, msg and service, of the right types and values.

    A thousand lines of ten services lie in one place. What must each of them say to be found there?
    """
    story.whole()
    for found, name in ((story.api_entries, "api-service"), (story.worker_entries, "worker-service")):
        expect(bool(found), f"lines of {name}", "none")
        for entry in found:
            wrong = _wrong(entry, name)
            expect(not wrong, wrong, shorten(entry.text, 400))


@check(points=0.3, read=LINES)
def test_times_are_in_utc(story):
    """The timestamps are RFC 3339 in UTC, wherever the machine stands.

    Two of your machines stand in two time zones. In which order did it happen?
    """
    story.whole()
    slack = timedelta(seconds=5)
    for entry in story.api_entries + story.worker_entries:
        at = moment(entry.get("timestamp"))
        expect(at is not None, "a timestamp in RFC 3339, with its offset", shorten(entry.text))
        expect(at.utcoffset() == timedelta(0), "a timestamp in UTC: Z, or +00:00", entry.get("timestamp"))
        expect(
            story.began - slack <= at <= story.ended + slack,
            f"the time in UTC when it happened, about {story.ended:%H:%M:%S} (TZ says Asia/Kolkata)",
            entry.get("timestamp"),
        )


@check(points=0.5, read=LEVELS)
def test_level_filters(stage):
    """LOG_LEVEL hides what is below it, and nothing else.

    It is three in the morning, and something broke. Which lines must be there, and which do you wish were
    not?
    """
    worker = stage.worker(LOG_LEVEL="warn")
    task = stage.add("fail", {"message": "on purpose"})
    stage.wait_for_end(stage.add(), task)
    api = stage.api(LOG_LEVEL="error")
    client = Client(api.url, None)
    client.get("/health").expect(200)
    client.get("/nowhere").expect(404)
    stage.probe.execute("ALTER TABLE tasks RENAME TO tasks_away")
    answer = client.get("/tasks")
    expect(answer.status >= 500, "a 5xx while the table is missing", answer)
    stage.probe.execute("ALTER TABLE tasks_away RENAME TO tasks")
    seen = stage.until(lambda: any(e.at_least_error for e in entries(logs.printed(api))), within=2)
    expect(
        bool(seen),
        f"the line of a request that ended with {answer.status}, with LOG_LEVEL=error",
        "no JSON object with level error or above; the last lines:\n"
        + ("\n".join(f"  {shorten(line, 200)}" for line in api.log(2)) or "  none at all"),
    )
    for service, lowest in ((api, "error"), (worker, "warning")):
        lines = entries(logs.printed(service))
        below = [e for e in lines if e.get("level") in logs.LEVELS[: logs.LEVELS.index(lowest)]]
        expect(
            not below,
            f"no line below {lowest} of {service.name} with LOG_LEVEL={service.settings['LOG_LEVEL']}",
            "\n".join(shorten(entry.text, 200) for entry in below[:3]),
        )


@check(points=0.2, read=LEVELS)
def test_debug_shows_no_less(elsewhere):
    """LOG_LEVEL=debug shows all that info shows.

    You turn the log up to learn more. What would you lose if it were another log altogether?
    """
    only("start `api` with LOG_LEVEL=debug", "GET /info")
    requests = [e for e in entries(elsewhere.api) if str(e.get("path")).startswith("/info")]
    expect(bool(requests), "a line with the path of GET /info", f"{len(elsewhere.api)} lines, and it in none")
    only("start a worker with LOG_LEVEL=debug", "INSERT tasks")
    tasks = [e for e in entries(elsewhere.worker) if e.get("task_id")]
    expect(bool(tasks), "lines with the task_id of a task", f"{len(elsewhere.worker)} lines, and it in none")


@check(points=0.7, read=LINES)
def test_requests_end_with_a_line(story):
    """Each request ends with a line that has its method, path, status, and a duration that is true.

    What do you need to know about yesterday's slowest request, and which words of it could have been secret?
    """
    for key in ORDINARY:
        answer = story.answer(key)
        line = _line_of(story, key)
        wanted = {
            "method": answer.request.method,
            "path": answer.request.path.partition("?")[0],
            "status": answer.status,
        }
        found = {name: line.get(name) for name in wanted}
        expect(found == wanted, f"on the line of {answer.request}: {wanted}", shorten(line.text, 400))
        took = line.get("duration_ms")
        expect(is_number(took), f"a number as duration_ms of {answer.request}", shorten(line.text, 400))
        most = answer.duration_s * 1000 + scaled(SLACK_MS)
        least = HELD_S * 1000 * 0.9 if key == "slow" and story.held else 0
        expect(
            least <= took <= most,
            f"duration_ms of {answer.request} to be what it took: {least:.0f} to {most:.0f}",
            took,
        )


@check(points=0.6, read=LINES)
def test_server_errors_are_logged_as_errors(story):
    """A 5xx has its line at level error, with the cause in it, which the client is not told.

    Something broke inside. Who should learn what, and by which way?
    """
    for key in ("broken list", "broken post"):
        answer = story.answer(key)
        expect(answer.status >= 500, "a 5xx while the table is missing", answer)
        line = _line_of(story, key)
        expect(line.at_least_error, f"the line of a {answer.status} at level error", shorten(line.text, 400))
        expect(bool(line.get("error")), f"`error` on the line of a {answer.status}", shorten(line.text, 400))
        asked = answer.request.headers["X-Request-ID"]
        told = [e for e in story.api_entries if e.get("request_id") == asked or e.at_least_error]
        cause = " ".join(json.dumps({k: v for k, v in e.fields.items() if k not in WHERE}) for e in told)
        expect(
            any(word in cause.lower() for word in ("tasks", "undefinedtable", "42p01")),
            "the cause in the log: that there is no table `tasks`",
            shorten(line.text, 500),
        )
        shown = [word for word in INSIDE if word in answer.body.decode("utf-8", "replace").lower()]
        expect(not shown, "nothing of the inside in the answer", answer)
    for entry in story.api_entries + story.worker_entries:
        if entry.at_least_error:
            expect(
                bool(entry.get("error")), "`error` on each line at error or above", shorten(entry.text, 400)
            )


@check(points=0.6, read=LINES)
def test_tasks_are_named(story):
    """The worker's lines about a task name it, by id and title; the last has its duration, and its error.

    A user asks what became of their task. What do they tell you about it, and can you find it by that?
    """
    for key, task in TASKS.items():
        lines = _lines_of_task(story, key)
        for line in lines:
            expect(
                line.get("task_title") == task["title"],
                f"task_title {task['title']!r} on each line of the task",
                shorten(line.text, 500),
            )
        took = lines[-1].get("duration_ms")
        expect(
            is_number(took) and took >= 0,
            f"a number as duration_ms on the last line of a {task.get('type', 'noop')}",
            shorten(lines[-1].text, 400),
        )
        if key == "sleep":
            most = (story.ended - story.began).total_seconds() * 1000
            expect(
                SLEEP_S * 950 <= took <= most,
                f"duration_ms of a sleep of {SLEEP_S} s: in milliseconds, at least {SLEEP_S * 1000:.0f}",
                took,
            )
        if story.row(key)["status"] == "failed":
            expect(
                bool(lines[-1].get("error")),
                "`error` on the last line of a task that failed",
                shorten(lines[-1].text, 400),
            )
    said = _lines_of_task(story, "fail")[-1].get("error")
    expect("it broke" in str(said), "the reason why the task failed as its error", shorten(str(said)))


@check(points=0.2, read=LINES)
def test_lost_task_says_why_it_failed(stage):
    """The last line of a task that is failed since its worker was lost has the reason, as with any other.

    Nobody has run this task to its end. Who writes its last line, and what does somebody look for in there?
    """
    settings = {"WORKER_LEASE": lease(), "WORKER_MAX_ATTEMPTS": "1"}
    task = stage.add("sleep", {"seconds": 60}, title="the lost task")
    lost = stage.worker(**settings)
    stage.wait_for_claim(task)
    stage.kill(lost)
    other = stage.worker(**settings)
    stage.wait_for_end(task, within=BACK_S + 6)
    other.send(signal.SIGTERM)
    other.wait(within=10)
    # Whoever ends it in a statement of the database may have no line about it.
    for line in [entry for entry in entries(logs.printed(other)) if entry.get("task_id") == task][-1:]:
        text = shorten(line.text, 400)
        expect(line.get("task_title") == "the lost task", "task_title on the last line of the task", text)
        expect(bool(line.get("error")), "`error` on the last line of a task that failed", text)


@check(points=0.8, read=ONE_ID)
def test_one_id_tells_the_story(story):
    """A request's id is on its line, in the row of its task, and on the worker's lines: claimed, finished.

    You have one id and two logs. How far can you follow it, and where does the trace end?
    """
    for key in ("noop", "fail"):
        asked = f"task-{key}"
        _line_of(story, asked)
        row = story.row(key)
        found = row.get("request_id")
        expect(found == asked, f"request_id {asked} in the row of its task", repr(found))
        lines = _lines_of_task(story, key)
        others = [line for line in lines if line.get("request_id") != asked]
        expect(
            not others,
            f"request_id {asked} on each of the worker's lines about its task",
            shorten(others[0].text, 400) if others else "",
        )
        expect(
            len(lines) >= 2 and not is_number(lines[0].get("duration_ms")),
            "two lines of the worker: that it claimed the task, and that it finished it",
            "\n".join(shorten(line.text, 250) for line in lines),
        )


@check(points=0.6, read=LINES)
def test_foreign_text_forges_no_line(story):
    """Line breaks, quotes and escape codes in titles, paths and messages stay inside of one JSON string.

    Somebody writes a line break into a title or a path, and after it something that looks like your log. What
    do its readers see, and is it what was sent?
    """
    _told(story)
    story.answer("task-forging")
    for lines in (story.api, story.worker):
        stray = logs.strays(lines)
        forged = [text for text in stray if FORGED in text]
        forged += [entry.text for entry in entries(lines) if entry.get("msg") == FORGED]
        expect(not forged, "no line that a client has made up", shorten(forged[0], 300) if forged else "")
    answer = story.answer("path")
    line = _line_of(story, "path")
    expect(
        line.get("status") == answer.status, "a line for a path with line breaks in it", shorten(line.text)
    )
    title = TASKS["forging"]["title"]
    for line in _lines_of_task(story, "forging"):
        expect(
            line.get("task_title") in (None, title), f"the title as it is: {title!r}", shorten(line.text, 500)
        )


@check(points=0.3, read=ONE_ID)
def test_bad_ids_are_replaced(story):
    """An X-Request-ID that the contract does not take is replaced, in the answer and in the log.

    A header comes from anybody. What would you let anybody write into your log?
    """
    for bad in (*BAD_IDS, "without id"):
        given = story.answer(bad).headers.get("X-Request-ID", "")
        expect(
            bool(re.fullmatch(r"[A-Za-z0-9._-]{1,128}", given)) and given != bad,
            "an X-Request-ID in the answer to a request without one"
            if bad == "without id"
            else f"another X-Request-ID in the answer than {shorten(bad, 60)!r}",
            repr(given),
        )
        found = [e for e in story.api_entries if e.get("request_id") == given and e.get("status") is not None]
        about = f"a line for {story.answer(bad).request}, with the id of its answer, {given}"
        expect(bool(found), about, "no line at all with that id and a status")
        kept = [e for e in story.api_entries if e.get("request_id") == bad]
        expect(not kept, "no line with the id that was refused", shorten(kept[0].text, 300) if kept else "")


@check(points=0.4, read="lab-04-operations.md#secrets")
def test_no_password_in_the_logs(story, elsewhere):
    """No line of either log shows the database's password or its URL, at LOG_LEVEL=debug neither.

    Your logs are copied to three other places, and kept for a year. Who has read access there?
    """
    story.whole()
    secrets = (story.url, *elsewhere.urls, story.secret, *elsewhere.secrets)
    for line in [*story.lines, *elsewhere.lines]:
        expect_unsaid(secrets, line.text, "no password and no DATABASE_URL in the logs")


@check(points=0.4, read="lab-04-operations.md#logs-for-people")
def test_pretty_is_for_people(stage):
    """With LOG_FORMAT=pretty both services write lines for people: no JSON, but no less of them.

    You sit before a terminal and look for what just happened. What would you like to see first?
    """
    for service, happens in (
        (
            stage.worker(LOG_FORMAT="pretty"),
            lambda api: stage.wait_for_end(stage.add(title="a pretty title")),
        ),
        (stage.api(LOG_FORMAT="pretty"), lambda api: Client(api.url, None).get("/tasks?limit=7").expect(200)),
    ):
        before = service.printed if service.name == "api" else 0
        happens(service)
        told = stage.until(lambda s=service, b=before: s.printed > b, within=2)
        expect(bool(told), f"lines of {service.name} about what happens", "nothing new")
        lines = logs.printed(service)
        objects = [entry.text for entry in entries(lines)] + [
            line.text for line in lines if line.text.strip() == "{"
        ]
        expect(not objects, "lines for people, no JSON", shorten(objects[0]) if objects else "")


def _told(story):
    """Fail the check if the story broke off."""
    if story.trouble is not None:
        raise story.trouble


def _wrong(entry, service):
    """What is wrong with a line, as an expectation; empty if nothing is."""
    if entry.get("timestamp") is None:
        return "a timestamp on each line"
    if entry.get("level") not in logs.LEVELS:
        return f"a level on each line, one of {', '.join(logs.LEVELS)}"
    if not isinstance(entry.get("msg"), str):
        return "a text as msg on each line"
    if entry.get("service") != service:
        return f'"service": "{service}" on each line'
    request_id = entry.get("request_id")
    if request_id is not None and not (isinstance(request_id, str) and request_id):
        return "a text as request_id, where there is one"
    return ""


def _line_of(story, key):
    """The line that a request ended with; fails the check if there is none, or more than one."""
    answer = story.answer(key)
    asked = answer.request.headers["X-Request-ID"]
    found = [e for e in story.api_entries if e.get("request_id") == asked and e.get("status") is not None]
    expect(
        bool(found), f'a line with "request_id": "{asked}" and a status, for {answer.request}', "no such line"
    )
    return found[-1]


def _lines_of_task(story, key):
    """The worker's lines about a task; fails the check if there are none."""
    task = str(story.row(key)["id"])
    found = [e for e in story.worker_entries if str(e.get("task_id")) == task]
    expect(bool(found), f"lines of the worker with task_id {task}", "none")
    return found
