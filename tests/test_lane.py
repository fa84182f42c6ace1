"""A student's tests under control: every way in which they can go, and every way to drive an application."""

import resource
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from labkit import project
from labkit.evidence import CheckFailed
from labkit.suite import coverage_report, lane, measure, plugin
from labkit.suite.lane import Lane

APPLICATION = """
import json

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = (await receive()).get("body", b"")
    answer = json.dumps({"data": {"id": "1", "got": body.decode()}, "error": None}).encode()
    status = 201 if scope["method"] == "POST" else 200
    headers = [(b"location", b"/tasks/1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer[:5], "more_body": True})
    await send({"type": "http.response.body", "body": answer[5:], "more_body": False})

def wsgi(environ, start_response):
    status = "201 Created" if environ["REQUEST_METHOD"] == "POST" else "200 OK"
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response(status, [("Location", "/tasks/1"), ("Content-Type", "application/json")])
    return [json.dumps({"data": {"id": "1", "got": body.decode()}, "error": None}).encode()]

def never_called():  # pragma: no cover
    first = 1
    return first
"""
WITHIN_S = 20.0

Open = Callable[..., AbstractContextManager[Lane]]


@pytest.fixture
def suite(tmp_path: Path) -> Open:
    """Opens a lane for a project with these tests: `suite(tests, command, ini, coverage, target)`."""

    @contextmanager
    def opened(
        tests: str,
        command: str = "pytest",
        ini: str = "",
        coverage: Path | None = None,
        target: measure.Target | None = None,
    ) -> Iterator[Lane]:
        files = {"Procfile": f"test: {command}", "api_service.py": APPLICATION, "test_it.py": tests}
        files["pytest.ini"] = f"[pytest]\npythonpath = .\n{ini}"
        for name, text in files.items():
            (tmp_path / name).write_text(textwrap.dedent(text), encoding="utf-8")
        measured = (target or measure.target(tmp_path)).written(coverage) if coverage else None
        nobody = "postgresql://nobody@127.0.0.1:1/"
        over = threading.Event()
        with lane.opened(project.load(tmp_path), over, database_url=nobody, coverage=measured) as the:
            yield the

    return opened


def test_every_outcome_is_told(suite: Open) -> None:
    tests = """
        import pytest

        @pytest.fixture
        def broken(): raise RuntimeError("no")

        @pytest.fixture
        def broken_afterwards():
            yield
            raise RuntimeError("no")

        def test_good(): ...
        def test_bad(): assert 1 == 2
        def test_broken_before(broken): ...
        def test_broken_after(broken_afterwards): ...
        def test_left_out(): pytest.skip("no time")

        @pytest.mark.xfail
        def test_announced(): assert 0
    """
    with suite(tests) as the:
        run = the.run(within=WITHIN_S)
    assert {ran.test.rpartition("::test_")[2]: ran.outcome for ran in run.ran} == {
        "good": "passed",
        "bad": "failed",
        "broken_before": "error",
        "broken_after": "error",
        "left_out": "skipped",
        "announced": "expected",
    }
    assert not run.green
    assert "1 == 2" in lane.told(run)


def test_nothing_of_one_job_is_there_in_the_next(suite: Open) -> None:
    tests = """
        seen = []
        def test_a(): seen.append(1); assert seen == [1]
    """
    with suite(tests) as the:
        assert [the.run(within=WITHIN_S).passed for _ in range(3)] == [["test_it.py::test_a"]] * 3


def test_order_is_drawn(suite: Open) -> None:
    tests = "\n".join(f"def test_{letter}(): ..." for letter in "abcdefgh")
    with suite(tests) as the:
        orders = [[ran.test for ran in the.run(within=WITHIN_S, seed=seed).ran] for seed in (None, 1, 2, 1)]
    own, first, second, first_again = orders
    assert own == sorted(own) == sorted(first) == sorted(second)
    assert len({tuple(order) for order in orders}) == 3
    assert first == first_again


DRIVERS = {
    "TestClient": """
        from starlette.testclient import TestClient
        from api_service import app
        client = TestClient(app)  # made while collecting, as most are
        def status(): return client.post("/tasks", content="x").status_code
    """,
    "ASGITransport": """
        import asyncio, httpx
        from api_service import app
        async def post():
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
                return (await client.post("/tasks", content="x")).status_code
        def status(): return asyncio.run(post())
    """,
    "werkzeug": """
        from werkzeug.test import Client
        from api_service import wsgi
        def status(): return Client(wsgi).post("/tasks", data="x").status_code
    """,
    "WSGITransport": """
        import httpx
        from api_service import wsgi
        def status():
            with httpx.Client(transport=httpx.WSGITransport(app=wsgi), base_url="http://t") as client:
                return client.post("/tasks", content="x").status_code
    """,
    "uvicorn in a thread": """
        import threading, time, httpx, uvicorn
        from api_service import app
        def status():
            server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                while not server.started: time.sleep(0.01)
                port = server.servers[0].sockets[0].getsockname()[1]
                return httpx.post(f"http://127.0.0.1:{port}/tasks", content="x").status_code
            finally:
                server.should_exit = True
                thread.join()
    """,
    "uvicorn in a process": """
        import subprocess, sys, time, httpx
        SERVE = "import uvicorn; uvicorn.run('api_service:app', port=0, lifespan='off')"
        def status():
            server = subprocess.Popen([sys.executable, "-c", SERVE], stderr=subprocess.PIPE, text=True)
            try:
                line = next(line for line in server.stderr if "running on" in line)
                url = line.split("running on ")[1].split()[0]
                return httpx.post(f"{url}/tasks", content="x").status_code
            finally:
                server.terminate()
                server.wait()
    """,
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_saboteur_sits_in_every_driver(suite: Open, driver: str) -> None:
    tests = textwrap.dedent(DRIVERS[driver]) + "\ndef test_status(): assert status() == 201\n"
    with suite(tests) as the:
        healthy, sabotaged, again = (
            the.run(within=WITHIN_S, saboteur=saboteur) for saboteur in (None, "created_answers_200", None)
        )
    assert healthy.green, lane.told(healthy)
    assert again.green
    assert [ran.outcome for ran in sabotaged.ran] == ["failed"]
    assert "200 == 201" in sabotaged.ran[0].message
    assert ("POST", "tasks", 201) in [tuple(e) for e in [*healthy.ran[0].exchanges, *healthy.elsewhere]]


def test_layer_changes_nothing_by_itself(suite: Open) -> None:
    tests = """
        from starlette.testclient import TestClient
        from api_service import app
        def test_all_of_it():
            client = TestClient(app)
            client.app.anything = 1
            answer = client.post("/tasks?a=%20b&a=c", content="x" * 100_000)
            assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
            assert len(answer.json()["data"]["got"]) == 100_000
    """
    with suite(tests) as the:
        run = the.run(within=WITHIN_S)
    assert run.green, lane.told(run)


def test_exchanges_of_a_shared_fixture_belong_to_all_its_tests(suite: Open) -> None:
    tests = """
        import pytest
        from starlette.testclient import TestClient
        from api_service import app

        @pytest.fixture(scope="module")
        def made(): return TestClient(app).post("/tasks", content="x")

        def test_first(made): assert made.status_code
        def test_second(made): assert made.status_code
    """
    with suite(tests) as the:
        run = the.run(within=WITHIN_S)
    assert {name: [tuple(e) for e in found] for name, found in run.fixtures.items()} == {
        "made": [("POST", "tasks", 201)]
    }
    assert all("made" in ran.fixtures and not ran.exchanges for ran in run.ran)


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("import time; time.sleep(600)", "late"),
        ("import os; os._exit(0)", "died"),
        ("import os; os.abort()", "died"),
    ],
)
def test_job_that_does_not_end_well_is_not_the_end(suite: Open, body: str, how: str) -> None:
    with suite(f"def test_a(): {body}\ndef test_b(): ...") as the:
        run = the.run(within=1.0)
        after = the.run(["test_it.py::test_b"], within=WITHIN_S)
    assert run.how == how
    assert not run.green
    assert after.green


def test_threads_that_a_fork_would_lack_cost_a_process_for_each_job(suite: Open) -> None:
    tests = """
        import queue, threading
        asked, answered = queue.Queue(), queue.Queue()
        def serve():
            while True: answered.put(asked.get() + 1)
        threading.Thread(target=serve, daemon=True).start()
        def test_a():
            asked.put(1)
            assert answered.get(timeout=5) == 2
    """
    with suite(tests) as the:
        assert the.collected.threads
        assert [the.run(within=WITHIN_S).green for _ in range(3)] == [True] * 3


@pytest.mark.parametrize(
    "ini", ["addopts = -n 2", "addopts = --cov=api_service -x", "addopts = --random-order"]
)
def test_options_of_their_own_do_no_harm(suite: Open, ini: str) -> None:
    with suite("def test_a(): assert 0\ndef test_b(): ...", ini=ini) as the:
        run = the.run(within=WITHIN_S)
    assert sorted(ran.outcome for ran in run.ran) == ["failed", "passed"]


@pytest.mark.parametrize("command", ["python -c 0", "true", "python -m unittest"])
def test_command_that_starts_no_pytest_is_told(suite: Open, command: str) -> None:
    with pytest.raises(CheckFailed) as failed, suite("def test_a(): ...", command=command):
        pass
    assert "start pytest" in failed.value.expected
    assert "it exited with status" in failed.value.saw


def test_file_that_cannot_be_loaded_is_told(suite: Open) -> None:
    with suite("import api_servise\ndef test_a(): ...") as the:
        assert the.collected.tests == []
        assert "api_servise" in the.collected.errors[0]


def test_coverage_is_ours_to_measure(suite: Open, tmp_path: Path) -> None:
    (tmp_path / ".coveragerc").write_text("[run]\nomit = *\n[report]\nexclude_lines = .*\n")
    figures = tmp_path / "figures" / "of"
    figures.parent.mkdir()
    tests = """
        from starlette.testclient import TestClient
        from api_service import app
        def test_a(): assert TestClient(app).get("/").status_code == 200
    """
    with suite(tests, coverage=figures) as the:
        the.run(within=WITHIN_S)  # not measured
        the.run(within=WITHIN_S, measure=True)
        coverage = coverage_report.read(measure.target(tmp_path), figures)
    assert 60 < coverage.percent < 80
    uncovered = {function.name: (function.missing, function.statements) for function in coverage.functions}
    assert uncovered["never_called"] == (2, 2)
    assert "wsgi" in uncovered


def test_coverage_of_an_api_by_another_name(suite: Open, tmp_path: Path) -> None:
    """What its command loads counts, imported by a test or not; what else is in the project does not."""
    (tmp_path / "shop").mkdir()
    files = {
        "__main__": "from shop import used, unused",
        "used": "A = 1",
        "unused": "A = 1",
        "worker": "A = 1",
    }
    for name, text in files.items():
        (tmp_path / "shop" / f"{name}.py").write_text(text)
    target = measure.target(tmp_path, ["python", "-m", "shop"])
    figures = tmp_path / "figures" / "of"
    figures.parent.mkdir()
    with suite("from shop import used, worker\ndef test_a(): ...", target=target, coverage=figures) as the:
        the.run(within=WITHIN_S, measure=True)
    coverage = coverage_report.read(target, figures)
    assert (round(coverage.percent), coverage.statements) == (33, 3)
    assert [str(function).split("/")[-1] for function in coverage.functions] == [
        "__main__.py never imported",
        "unused.py never imported",
    ]


def test_a_job_ends_as_a_session_does_and_sums_up_nothing(suite: Open, tmp_path: Path) -> None:
    """Summaries are for people, and make some plugins load whole libraries, again in each fork."""
    (tmp_path / "conftest.py").write_text(
        "def pytest_sessionfinish(): open('ended', 'a').write('x')\n"
        "def pytest_terminal_summary(): open('summed_up', 'a').write('x')\n"
    )
    with suite("def test_a(): ...") as the:
        assert the.run(within=WITHIN_S).green
        assert the.run(within=WITHIN_S).green
        assert (tmp_path / "ended").read_text() == "xx"
        assert not (tmp_path / "summed_up").exists()


def test_only_the_tests_assertions_are_rewritten(suite: Open, tmp_path: Path) -> None:
    """Those of libraries take half of the time of a start."""
    (tmp_path / "conftest.py").write_text("import pytest\npytest.register_assert_rewrite('ours')\n")
    (tmp_path / "ours.py").write_text("def check(number):\n    assert number == 2\n")
    tests = """
        import anyio, ours, xdist
        def test_ours(): ours.check(1)
        def test_theirs():
            assert "@pytest_ar" in dir(ours)
            assert "@pytest_ar" not in dir(anyio)
            assert "@pytest_ar" not in dir(xdist)
    """
    with suite(tests) as the:
        run = the.run(within=WITHIN_S)
    assert [ran.outcome for ran in run.ran] == ["failed", "passed"], lane.told(run)
    assert "1 == 2" in run.red[0].message


def test_no_depth_of_calls_is_slow() -> None:
    """CPython maps and unmaps memory in each call that crosses the end of a block of its stack: 200 times in
    some of these places, were there no room."""

    def leaf() -> None: ...

    leaf.__code__ = leaf.__code__.replace(co_stacksize=50)  # as large as what stands around it

    def mapped(depth: int) -> int:
        if depth:
            return mapped(depth - 1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(200):
            leaf()
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    assert plugin.with_room(lambda: max(map(mapped, range(400)))) < 100
