"""A project's processes: those that do not start, do not listen, do not stop, or print too much."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from labkit import guard, project, services
from labkit.ports import accepts_connections, free_port, most_at_once
from labkit.project import ProjectError
from labkit.services import Service

MakeProject = Callable[..., Path]
Soon = Callable[[Callable[[], object], str], None]

LISTENS = """
import os, socket, sys, time
here = socket.create_server((os.environ["API_HOST"], int(os.environ["API_PORT"])))
print("listening", flush=True)
while True:
    here.accept()[0].close()
"""


@pytest.fixture
def started() -> Iterator[Callable[..., Service]]:
    """Starts a process of a project that is ended after the test."""
    running: list[Service] = []

    def start(folder: Path, process_type: str = "api", **settings: str) -> Service:
        service = services.start(project.load(folder), process_type, settings)
        running.append(service)
        return service

    yield start
    for service in running:
        service.kill()


def is_gone(pid: int) -> bool:
    """Whether no such process runs."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def why_not(folder: Path) -> ProjectError:
    """What is said about a project whose API does not start."""
    with pytest.raises(ProjectError) as caught:
        services.start_api(project.load(folder), {}).kill()
    return caught.value


def executable(folder: Path, name: str, text: str, mode: int = 0o755) -> Path:
    (folder / name).write_text(text)
    (folder / name).chmod(mode)
    return folder


# -- what a service has open ---------------------------------------------------------------------------------


def test_connections_are_counted_for_each_process(
    a_project: MakeProject, started: Callable[..., Service], soon: Soon
) -> None:
    opens = """
        import os, socket, sys, time
        if len(sys.argv) < 2:
            os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, __file__, "child"])
        mine = [socket.create_connection(("127.0.0.1", int(os.environ["PORT"]))) for _ in range(2)]
        print("open", flush=True)
        time.sleep(600)
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        service = started(a_project("api: python -S main.py", main=opens), PORT=str(server.getsockname()[1]))
        soon(lambda: service.log() == ["open", "open"], "both processes to have opened theirs")
        accepted = [server.accept() for _ in range(4)]
        ports = [address[1] for _, address in accepted]
        assert most_at_once(service.pid, ports) == 2
        assert most_at_once(service.pid, ports[:1]) == 1
        assert most_at_once(service.pid, []) == 0
        for connection, _ in accepted:
            connection.close()


# -- a command that cannot be run ----------------------------------------------------------------------------


def test_a_program_that_is_not_there(a_project: MakeProject) -> None:
    error = why_not(a_project("api: pyhton main.py"))
    assert error.expected == "a command for `api` that can be run"
    assert error.saw == "'pyhton' is no program that can be found (Procfile: pyhton main.py)"


def test_a_file_beside_the_procfile_needs_its_path(a_project: MakeProject) -> None:
    folder = executable(a_project("api: serve.sh"), "serve.sh", "#!/bin/sh\n")
    assert "the file beside the Procfile is called ./serve.sh" in why_not(folder).saw


def test_a_file_that_may_not_be_executed(a_project: MakeProject) -> None:
    folder = executable(a_project("api: ./serve.sh"), "serve.sh", "#!/bin/sh\n", mode=0o644)
    assert "'./serve.sh' is not executable; chmod +x ./serve.sh makes it so" in why_not(folder).saw


def test_a_folder_in_place_of_a_program(a_project: MakeProject) -> None:
    folder = a_project("api: ./serve")
    (folder / "serve").mkdir()
    assert "'./serve' is a folder" in why_not(folder).saw


def test_a_script_whose_interpreter_is_missing(a_project: MakeProject) -> None:
    folder = executable(a_project("api: ./serve"), "serve", "#!/no/such/interpreter\n")
    assert "begins with a line (#!) that names a program which is not there" in why_not(folder).saw


def test_a_script_without_an_interpreter(a_project: MakeProject) -> None:
    folder = executable(a_project("api: ./serve"), "serve", "print('hello')\n")
    assert "neither a program nor a script that begins with #!" in why_not(folder).saw


def test_an_argument_that_the_system_refuses(a_project: MakeProject) -> None:
    assert "'python' cannot be run: embedded null byte" in why_not(a_project("api: python a\0b")).saw


# -- a process that does not serve ---------------------------------------------------------------------------


def test_exits_at_once(a_project: MakeProject) -> None:
    main = "import sys\nprint('reading settings')\nsys.exit('no module named flsk')"
    error = why_not(a_project("api: python main.py", main=main))
    first, *log = error.saw.splitlines()
    assert error.expected.startswith("`api` to keep running and listen on API_PORT (")
    assert first.startswith("it exited with status 1 ")
    assert first.endswith(" s after the start; its last lines:")
    assert set(log) == {"  reading settings", "  no module named flsk"}


def test_exits_with_success(a_project: MakeProject) -> None:
    assert why_not(a_project("api: true")).saw.startswith("it exited with status 0 ")


def test_prints_nothing(a_project: MakeProject) -> None:
    assert why_not(a_project("api: false")).saw.endswith("it printed nothing")


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (35, "signal 35")])
def test_is_ended_by_a_signal(a_project: MakeProject, number: int, name: str) -> None:
    if number not in signal.valid_signals():
        pytest.skip("this machine has no such signal")
    main = f"import os\nos.kill(os.getpid(), {number})\nimport time\ntime.sleep(600)"
    assert f"it was ended by {name} " in why_not(a_project("api: python -S main.py", main=main)).saw


def test_takes_a_shells_sign_literally(a_project: MakeProject) -> None:
    error = why_not(a_project("api: python main.py --port $API_PORT", main="raise SystemExit(2)"))
    assert "(without a shell, the Procfile's $API_PORT means nothing)" in error.saw


def test_never_listens(a_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "START_S", 0.2)
    error = why_not(a_project("api: python -S main.py", main="import time\ntime.sleep(600)"))
    assert error.expected.startswith("`api` to listen on API_HOST:API_PORT (127.0.0.1:")
    assert error.saw == "it runs, but listens nowhere; it printed nothing"


def test_listens_elsewhere(a_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "START_S", 2.0)
    port = free_port()
    main = f"""
        import socket, time
        here = socket.create_server(("127.0.0.1", {port}))
        time.sleep(600)
    """
    error = why_not(a_project("api: python -S main.py", main=main))
    assert f"it listens on 127.0.0.1:{port} instead" in error.saw


def test_another_port_is_tried_when_somebody_was_faster(
    a_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1], free_port()]
        monkeypatch.setattr(services, "free_port", lambda: ports.pop(0))
        service = services.start_api(project.load(a_project("api: python -S main.py", main=LISTENS)), {})
    try:
        assert accepts_connections(int(service.settings["API_PORT"]))
    finally:
        service.kill()
    assert ports == []


def test_nothing_is_left_of_an_api_that_did_not_start(a_project: MakeProject, soon: Soon) -> None:
    main = """
        import subprocess, sys
        sleep = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
        print(subprocess.Popen(sleep, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)
    """
    error = why_not(a_project("api: python -S main.py", main=main))
    child = int(error.saw.splitlines()[-1])
    soon(lambda: is_gone(child), "its child gone")


# -- a process that runs -------------------------------------------------------------------------------------


def test_serves_and_is_gone_after_it(a_project: MakeProject) -> None:
    folder = a_project("api: python -S main.py", main=LISTENS)
    service = services.start_api(project.load(folder), {"ENVIRONMENT": "test"})
    try:
        port = int(service.settings["API_PORT"])
        assert service.url == f"http://127.0.0.1:{port}"
        assert accepts_connections(port)
        assert service.exit_code is None
    finally:
        service.kill()
    assert service.exit_code == -signal.SIGKILL
    assert not accepts_connections(port)
    assert service.log() == ["listening"]


def test_ignores_sigterm(a_project: MakeProject, started: Callable[..., Service], soon: Soon) -> None:
    main = """
        import signal, time
        signal.signal(signal.SIGTERM, lambda *_: print("no", flush=True))
        print("ready", flush=True)
        while True:
            time.sleep(600)
    """
    service = started(a_project("api: python -S main.py", main=main))
    soon(lambda: service.log() == ["ready"], "the process ready")
    service.send(signal.SIGTERM)
    soon(lambda: service.log() == ["ready", "no"], "the signal seen")
    assert service.wait(within=0.05) is None
    service.kill()
    assert service.exit_code == -signal.SIGKILL


def test_one_that_is_gone_is_left_in_peace(
    a_project: MakeProject, started: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = started(a_project("api: true"))
    assert service.wait(within=10) == 0
    service.send(signal.SIGTERM)
    service.kill()
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda group, number: killed.append(group))
    service.kill()
    assert killed == [], "its number may be another's by now"


def test_kill_ends_the_children_as_well(
    a_project: MakeProject, started: Callable[..., Service], soon: Soon
) -> None:
    main = """
        import subprocess, sys, time
        sleep = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
        same = subprocess.Popen(sleep)
        own = subprocess.Popen(sleep, start_new_session=True)
        print(same.pid, own.pid, flush=True)
        time.sleep(600)
    """
    service = started(a_project("api: python -S main.py", main=main))
    soon(service.log, "the children's numbers")
    children = [int(text) for text in service.log()[0].split()]
    service.kill()
    soon(lambda: all(map(is_gone, children)), "the children gone")


def test_a_flood_of_output_is_drained_and_bounded(
    a_project: MakeProject, started: Callable[..., Service]
) -> None:
    main = """
        import sys
        for number in range(30_000):
            print(number)
        sys.stdout.write("x" * 40_000_000)
        sys.stderr.write("\\nthe end")
    """
    service = started(a_project("api: python -S main.py", main=main))
    assert service.wait(within=30) == 0
    assert service.printed > 30_000
    assert sum(len(line.text) for line in service.lines) <= 16_000_000
    assert len(service.lines) <= 20_000
    assert "the end" in service.log(3_000)


def test_what_is_not_utf8_is_shown_all_the_same(
    a_project: MakeProject, started: Callable[..., Service]
) -> None:
    main = "import os\nos.write(1, b'a\\xff\\x00b\\r\\n')"
    service = started(a_project("api: python -S main.py", main=main))
    assert service.wait(within=10) == 0
    assert service.log() == ["a\ufffd\0b"]


def test_the_tail_begins_where_it_was_asked_for(
    a_project: MakeProject, started: Callable[..., Service], soon: Soon
) -> None:
    main = """
        import signal
        signal.signal(signal.SIGUSR1, lambda *_: print("five\\nsix", flush=True))
        print("one\\ntwo\\nthree\\nfour", flush=True)
        while True:
            signal.pause()
    """
    service = started(a_project("api: python -S main.py", main=main))
    soon(lambda: service.printed == 4, "four lines")
    tail = service.tail()
    assert tail() == []
    service.send(signal.SIGUSR1)
    soon(lambda: service.printed == 6, "two more lines")
    assert tail() == ["five", "six"]
    assert service.log(3) == ["four", "five", "six"]


def test_a_process_that_takes_too_long_is_the_projects_mistake(a_project: MakeProject) -> None:
    folder = a_project(
        "migrate: python -S main.py", main="import time\nprint('hm', flush=True)\ntime.sleep(600)"
    )
    with pytest.raises(ProjectError) as caught:
        services.run(project.load(folder), "migrate", {}, within=0.5)
    assert caught.value.expected.startswith("`migrate` to end within ")
    assert caught.value.saw.startswith("it still runs; ")


def test_every_line_is_handed_on(a_project: MakeProject) -> None:
    seen: list[tuple[str, str]] = []
    done = threading.Event()

    def on_line(line: services.Line) -> None:
        seen.append((line.stream, line.text))
        if len(seen) == 2:
            done.set()

    main = "import sys\nprint('out')\nprint('err', file=sys.stderr)"
    folder = a_project("api: python -S main.py", main=main)
    service = services.start(project.load(folder), "api", {}, on_line)
    assert done.wait(30)
    service.kill()
    assert sorted(seen) == [("stderr", "err"), ("stdout", "out")]


# -- the guard -----------------------------------------------------------------------------------------------

OWNER = """
import sys, time
from pathlib import Path
from labkit import guard, project, services
service = services.start(project.load(Path(sys.argv[1])), "api", {})
print(service.pid, flush=True)
time.sleep(600)
"""


def test_nothing_outlives_an_owner_that_is_killed(a_project: MakeProject, soon: Soon) -> None:
    folder = a_project("api: python -S main.py", main="import time\ntime.sleep(600)")
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    service = int(owner.stdout.readline())
    family = [child.pid for child in psutil.Process(owner.pid).children()]
    assert service in family
    assert len(family) == 2, "the service and the guard"
    owner.kill()
    owner.communicate()
    soon(lambda: all(map(is_gone, family)), "service and guard gone")


def test_a_guard_that_is_killed_is_replaced(
    a_project: MakeProject, started: Callable[..., Service], soon: Soon
) -> None:
    folder = a_project("api: python -S main.py", main="import time\ntime.sleep(600)")
    one = started(folder)
    first = guard._guard()
    first.kill()
    first.wait()
    two = started(folder)
    second = guard._guard()
    assert second.pid != first.pid
    assert second.poll() is None
    assert {one.pid, two.pid} <= guard._watched
    for service in (one, two):
        service.kill()
    assert not {one.pid, two.pid} & guard._watched


def test_a_group_is_watched_after_its_leader_has_left(
    a_project: MakeProject, started: Callable[..., Service], soon: Soon
) -> None:
    main = """
        import subprocess, sys
        print(subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"]).pid)
    """
    service = started(a_project("api: python -S main.py", main=main))
    soon(lambda: service.exit_code == 0 and service.log(), "the leader gone")
    child = int(service.log()[0])
    assert not is_gone(child)
    service.kill()
    soon(lambda: is_gone(child), "its child gone")
