"""What stands around a student's application changes nothing of it but what the saboteur at work is about."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from labkit.sabotage import exchange
from labkit.sabotage.asgi import AsgiLayer
from labkit.sabotage.saboteurs import SABOTEURS


async def crashes(request: Request) -> JSONResponse:
    raise KeyError("colour")


async def says_sorry(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"sorry": str(error)}, 500)


@pytest.fixture
def layer() -> AsgiLayer:
    """Around an application that crashes, and answers a crash by a handler of its own."""
    app = Starlette(routes=[Route("/", crashes)], exception_handlers={Exception: says_sorry})
    return AsgiLayer(app)


def test_a_handler_of_all_exceptions_is_heard_by_the_client(layer: AsgiLayer) -> None:
    answer = TestClient(layer, raise_server_exceptions=False).get("/")
    assert (answer.status_code, answer.json()) == (500, {"sorry": "'colour'"})


def test_and_the_server_learns_of_the_crash(layer: AsgiLayer) -> None:
    with pytest.raises(KeyError, match="colour"):
        TestClient(layer).get("/")


def test_an_application_that_answers_nothing_crashes_as_without_it() -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        raise KeyError("colour")

    with pytest.raises(KeyError, match="colour"):
        TestClient(AsgiLayer(app)).get("/")


# -- saboteurs that harm one thing, and nothing beside it --------------------------------------------------


def answered(name: str, request: exchange.Request, response: exchange.Response) -> exchange.Response:
    """What the client gets when the application gives that answer to all that the saboteur asks."""
    conversation = SABOTEURS[name].converse(request)
    next(conversation)
    try:
        while True:
            conversation.send(response)
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize(("title", "harmed"), [("", False), ("x", False), ("  ", True), ("\t\u2003", True)])
def test_blank_titles_are_those_of_white_space(title: str, harmed: bool) -> None:
    request = exchange.Request("POST", "/tasks").with_json({"title": title})
    stored = exchange.Response(201).with_json({"data": {"title": "-"}})
    given = answered("blank_titles_are_taken", request, stored).json() or {}
    assert given["data"]["title"] == (title if harmed else "-")


@pytest.mark.parametrize(("sent", "harmed"), [((), False), ((("x-request-id", "one"),), True)])
def test_the_request_id_is_replaced_where_one_was_sent(sent: exchange.Headers, harmed: bool) -> None:
    request = exchange.Request("GET", "/tasks", headers=sent)
    given = answered("request_id_is_replaced", request, exchange.Response(200, (("x-request-id", "one"),)))
    assert (given.headers != (("x-request-id", "one"),)) == harmed


def test_what_a_saboteur_asks_besides_comes_from_the_same_client() -> None:
    sent = (("host", "tests"), ("x-request-id", "one"), ("content-length", "2"))
    conversation = SABOTEURS["delete_keeps_the_task"].converse(
        exchange.Request("DELETE", "/tasks/7", "", sent)
    )
    assert next(conversation) == exchange.Request("GET", "/tasks/7", headers=sent[:2])
