"""Input that somebody sends on purpose: each is answered with 400 and harms nobody."""

from urllib.parse import quote

from labkit import tasks
from labkit.checks import check
from labkit.evidence import expect

HANDOUT = "lab-01-rest-api.md#hostile-input"
SQL = "'; DROP TABLE tasks; --"


def refuses(api, body: bytes, because: str) -> None:
    """POST and PUT answer the body with 400, and the service lives on."""
    path = f"/tasks/{tasks.create(api)['id']}"
    for method, target in (("POST", "/tasks"), ("PUT", path)):
        api.request(method, target, body=body).expect_error(400, "invalid_request", because)
    api.get("/health").expect(200, "afterwards")


@check(points=0.15, read=HANDOUT)
def test_nul_in_a_text(api):
    """A text with the character U+0000 in it is refused.

    Which of the programs that this text passes through take a NUL for the end of it?
    """
    for body in (
        rb'{"title": "a\u0000b"}',
        rb'{"title": "x", "description": "\u0000"}',
        rb'{"title": "x", "payload": {"a": "\u0000"}}',
    ):
        refuses(api, body, "for a NUL in a text")


@check(points=0.15, read=HANDOUT)
def test_lone_surrogate(api):
    """A text with half a surrogate pair in it is refused.

    Can every string that JSON can spell be written in UTF-8?
    """
    for body in (
        rb'{"title": "a\ud800b"}',
        rb'{"title": "\udfff\ud83d"}',
        rb'{"title": "x", "payload": {"a": "\udc00"}}',
    ):
        refuses(api, body, "for a lone surrogate")


@check(points=0.15, read=HANDOUT)
def test_not_a_number(api):
    """NaN and Infinity are no JSON, and refused.

    What does your JSON parser accept that JSON does not know?
    """
    for word in (b"NaN", b"Infinity", b"-Infinity"):
        refuses(api, b'{"title": "x", "payload": {"a": ' + word + b"}}", f"for {word.decode()} as a value")
        refuses(api, b'{"title": "x", "priority": ' + word + b"}", f"for {word.decode()} as a priority")


@check(points=0.15, read=HANDOUT)
def test_number_beyond_all_bounds(api):
    """1e400 is a number of JSON, but none that a double can hold, and refused.

    What does 1e400 become in your language, and can you write that back as JSON?
    """
    refuses(api, b'{"title": "x", "payload": {"a": 1e400}}', "for 1e400 as a value")
    refuses(api, b'{"title": "x", "priority": -1e400}', "for -1e400 as a priority")
    refuses(api, b'{"title": "x", "payload": {"a": ' + b"9" * 350 + b"}}", "for a value of 350 digits")


@check(points=0.15, read=HANDOUT)
def test_endless_integer(api):
    """An integer of thousands of digits is refused.

    How long does your language take to read a number of 50,000 digits, and does it read it at all?
    """
    refuses(api, b'{"title": "x", "priority": ' + b"9" * 5_000 + b"}", "for a priority of 5,000 digits")
    refuses(api, b'{"title": "x", "payload": {"a": ' + b"9" * 50_000 + b"}}", "for a value of 50,000 digits")


@check(points=0.15, read=HANDOUT)
def test_deep_nesting(api):
    """A body nested thousands of levels deep is refused.

    How does a parser remember where it is, and what if it runs out of that?
    """
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = opening * 6_000 + b"1" + closing * 6_000
        refuses(api, deep, "for 6,000 levels")
        refuses(api, b'{"title": "x", "payload": {"a": ' + deep + b"}}", "for 6,000 levels in a payload")


@check(points=0.15, read=HANDOUT)
def test_invalid_utf8(api):
    """A body that is not valid UTF-8 is refused.

    Which bytes can never occur in UTF-8, and who in your service would notice them?
    """
    for title in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80"):
        refuses(api, b'{"title": "' + title + b'"}', f"for the bytes {title.hex(' ')}, which are no UTF-8")


@check(points=0.2, read=HANDOUT)
def test_sql_is_only_text(api):
    """SQL in a text is kept as the text it is.

    How does your database know where the query ends and the data begins?
    """
    task = tasks.create(api, SQL, description=SQL, payload={"a": SQL})
    again = tasks.read(api, task)
    for name, value in {"title": SQL, "description": SQL, "payload": {"a": SQL}}.items():
        expect(again.get(name) == value, f"`{name}` to be {value!r}", repr(again.get(name)))
    api.get("/tasks").expect(200, "afterwards")


@check(points=0.15, read=HANDOUT)
def test_sql_in_paths_and_queries(api):
    """SQL in an id or a parameter is malformed input like any other.

    Which inputs of your service do not come in the body?
    """
    hostile = quote(SQL, safe="")
    api.get(f"/tasks/{hostile}").expect_error(400, "invalid_request", "for SQL in the id")
    for name in ("status", "limit", "page"):
        api.get(f"/tasks?{name}={hostile}").expect_error(400, "invalid_request", f"for SQL in {name}")
    api.get("/tasks").expect(200, "afterwards")


@check(points=0.15, read=HANDOUT)
def test_strange_characters_in_paths_and_queries(api):
    """NUL, line breaks and broken UTF-8 in an id or a parameter are refused.

    What does `%00` stand for, and at which point does it become that?
    """
    for hostile in ("%00", "%0a", "%ff", "%F0%9F%8C%B4"):
        api.get(f"/tasks/{hostile}").expect_error(400, "invalid_request", f"for {hostile} in the id")
        for name in ("status", "limit", "page"):
            api.get(f"/tasks?{name}={hostile}").expect_error(
                400, "invalid_request", f"for {hostile} in {name}"
            )


@check(points=0.15, read=HANDOUT)
def test_text_of_all_kinds_survives(api):
    """Text of every script, markup and control characters come back as they were sent.

    Which characters are dangerous: to whom, and where would you make them harmless?
    """
    for text in (
        "<script>alert(1)</script>",
        "Ελληνικά עברית العربية 中文 🏳️‍🌈",
        "a\u202eb\u0007c\x7f\u2028",
        '"\\/\b\f',
    ):
        task = tasks.create(api, text, description=text, payload={"a": text})
        again = tasks.read(api, task)
        for name, value in {"title": text, "description": text, "payload": {"a": text}}.items():
            expect(again.get(name) == value, f"`{name}` to be {value!r}", repr(again.get(name)))
