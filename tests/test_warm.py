"""Programs that start warm: nothing that a check looks at is different, only the time that it takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from labkit import project, pytest_plugin, services
from labkit.deadlines import wait_until
from labkit.proof import warm
from labkit.services import Service

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="warm starts take Linux")

TELLS = """
import json, os, signal, sys
told = {
    "name": __name__, "argv": sys.argv, "path": sys.path[0], "cwd": os.getcwd(), "pid": os.getpid(),
    "leader": os.getpid() == os.getpgid(0) == os.getsid(0), "environment": dict(os.environ),
    "stdin": sys.stdin.read(), "files": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
    "signals": [signal.getsignal(s) is h for s, h in
                ((signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler))],
    "buffered": not sys.stdout.write_through, "encoding": sys.stdout.encoding,
}
print(json.dumps(told))
print("on stderr", file=sys.stderr)
sys.exit(int(os.environ.get("CODE", 0)))
"""


@pytest.fixture(scope="module")
def warmth() -> Iterator[dict[str, str]]:
    with warm.warmed() as variables:
        assert variables
        yield variables


@pytest.fixture
def launch(warmth: dict[str, str], monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> list[str]:
    """From now on services start warm; the list holds what was started otherwise."""
    otherwise: list[str] = []
    cold = services._launch

    def noted(command: list[str], folder: Path, environment: dict[str, str]) -> services.Process:
        otherwise.append(command[0])
        return cold(command, folder, environment)

    monkeypatch.setattr(services, "launch", noted)
    pytest_plugin._hear_signals()  # as in every run of the checks, also one that is started in the background
    monkeypatch.setenv(warm.SOCKET, warmth[warm.SOCKET])
    warm.pytest_configure(pytestconfig)
    return otherwise


def run(folder: Path, command: str, **settings: str) -> Service:
    return services.run(project.Project(folder, {"api": command}), "api", settings, 20)


def comes_to(pid: int, status: str) -> bool:
    """Whether a process has that status soon, or is gone."""

    def has_it() -> bool:
        try:
            return psutil.Process(pid).status() == status
        except psutil.NoSuchProcess:
            return True

    return bool(wait_until(has_it, 5))


def told(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(line.text for line in service.lines if line.stream == "stdout"))
    return found


@pytest.mark.parametrize("command", ["python tells.py a 'b c'", "python -m package a 'b c'"])
def test_a_program_cannot_tell(tmp_path: Path, launch: list[str], command: str) -> None:
    (tmp_path / "tells.py").write_text(TELLS)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "__main__.py").write_text(TELLS)
    service = run(tmp_path, command, CODE="7", OWN="ä")
    assert service.exit_code == 7
    assert not launch
    saw = told(service)
    cold = told(run(tmp_path, command.replace("python", "python3"), CODE="7", OWN="ä"))
    assert launch == ["python3"]
    assert saw["pid"] == service.pid
    assert saw["environment"]["OWN"] == "ä"
    for one in (saw, cold):
        del one["pid"], one["environment"]["LAB_RUN"]
        one["environment"].pop("LC_CTYPE", None)
    assert saw == cold
    assert [line.text for line in service.lines if line.stream == "stderr"] == ["on stderr"]


def test_each_program_has_imports_of_its_own(tmp_path: Path, launch: list[str]) -> None:
    for name, text in (("one", "here = 1"), ("two", "here = 2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.py").write_text(text)
        (tmp_path / name / "main.py").write_text("import own, sys\nsys.exit(own.here)")
    assert [run(tmp_path / name, "python main.py").exit_code for name in ("one", "two", "one")] == [1, 2, 1]
    assert not launch


def test_an_error_ends_as_it_does_elsewhere(tmp_path: Path, launch: list[str]) -> None:
    (tmp_path / "main.py").write_text("import atexit\natexit.register(print, 'bye')\nraise ValueError('no')")
    service = run(tmp_path, "python main.py")
    assert service.exit_code == 1
    assert service.log(50)[-1] in ("ValueError: no", "bye")
    assert "bye" in service.log(50)
    assert not launch


def test_signals_reach_it_and_it_stays_there_until_somebody_asks(tmp_path: Path, launch: list[str]) -> None:
    (tmp_path / "main.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(600)")
    with services.running(project.Project(tmp_path, {"api": "python main.py"}), "api", {}) as service:
        while not service.printed:
            time.sleep(0.01)
        assert service.exit_code is None
        service.send(signal.SIGSTOP)
        assert comes_to(service.pid, psutil.STATUS_STOPPED)
        service.send(signal.SIGCONT)
        os.kill(service.pid, signal.SIGTERM)
        assert comes_to(service.pid, psutil.STATUS_ZOMBIE)
        time.sleep(0.1)
        assert psutil.pid_exists(service.pid)
        assert service.wait(5) == -signal.SIGTERM
        assert comes_to(service.pid, "gone")
    assert not launch


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("python -c 'print(1)'", {}),
        ("python -u main.py", {}),
        ("python3 main.py", {}),
        ("./main.py", {}),
        ("python main.py", {"PYTHONUTF8": "0"}),
        ("python main.py", {"TZ": "Asia/Tokyo"}),
        ("python main.py", {"LANG": "C"}),
    ],
)
def test_whatever_might_differ_starts_as_everybody_does(
    tmp_path: Path, launch: list[str], command: str, settings: dict[str, str]
) -> None:
    (tmp_path / "main.py").write_text("#!/usr/bin/env python\nprint(1)")
    (tmp_path / "main.py").chmod(0o755)
    assert run(tmp_path, command, **settings).exit_code == 0
    assert launch == [command.split()[0]]


def test_who_ends_takes_along_what_was_forked(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import time\ntime.sleep(600)")
    with warm.warmed() as variables:
        program = warm._program(["python", "main.py"], tmp_path, project.environment({}))
        assert program
        process = warm.Warm(variables[warm.SOCKET], program)
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
    assert process.wait(5) == -signal.SIGKILL
    assert comes_to(process.pid, psutil.STATUS_ZOMBIE)  # unless who inherits it has taken notice
    process.stdout.close()
    process.stderr.close()


def test_it_can_be_ended_as_soon_as_its_number_is_known(tmp_path: Path, warmth: dict[str, str]) -> None:
    (tmp_path / "main.py").write_text("import time\ntime.sleep(600)")
    program = warm._program(["python", "main.py"], tmp_path, project.environment({}))
    assert program
    for number in [signal.SIGKILL, signal.SIGTERM] * 30:
        process = warm.Warm(warmth[warm.SOCKET], program)
        with process.stdout, process.stderr:
            os.killpg(process.pid, number)
            assert process.wait(5) == -number


def test_runs_of_the_checks_use_it(tmp_path: Path) -> None:
    """An environment alone changes nothing; the plugin does, and only where that variable is set."""
    command = [sys.executable, "-m", "pytest", "--version", *warm.OPTIONS]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
