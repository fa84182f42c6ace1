"""Text is data: nothing that a client sends becomes part of a query."""

from urllib.parse import quote

from labkit import tasks
from labkit.checks import check
from labkit.evidence import expect

HANDOUT = "lab-02-database.md#sql-and-data"
TEXTS = (
    "'); DELETE FROM tasks; --",
    "' OR '1'='1",
    "100% of %s and %(title)s",
    ":title and {title} and $1",
    "back\\slash \\' and $$dollars$$",
    'double "quotes" and `ticks`',
)


@check(points=0.4, read=HANDOUT)
def test_every_text_is_kept(api, probe):
    """Quotes, percent signs, colons and SQL are kept in the table as they were sent, in every text field.

    Where in your code do the query and the values come together for the first time?
    """
    before = probe.count()
    for text in TEXTS:
        body = {"title": text, "description": text, "payload": {"text": text}}
        task = api.post("/tasks", json=body).expect(201).task
        row = probe.row(task["id"]) or {}
        found = (row.get("title"), row.get("description"), row.get("payload"))
        expect(found == (text, text, {"text": text}), f"{text!r} in title, description and payload", found)
        api.put(f"/tasks/{task['id']}", json={"title": text[::-1], "description": text}).expect(200)
        row = probe.row(task["id"]) or {}
        expect(row.get("title") == text[::-1], f"{text[::-1]!r} as the title", repr(row.get("title")))
    after = probe.count()
    expect(after == before + len(TEXTS), f"{len(TEXTS)} rows more", f"{after - before} more")


@check(points=0.3, read=HANDOUT)
def test_request_ids_are_data(api, probe):
    """A request id is kept as it is, too: it comes from outside like everything else.

    Which texts of a request never went through your validation of the body?
    """
    for given in ("a.b-c_d", "--", "0x1F", "..", "NULL", "x" * 128):
        task = api.post("/tasks", json={"title": "x"}, headers={"X-Request-ID": given}).expect(201).task
        row = probe.row(task["id"]) or {}
        expect(row.get("request_id") == given, f"request_id {given!r}", repr(row.get("request_id")))


@check(points=0.3, read=HANDOUT)
def test_parameters_stay_outside(api, probe):
    """SQL in an id or a query parameter finds nothing, changes nothing, and is refused.

    If `1 OR 1=1` reached your WHERE, what would it do there?
    """
    tasks.create(api)
    before = probe.count()
    for text in ("' OR '1'='1", "1 OR 1=1", "pending'; DELETE FROM tasks; --", "%", "_"):
        hostile = quote(text, safe="")
        for method, path, body in (
            ("GET", f"/tasks/{hostile}", None),
            ("DELETE", f"/tasks/{hostile}", None),
            ("PUT", f"/tasks/{hostile}", {"title": "x"}),
            ("GET", f"/tasks?status={hostile}", None),
            ("GET", f"/tasks?limit={hostile}", None),
            ("GET", f"/tasks?page={hostile}", None),
        ):
            api.request(method, path, json=body).expect_error(400, "invalid_request")
    expect(probe.count() == before, f"{before} rows, as before", f"{probe.count()} rows")
