"""The API as a process: it starts, answers, and stops when it is told to."""

import signal
import socket

from labkit.checks import check
from labkit.deadlines import wait_until
from labkit.evidence import CheckFailed, did, expect
from labkit.http import Client
from labkit.ports import accepts_connections
from labkit.project import ProjectError

HANDOUT = "lab-01-rest-api.md#start-and-stop"


@check(points=0.2, read=HANDOUT)
def test_starts(shared_stack):
    """The Procfile's `api` command starts a server on API_HOST:API_PORT.

    What does your process do between its first line and the moment it listens, and where does the port
    come from?
    """
    if isinstance(shared_stack, ProjectError):
        raise CheckFailed(shared_stack.expected, shared_stack.saw)


@check(points=0.15, read=HANDOUT)
def test_health(api):
    """`GET /health` says that the service is up.

    Who will ask this route every few seconds later in the course, and what do they need to hear?
    """
    answer = api.get("/health").expect(200)
    expect(
        isinstance(answer.data, dict) and answer.data.get("status") == "ok",
        '`"status": "ok"` in `data`',
        answer,
    )


@check(points=0.15, read=HANDOUT)
def test_says_its_name(api):
    """`GET /info` says which service this is, in which version and environment.

    How do you find out which version is running when three of them are deployed?
    """
    answer = api.get("/info").expect(200)
    expect(
        isinstance(answer.data, dict)
        and answer.data.get("name") == "flowforge"
        and bool(answer.data.get("version")),
        '`"name": "flowforge"` and a version in `data`',
        answer,
    )


@check(points=0.15, read=HANDOUT)
def test_info_names_the_environment(own_stack):
    """`GET /info` shows the ENVIRONMENT that the process was started with.

    What should differ between the build you test and the one that serves customers: the code, or what
    surrounds it?
    """
    with own_stack(ENVIRONMENT="staging-7") as stack:
        did("start `api` with ENVIRONMENT=staging-7")
        answer = stack.client.get("/info").expect(200)
        expect(
            isinstance(answer.data, dict) and answer.data.get("environment") == "staging-7",
            '`"environment": "staging-7"` in `data`',
            answer,
        )


@check(points=0.2, read=HANDOUT)
def test_sigterm_ends_it(own_stack):
    """On SIGTERM the API ends by itself, with exit status 0.

    It was asked to end, and that is no accident. How can whoever started it see that its end went well?
    """
    _ends_on(signal.SIGTERM, own_stack)


@check(points=0.15, read=HANDOUT)
def test_sigint_ends_it(own_stack):
    """On SIGINT, what Ctrl-C sends, the API ends by itself, with exit status 0.

    You press Ctrl-C in a terminal. Was that an error, and who would have to be told?
    """
    _ends_on(signal.SIGINT, own_stack)


@check(points=0.15, read=HANDOUT)
def test_idle_connection_does_not_delay_the_end(own_stack):
    """A client that merely keeps its connection open does not hold the API back from ending.

    Whom would you wait for if browsers, proxies and pools all kept their connections open?
    """
    with own_stack(SHUTDOWN_TIMEOUT="30s") as stack, Client(stack.service.url, None) as keeps_open:
        keeps_open.get("/health").expect(200)
        did("keep that connection open and idle")
        stack.service.send(signal.SIGTERM)
        code = stack.service.wait(within=5)
        expect(code == 0, "exit status 0 within 5 s, far less than SHUTDOWN_TIMEOUT=30s", _said(code))


@check(points=0.15, read=HANDOUT)
def test_refuses_connections_after_the_end(own_stack):
    """Once it was told to end, the API accepts no new connections.

    A load balancer tries the next instance when a connection is refused. What does it do with one that
    is accepted and dropped?
    """
    with own_stack() as stack:
        port = int(stack.service.settings["API_PORT"])
        stack.service.send(signal.SIGTERM)
        refused = wait_until(lambda: not accepts_connections(port), within=5)
        gone = " by somebody else: the process that we started has ended"
        expect(
            bool(refused),
            "new connections refused within 5 s",
            f"they are still accepted{'' if stack.service.exit_code is None else gone}",
        )
        stack.service.wait(within=5)
        with socket.socket() as probe:
            code = probe.connect_ex(("127.0.0.1", port))
        expect(code != 0, "nobody listening after the end", "something still listens on the port")


def _ends_on(number, own_stack):
    with own_stack() as stack:
        stack.client.get("/health").expect(200)
        stack.service.send(number)
        code = stack.service.wait(within=5)
        expect(code == 0, f"exit status 0 within 5 s of {number.name}", _said(code))


def _said(code):
    if code is None:
        return "it still runs, while our connection to it is open and idle"
    if code < 0:
        name = signal.Signals(-code).name
        return f"{name} itself killed it, before it could end by itself (a shell says {128 - code})"
    return f"exit status {code}"
