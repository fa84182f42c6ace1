"""Which labs a file of the repository can reach: what is on record holds while none of those has changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labkit.proof import reach

ROOT = Path(__file__).parent.parent

LABS = ("lab01", "lab02", "lab03", "lab04", "lab05")


@pytest.mark.parametrize(
    ("file", "labs"),
    [
        ("checks/conftest.py", LABS),
        ("checks/lab03/conftest.py", LABS[2:3]),
        ("labkit/http.py", LABS),
        ("labkit/postgres/keeper.py", LABS),
        ("labkit/fuzz_curl.py", LABS[:1]),
        ("labkit/episodes/outage.py", LABS[1:2]),
        ("labkit/episodes/story.py", LABS[3:4]),
        ("labkit/stage.py", LABS[2:4]),
        ("labkit/suite/plugin.py", LABS[4:]),
        ("labkit/sabotage/boot/sitecustomize.py", LABS[4:]),
        ("labkit/exports/terminal.py", ()),
        ("labkit/proof/page.py", ()),
        ("labkit/cli.py", ()),
        ("openapi.yaml", LABS),
        ("project/Procfile", LABS),
        ("project/flowforge/settings.py", LABS),
        ("project/api_service/app.py", LABS),
        ("project/worker_service/settings.py", LABS[2:]),
        ("project/scripts/cleanup.py", LABS[3:]),
        ("project/tests/conftest.py", LABS[4:]),
    ],
)
def test_which_labs_a_file_counts_for(file: str, labs: tuple[str, ...]) -> None:
    path = ROOT / file
    assert path.exists()
    found = [
        lab
        for lab in LABS
        if path in reach.of_checks(ROOT, lab) or path in reach.of_reference(ROOT / "project", [lab])
    ]
    assert found == list(labs)


@pytest.mark.parametrize(
    ("part", "word"), [("worker_service", "worker"), ("tests", "test"), ("scripts", "scripts")]
)
def test_labs_that_leave_a_part_of_the_reference_out_never_start_it(part: str, word: str) -> None:
    constant = re.compile(f"(?<!get_path\\()[\"']{word}[\"']")
    for lab in sorted(set(LABS) - set(reach.APART[part])):
        named = [
            path.relative_to(ROOT).as_posix()
            for path in reach.of_checks(ROOT, lab)
            if path.suffix == ".py" and constant.search(path.read_text(encoding="utf-8"))
        ]
        assert set(named) <= {"labkit/project.py"}, f"{lab} may start {part}: labkit/proof/reach.py, APART"


def test_what_the_proof_alone_reads_counts_for_no_lab() -> None:
    for lab in LABS:
        reading = [path for path in reach.of_checks(ROOT, lab) if b"deadlines.toml" in path.read_bytes()]
        assert reading == [], "what is measured there changes verdicts now: labkit/proof/reach.py, _ALWAYS"


def test_a_specimen_that_brings_a_part_into_play_depends_on_it(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name, text in {
        "Procfile": "api: python -m api_service\nworker: python -m worker_service\ntest: pytest tests\n",
        "api_service/app.py": "import json  # the worker_service and its scripts are another matter\n",
        "worker_service/run.py": "from scripts.cleanup import words\n",
        "scripts/cleanup.py": "words = []\n",
        "tests/test_app.py": "import api_service\n",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)

    def parts(labs: list[str], *changed: Path) -> set[str]:
        return {f.relative_to(project).parts[0] for f in reach.of_reference(project, labs, changed)}

    assert parts(["lab01"]) == {"Procfile", "api_service"}
    assert parts(["lab03"]) == {"Procfile", "api_service", "worker_service", "scripts"}
    assert parts(["lab01", "lab05"]) == {"Procfile", "api_service", "worker_service", "scripts", "tests"}
    patch = tmp_path / "wrong.patch"
    patch.write_text("+from worker_service import run\n")
    assert parts(["lab01"], patch) == {"Procfile", "api_service", "worker_service", "scripts"}
