"""What a task may not be, field by field: each refused with 400, and the widest that is allowed accepted."""

import json

from labkit import tasks
from labkit.checks import check
from labkit.evidence import expect, shorten

HANDOUT = "lab-01-rest-api.md#validation"


def refuses(api, body, because):
    """Both POST and PUT answer such a body with 400."""
    api.post("/tasks", json=body).expect_error(400, "invalid_request", because)
    task = tasks.create(api)
    api.put(f"/tasks/{task['id']}", json=body).expect_error(400, "invalid_request", because)


def accepts(api, because, **fields):
    """POST accepts the fields and answers with them."""
    answer = api.post("/tasks", json={"title": "a task", **fields}).expect(201, because)
    for name, value in fields.items():
        found = answer.task.get(name)
        expect(found == value, f"`{name}` as it was sent", shorten(repr(found)))


@check(points=0.2, read=HANDOUT)
def test_title_is_required(api):
    """A task without a title is refused.

    Which fields can you invent for the client, and which not?
    """
    refuses(api, {}, "for a body without a title")
    refuses(api, {"title": None}, "for a title that is null")


@check(points=0.15, read=HANDOUT)
def test_title_is_a_string(api):
    """A title that is a number, a list or an object is refused, not turned into text.

    What does a client learn when you quietly repair its mistake?
    """
    for value in (7, ["x"], {"x": 1}, True):
        refuses(api, {"title": value}, "for a title that is no string")


@check(points=0.15, read=HANDOUT)
def test_title_is_not_empty(api):
    """An empty title is refused.

    What is the shortest title that still says something?
    """
    refuses(api, {"title": ""}, "for an empty title")


@check(points=0.15, read=HANDOUT)
def test_title_is_not_blank(api):
    """A title of nothing but white space is refused, whichever white space it is.

    How many characters do you know that cannot be seen, and how many does Unicode know?
    """
    for blank, name in (
        ("   ", "spaces"),
        ("\t\n", "a tab and a line break"),
        ("\u00a0", "U+00A0"),
        ("\u2003\u3000", "U+2003 and U+3000"),
    ):
        refuses(api, {"title": blank}, f"for a title of nothing but {name}")


@check(points=0.15, read=HANDOUT)
def test_title_keeps_its_spaces(api):
    """A title with something in it is kept as it is, spaces around it included.

    Is trimming a check, or a change of what the client said?
    """
    accepts(api, "for a title with spaces around it", title="  two words \n")


@check(points=0.2, read=HANDOUT)
def test_title_has_at_most_200_characters(api):
    """A title of 200 characters is accepted, one of 201 refused.

    On which side of the limit is the limit?
    """
    accepts(api, "for a title of 200 characters", title="x" * 200)
    refuses(api, {"title": "x" * 201}, "for a title of 201 characters")


@check(points=0.15, read=HANDOUT)
def test_title_counts_characters_not_bytes(api):
    """200 characters are 200 code points, however many bytes they take.

    How long is «🌴»: one, two or four?
    """
    accepts(api, "for a title of 200 palm trees", title="🌴" * 200)
    refuses(api, {"title": "🌴" * 201}, "for a title of 201 palm trees")


@check(points=0.15, read=HANDOUT)
def test_description_has_at_most_2000_characters(api):
    """A description of 2000 characters is accepted, a longer one and one that is no string are refused.

    What would happen to your database if nobody ever said «enough»?
    """
    accepts(api, "for a description of 2000 characters", description="🌴" * 2000)
    refuses(api, {"title": "x", "description": "🌴" * 2001}, "for a description of 2001 characters")
    refuses(api, {"title": "x", "description": 5}, "for a description that is no string")


@check(points=0.2, read=HANDOUT)
def test_priority_is_within_its_bounds(api):
    """Priorities from -100 to 100 are accepted, others refused.

    Have you tried both ends, and one step beyond each?
    """
    for value in (-100, 100):
        accepts(api, f"for priority {value}", priority=value)
    for value in (-101, 101):
        refuses(api, {"title": "x", "priority": value}, f"for priority {value}")


@check(points=0.2, read=HANDOUT)
def test_priority_is_an_integer(api):
    """A priority that is a string, a boolean, null or a fraction is refused.

    Your language may call `true` a 1 and `"3"` a 3. Does the contract?
    """
    for value in ("3", True, None, 1.5, [1]):
        refuses(api, {"title": "x", "priority": value}, f"for priority {json.dumps(value)}")


@check(points=0.15, read=HANDOUT)
def test_priority_3_0_is_3(api):
    """A priority of 3.0 is the integer 3: JSON knows only numbers.

    What makes a number an integer in JSON Schema: its value, or how it was written?
    """
    answer = api.post("/tasks", body=b'{"title": "x", "priority": 3.0}').expect(201, "for priority 3.0")
    expect(answer.task.get("priority") == 3, "`priority` 3", repr(answer.task.get("priority")))


@check(points=0.2, read=HANDOUT)
def test_type_follows_its_pattern(api):
    """A type is a small letter, then small letters, digits and underscores: up to 50 characters in all.

    Does your pattern look at the whole string, or is it content with a part of it?
    """
    for value in ("a", "a" * 50, "send_mail_2"):
        accepts(api, f"for type {value!r}", type=value)
    for value in ("", "Sleep", "1st", "_x", "send-mail", "sl eep", "a" * 51, "noop!", 5, None):
        refuses(api, {"title": "x", "type": value}, f"for type {value!r}")


@check(points=0.15, read=HANDOUT)
def test_type_ends_where_it_ends(api):
    """A type with a line break at its end is refused.

    What exactly does `$` match in your regular expressions?
    """
    refuses(api, {"title": "x", "type": "noop\n"}, "for a type with a line break at its end")


@check(points=0.15, read=HANDOUT)
def test_payload_is_an_object(api):
    """A payload that is no object is refused.

    What would a worker do with a payload that is a list, or null?
    """
    for value in ([], "x", 5, True, None):
        refuses(api, {"title": "x", "payload": value}, f"for payload {json.dumps(value)}")


@check(points=0.15, read=HANDOUT)
def test_payload_has_at_most_50_entries(api):
    """A payload of 50 entries is accepted, one of 51 refused.

    Whose memory pays for an object without a limit?
    """
    accepts(api, "for a payload of 50 entries", payload={f"n{i}": i for i in range(50)})
    refuses(api, {"title": "x", "payload": {f"n{i}": i for i in range(51)}}, "for a payload of 51 entries")


@check(points=0.15, read=HANDOUT)
def test_payload_names_follow_their_pattern(api):
    """Names in a payload are a letter, then letters, digits and underscores: up to 64 characters in all.

    Who will read these names later, and in how many languages?
    """
    accepts(api, "for names as the contract allows them", payload={"A": 1, "z_9": 2, "x" * 64: 3})
    for name in ("", "9a", "_a", "a-b", "a b", "ä", "x" * 65, "a\n"):
        refuses(api, {"title": "x", "payload": {name: 1}}, f"for the payload name {name!r}")


@check(points=0.2, read=HANDOUT)
def test_payload_values_are_flat(api):
    """Values in a payload are strings of up to 1000 characters, numbers, booleans or null.

    If an object may hold an object, how deep may it go?
    """
    accepts(api, "for a string of 1000 characters", payload={"text": "🌴" * 1000, "yes": True, "none": None})
    refuses(api, {"title": "x", "payload": {"a": "🌴" * 1001}}, "for a string of 1001 characters")
    for value in ({"b": 1}, [1], {}, []):
        refuses(api, {"title": "x", "payload": {"a": value}}, f"for the payload value {json.dumps(value)}")


@check(points=0.2, read=HANDOUT)
def test_unknown_fields_are_refused(api):
    """A field that the contract does not know is refused.

    A client writes `prioritiy`. When does it find out: now, or in two weeks?
    """
    refuses(api, {"title": "x", "prioritiy": 5}, "for an unknown field")
    refuses(api, {"title": "x", "": 5}, "for a field without a name")


@check(points=0.2, read=HANDOUT)
def test_server_fields_are_refused(api):
    """Fields that belong to the server are refused in a body, even with their right values.

    What could a client do that may set `status` or `attempts` itself?
    """
    for name, value in {
        "id": tasks.nobody(),
        "status": "completed",
        "attempts": 0,
        "result": None,
        "error": None,
        "assigned_worker": None,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "request_id": "mine",
    }.items():
        refuses(api, {"title": "x", name: value}, f"for `{name}` in a body")


@check(points=0.15, read=HANDOUT)
def test_body_is_an_object(api):
    """A body that is JSON, but no object, is refused.

    What does your code do first with the parsed body, and what if that is a list?
    """
    for body in ([], "x", 5, True, [{"title": "x"}]):
        refuses(api, body, "for a body that is no object")
    api.post("/tasks", body=b"null").expect_error(400, "invalid_request", "for a body that is null")


@check(points=0.15, read=HANDOUT)
def test_refused_means_nothing_happened(api):
    """A request that was refused has created and changed nothing.

    Between your first check and your last, what has already been done?
    """
    task = tasks.create(api, "Stay as you are", payload={"n": 1})
    total = tasks.total(api)
    api.post("/tasks", json={"title": "x", "priority": 1000}).expect(400)
    api.put(f"/tasks/{task['id']}", json={"title": "changed", "priority": 1000}).expect(400)
    tasks.expect_same(tasks.read(api, task), task)
    after = tasks.total(api)
    expect(after == total, f"{total} tasks, as before", f"{after} tasks")
