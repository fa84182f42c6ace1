"""What students are given holds together: links, anchors, marks in the starter, and a starter that starts."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import yaml

from labkit import project

ROOT = Path(__file__).parent.parent
COURSE = tomllib.loads((ROOT / "labs" / "course.toml").read_text(encoding="utf-8"))

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[^)]*)?\)|^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?\s*$", re.MULTILINE)
HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
TODO = re.compile(r"TODO (lab0[1-5])(?:#([a-z-]+))?: \S")


def documents(*folders: str) -> list[str]:
    """The Markdown files in these folders (or these files), as paths from the repository's root."""
    found = [path for folder in folders for path in [ROOT / folder, *(ROOT / folder).rglob("*.md")]]
    return sorted(str(path.relative_to(ROOT)) for path in found if path.is_file())


def anchors(markdown: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    seen: Counter[str] = Counter()
    result = set()
    for heading in HEADING.findall(FENCE.sub("", markdown)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        result.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return result


def dead_links(document: Path, root: Path) -> list[str]:
    """The relative links of `document` that lead nowhere, or out of the repository at `root`."""
    text = INLINE_CODE.sub("", FENCE.sub("", document.read_text(encoding="utf-8")))
    dead = []
    for link in (inline or reference for inline, reference in LINK.findall(text)):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        target = Path(os.path.normpath(document.parent / path)) if path else document
        inside = target.is_relative_to(root)
        if not inside or not target.exists():
            dead.append(f"{link}: no such file in the repository")
        elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
            dead.append(f"{link}: no such heading in {target.name}")
    return dead


@pytest.fixture(scope="module")
def students_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as students get it, put together from links: what is in classroom/ lies at the top."""
    root = tmp_path_factory.mktemp("student")
    (root / "docs").mkdir()
    for name in ("concepts", "performance.md", "performance.svg"):
        (root / "docs" / name).symlink_to(ROOT / "docs" / name)
    (root / "project").symlink_to(ROOT / "starter")
    for name in ("labs", "checks", "labkit", "openapi.yaml", "pyproject.toml", "constraints.txt", "Makefile"):
        (root / name).symlink_to(ROOT / name)
    for entry in (ROOT / "classroom").iterdir():
        (root / entry.name).symlink_to(entry)
    return root


@pytest.mark.parametrize("document", documents("README.md", "labs", "docs"))
def test_links_resolve(document: str) -> None:
    assert dead_links(ROOT / document, ROOT) == []


@pytest.mark.parametrize("document", documents("classroom", "labs", "docs/concepts", "starter"))
def test_links_resolve_in_the_students_repository(document: str, students_repository: Path) -> None:
    place = re.sub(r"^classroom/", "", re.sub(r"^starter/", "project/", document))
    assert dead_links(students_repository / place, students_repository) == []


def test_dead_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`: three\n\n## Again\n\n## Again\n\n```sh\n# No heading\n[no link](gone.md)\n```\n\n"
        "[a](page.md#one-two-three) [b](#again-1) [c](https://example.org/gone.md) `[d](gone.md)`\n"
        "[e](gone.md) [f](#no-heading) [g](page.md#again-2) [h](../elsewhere.md)\n\n[i]: lost.md\n",
        encoding="utf-8",
    )
    (tmp_path.parent / "elsewhere.md").write_text("# Elsewhere\n", encoding="utf-8")
    assert [line.partition(":")[0] for line in dead_links(page, tmp_path)] == [
        "gone.md",
        "#no-heading",
        "page.md#again-2",
        "../elsewhere.md",
        "lost.md",
    ]


def test_every_check_points_to_a_section_of_its_handout() -> None:
    pointers = {
        (str(path.relative_to(ROOT)), target)
        for path in (ROOT / "checks").rglob("*.py")
        for target in re.findall(r"lab-0\d-[\w-]+\.md#[\w-]*", path.read_text(encoding="utf-8"))
    }
    assert pointers, "no check points anywhere"
    dead = []
    for where, target in sorted(pointers):
        handout, _, anchor = target.partition("#")
        page = ROOT / "labs" / handout
        if not page.is_file() or anchor not in anchors(page.read_text(encoding="utf-8")):
            dead.append(f"{where}: {target}")
    assert dead == []


def test_the_course_lists_its_handouts() -> None:
    labs = COURSE["labs"]
    assert [lab["id"] for lab in labs] == ["lab01", "lab02", "lab03", "lab04", "lab05"]
    assert [lab["points"] for lab in labs] == [20, 20, 25, 20, 15]
    written = set(documents("labs"))
    assert written <= {lab["handout"] for lab in labs}
    for lab in labs:
        assert re.fullmatch(rf"labs/lab-{lab['id'][-2:]}-[a-z-]+\.md", lab["handout"])
        if lab["handout"] in written:
            page = (ROOT / lab["handout"]).read_text(encoding="utf-8")
            assert page.startswith(f"# Lab {lab['id'][-2:]}: {lab['title']}\n")


def test_marks_in_the_starter_name_a_lab_and_a_section() -> None:
    handouts = {lab["id"]: ROOT / lab["handout"] for lab in COURSE["labs"]}
    marks = [
        (path, line.strip())
        for path in sorted((ROOT / "starter").rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
        for line in path.read_text(encoding="utf-8").splitlines()
        if "TODO" in line
    ]
    assert marks, "the starter has no TODO"
    wrong = []
    for path, line in marks:
        match = TODO.search(line)
        handout = handouts[match[1]] if match else None
        if not match or not handout:
            wrong.append(f"{path.name}: not of the form TODO lab01#section: {line}")
        elif handout.is_file() and match[2] not in anchors(handout.read_text(encoding="utf-8")):
            wrong.append(f"{path.name}: no such section in {handout.name}: {line}")
    assert wrong == []


def ladders(lab: str) -> dict[str, list[str]]:
    """Check id → its hints, from the lab's file of hints."""
    tables = tomllib.loads((ROOT / "labs" / "hints" / f"{lab}.toml").read_text(encoding="utf-8"))
    return {f"{lab}.{file}.{name}": rungs for file, table in tables.items() for name, rungs in table.items()}


HINTED = sorted(path.stem for path in (ROOT / "labs" / "hints").glob("*.toml"))


def test_there_are_hints_for_every_lab_that_has_a_handout() -> None:
    written = [lab["id"] for lab in COURSE["labs"] if (ROOT / lab["handout"]).is_file()]
    assert written == HINTED


@pytest.mark.parametrize("lab", HINTED)
def test_every_check_has_a_ladder_of_hints_and_no_other_has(lab: str) -> None:
    manifest = json.loads((ROOT / "checks" / "manifest.json").read_text(encoding="utf-8"))
    assert set(ladders(lab)) == {check for check in manifest if check.startswith(f"{lab}.")}


@pytest.mark.parametrize("lab", HINTED)
def test_hints_are_two_to_four_questions_and_none_is_asked_twice(lab: str) -> None:
    found = ladders(lab)
    assert [check for check, rungs in found.items() if not 2 <= len(rungs) <= 4] == []
    questions = Counter(question for rungs in found.values() for question in rungs)
    assert [question for question in questions if not question.endswith("?")] == []
    assert [question for question, times in questions.items() if times > 1] == []


def test_the_environment_page_names_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = {re.split(r"[<>=~! ;]", requirement)[0] for requirement in project["dependencies"]}
    page = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)) == packages


def test_the_workflow_runs_the_students_command_and_may_only_read() -> None:
    path = ROOT / "classroom" / ".github" / "workflows" / "checks.yml"
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job
    assert job["timeout-minutes"] > 0
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert "lab check $LAB --report report.json" in commands
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert actions
    assert [action for action in actions if not re.fullmatch(r"actions/[a-z-]+@v\d+", action)] == []


STARTER = ROOT / "starter"


def starter_environment() -> dict[str, str]:
    """What a process of the starter gets: its own example, this Python first in PATH, and nothing else."""
    return {
        **example_variables(STARTER / ".env.example"),
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.defpath]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def test_the_starter_has_one_process_and_keeps_those_of_later_labs_in_comments(tmp_path: Path) -> None:
    assert list(project.load(STARTER).processes) == ["api"]
    text = (STARTER / "Procfile").read_text(encoding="utf-8")
    (tmp_path / "Procfile").write_text(re.sub(r"^# (?!TODO)", "", text, flags=re.MULTILINE), encoding="utf-8")
    uncommented = project.load(tmp_path)
    assert list(uncommented.processes) == ["api", "migrate", "migrate-one", "rollback-one", "worker", "test"]
    for name in uncommented.processes:
        assert uncommented.command(name)


def test_the_starters_worker_starts_and_stops_politely() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "worker_service"],
        cwd=STARTER,
        env=starter_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert worker.stdout is not None
    try:
        assert "nothing" in worker.stdout.readline()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=30) == 0
    finally:
        worker.kill()
        worker.stdout.close()


def test_a_first_revision_can_be_made_from_the_starter(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(STARTER, folder, ignore=shutil.ignore_patterns("__pycache__"))

    def alembic(*arguments: str) -> str:
        ended = subprocess.run(
            ["alembic", *arguments],
            cwd=folder,
            env=starter_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    assert "CREATE TABLE" not in alembic("upgrade", "head", "--sql")
    alembic("revision", "-m", "Create tasks", "--rev-id", "0001")
    (made,) = (folder / "migrations" / "versions").glob("*.py")
    assert made.name == "0001_create_tasks.py"
    body = made.read_text(encoding="utf-8")
    body = body.replace("pass", 'op.execute("CREATE TABLE tasks (title text)")', 1)
    made.write_text(body, encoding="utf-8")
    assert "CREATE TABLE tasks (title text);" in alembic("upgrade", "head", "--sql")


def test_the_starter_starts_answers_and_leaves_with_0_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    environment = {**starter_environment(), "API_PORT": str(port)}
    log = tmp_path / "log"
    with log.open("wb") as output:
        api = subprocess.Popen(
            project.load(STARTER).command("api"), cwd=STARTER, env=environment, stdout=output, stderr=output
        )
    try:
        status, body = first_answer(api, port, deadline_s=30)
        assert (status, body) == (404, b'{"detail":"Not Found"}')
        api.send_signal(signal.SIGTERM)
        assert api.wait(timeout=10) == 0, log.read_text(encoding="utf-8")
    finally:
        api.kill()
        api.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def example_variables(path: Path) -> dict[str, str]:
    """The variables of a .env file: NAME=value lines, comments left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line.strip() and not line.startswith("#"))
    return {name: value for name, value in pairs}


def first_answer(process: subprocess.Popen[bytes], port: int, deadline_s: float) -> tuple[int, bytes]:
    """The status and body of the first answer to GET /health; fails when the process ends or time is up."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        assert process.poll() is None, f"ended with exit status {process.returncode} before it answered"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            response = connection.getresponse()
            return response.status, response.read()
        except ConnectionRefusedError:
            time.sleep(0.02)
        finally:
            connection.close()
    raise AssertionError(f"no answer on port {port} within {deadline_s} s")
