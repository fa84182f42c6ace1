"""Methods, media types and sizes: what is refused before anybody looks at the content, and in which order."""

from labkit import tasks
from labkit.checks import check
from labkit.evidence import expect

HANDOUT = "lab-01-rest-api.md#methods-and-media-types"
LIMIT = 65_536


def body_of(size: int, title: bytes = b"x") -> bytes:
    """A valid task of exactly `size` bytes, filled up with white space between its tokens."""
    head, tail = b'{"title": "' + title + b'"', b"}"
    return head + b" " * (size - len(head) - len(tail)) + tail


@check(points=0.2, read=HANDOUT)
def test_wrong_methods_are_405(api):
    """A method that a path does not declare is answered with 405, not with 404 and not with 501.

    What does a client learn from a 405 that a 404 would hide?
    """
    for method, path in _undeclared(api):
        api.request(method, path).expect_error(405, "method_not_allowed", f"for {method} {path}")


@check(points=0.2, read=HANDOUT)
def test_allow_names_all_methods(api):
    """A 405 comes with `Allow`, naming every method that the path has.

    How can a client find out what it may do here, without reading your documentation?
    """
    for path, declared in _paths(api).items():
        method = "PATCH"
        answer = api.request(method, path).expect(405)
        allowed = {name.strip().upper() for name in answer.headers.get("allow", "").split(",")}
        expect(
            declared <= allowed,
            f"`Allow: {', '.join(sorted(declared))}` for {path}",
            f"Allow: {answer.headers['allow']}" if "allow" in answer.headers else "no Allow header",
        )


@check(points=0.2, read=HANDOUT)
def test_other_media_types_are_415(api):
    """A body that is not declared as `application/json` is answered with 415.

    The bytes look like JSON. Is that enough to treat them as JSON?
    """
    path = f"/tasks/{tasks.create(api)['id']}"
    for content_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "text/json",
        "application/json-patch+json",
        None,
    ):
        for method, target in (("POST", "/tasks"), ("PUT", path)):
            api.request(method, target, body=b'{"title": "x"}', content_type=content_type).expect_error(
                415, "unsupported_media_type", f"for Content-Type {content_type or 'left out'}"
            )


@check(points=0.15, read=HANDOUT)
def test_media_type_parameters_are_fine(api):
    """`application/json; charset=utf-8` is JSON, too, in capitals as well.

    What comes after the semicolon in a Content-Type, and do you have to care?
    """
    for content_type in (
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
    ):
        api.post("/tasks", body=b'{"title": "x"}', content_type=content_type).expect(
            201, f"for {content_type}"
        )


@check(points=0.15, read=HANDOUT)
def test_no_body_at_all(api):
    """A POST without a body is answered with 415 if it declares no media type, and with 400 if it
    declares JSON.

    Nothing was sent: is that the wrong type of content, or wrong content?
    """
    api.post("/tasks").expect_error(415, "unsupported_media_type", "without body and Content-Type")
    api.post("/tasks", headers={"Content-Type": "application/json"}).expect_error(
        400, "invalid_request", "without a body"
    )


@check(points=0.2, read=HANDOUT)
def test_large_bodies_are_413(api):
    """A body of more than 65,536 bytes is answered with 413; one of exactly that size is read.

    When do you know how large a body is: before you read it, while you read it, or after?
    """
    path = f"/tasks/{tasks.create(api)['id']}"
    for method, target, status in (("POST", "/tasks", 201), ("PUT", path, 200)):
        api.request(method, target, body=body_of(LIMIT)).expect(status, "for a body of exactly 65,536 bytes")
        api.request(method, target, body=body_of(LIMIT + 1)).expect_error(
            413, "payload_too_large", "for a body of 65,537 bytes"
        )


@check(points=0.15, read=HANDOUT)
def test_large_bodies_without_length_are_413(api):
    """A body that is sent in chunks, without a Content-Length, has the same limit.

    Who tells you the size of a body that does not say it itself?
    """
    api.stream(
        "POST", "/tasks", (body_of(LIMIT + 1)[i : i + 8192] for i in range(0, LIMIT + 1, 8192))
    ).expect_error(413, "payload_too_large", "for 65,537 bytes in chunks")
    api.stream("POST", "/tasks", [body_of(LIMIT)]).expect(
        201, "for 65,536 bytes, sent without a Content-Length"
    )


@check(points=0.2, read=HANDOUT)
def test_order_of_the_answers(api):
    """When several things are wrong, the first in this order answers: path, method, size, media type,
    validity, existence.

    Why does this order make sense? What does each step cost you, and what does it spare you?
    """
    big = body_of(LIMIT + 1)
    api.post("/nowhere", body=big, content_type="text/plain").expect_error(404, "not_found", "for the path")
    api.request("PATCH", "/tasks", body=big, content_type="text/plain").expect_error(
        405, "method_not_allowed", "for the method, before the size"
    )
    api.post("/tasks", body=big, content_type="text/plain").expect_error(
        413, "payload_too_large", "for the size, before the media type"
    )
    api.post("/tasks", body=b"{", content_type="text/plain").expect_error(
        415, "unsupported_media_type", "for the media type, before the validity"
    )
    api.put("/tasks/7", body=b"x", content_type="text/plain").expect_error(
        415, "unsupported_media_type", "for the media type, before the validity of the id"
    )
    api.put(f"/tasks/{tasks.nobody()}", json={"title": ""}).expect_error(
        400, "invalid_request", "for the validity, before the existence"
    )


def _paths(api):
    """Every path of the contract, with an id where one is needed, and its declared methods."""
    return {path.replace("{id}", tasks.nobody()): declared for path, declared in api.contract.paths().items()}


def _undeclared(api):
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE")
    return [(m, path) for path, declared in _paths(api).items() for m in methods if m not in declared]
