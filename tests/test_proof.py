"""`lab prove`: specimens get the marks that are known beforehand, and what differs is told with a remedy."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit import manifest
from labkit.checks import Outcome
from labkit.errors import LabError, UsageError
from labkit.proof import feedback, page, prove, record, specimens

ROOT = Path(__file__).parent.parent

FORGETS_TO_GREET = """\
Thinks that everybody knows each other.

Killed-by: lab01.a.greets

--- a/words.txt
+++ b/words.txt
@@ -1,3 +1,2 @@
-hello
 world
 goodbye
"""

LEAVES_IN_SILENCE = """\
Thinks that the end needs no word.
Killed-by: lab01.a.says_goodbye
diff --git a/words.txt b/words.txt
--- a/words.txt
+++ b/words.txt
@@ -1,3 +1,2 @@
 hello
 world
-goodbye
"""


@pytest.fixture
def repository(greetings: Path) -> Path:
    """A repository with two checks, a reference, a starter, and a specimen of each kind."""
    root = greetings
    (root / "starter").mkdir(exist_ok=True)
    (root / "starter" / "words.txt").write_text("todo\n")
    accepted = root / "specimens" / "accepted" / "short"
    accepted.mkdir(parents=True)
    (accepted / "words.txt").write_text("hello goodbye")
    (accepted / "specimen.toml").write_text('labs = ["lab01"]\nstyle = "short"\n')
    (root / "specimens" / "wrong" / "lab01").mkdir(parents=True)
    wrong(root, "forgets_to_greet", FORGETS_TO_GREET)
    wrong(root, "leaves_in_silence", LEAVES_IN_SILENCE)
    return root


def wrong(root: Path, name: str, text: str) -> None:
    (root / "specimens" / "wrong" / "lab01" / f"{name}.patch").write_text(text)


@pytest.fixture
def proved(repository: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The status and the output of `lab prove`."""

    def run(*names: str) -> tuple[int, str]:
        status = prove.run(repository, names, processes=2)
        return status, capsys.readouterr().out

    return run


Proved = Callable[..., tuple[int, str]]


def test_everything_as_it_should_be(proved: Proved) -> None:
    status, out = proved()
    assert status == 0, out
    names = ("reference", "starter", "short", "lab01/forgets_to_greet", "lab01/leaves_in_silence")
    assert sorted(line.split()[:2] for line in out.splitlines()[:5]) == sorted(["✓", name] for name in names)
    assert "5 specimens, 0 problems." in out


def test_some_by_their_names(proved: Proved) -> None:
    status, out = proved("lab01/leaves*", "short")
    assert status == 0
    assert "2 specimens, 0 problems." in out


def test_a_name_that_nobody_has(proved: Proved) -> None:
    with pytest.raises(UsageError) as caught:
        proved("nobody")
    assert caught.value.what == "No specimen is called nobody."
    assert "lab01/forgets_to_greet" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            FORGETS_TO_GREET.replace("-hello", "-good morning"),
            [
                "specimens/wrong/lab01/wrong.patch no longer applies to project/: ",
                "error: patch failed: words.txt:1.",
                "Make the same mistake in a copy of project/ and write the patch anew: git diff --no-index",
            ],
        ),
        (
            FORGETS_TO_GREET.replace("words.txt", "gone.txt"),
            ["wrong.patch no longer applies to project/: error: gone.txt: No such file or directory."],
        ),
        (
            FORGETS_TO_GREET.replace("Killed-by: lab01.a.greets\n", ""),
            [
                "specimens/wrong/lab01/wrong.patch: a wrong specimen begins with a sentence",
                "Write what is missing at the top of the file.",
            ],
        ),
        (
            FORGETS_TO_GREET.replace("Thinks that everybody knows each other.\n", ""),
            ["wrong.patch: a wrong specimen begins with a sentence that says what the student misunderstood"],
        ),
        ("Nothing but words.\nKilled-by: lab01.a.greets\n", ["then the patch."]),
        (
            LEAVES_IN_SILENCE.replace("Killed-by:", "Killed-by: lab01.a.greets\nKilled-by:"),
            [
                "specimens/wrong/lab01/wrong.patch: lab01.a.greets should have failed. "
                "Sharpen the check, or take the line out of the header."
            ],
        ),
        (
            LEAVES_IN_SILENCE.replace("says_goodbye", "greets"),
            [
                "wrong.patch: lab01.a.says_goodbye failed as well (saw ['world']). Make the check accept "
                "what is right, or add to the header: Killed-by: lab01.a.says_goodbye",
                "wrong.patch: lab01.a.greets should have failed.",
            ],
        ),
        (
            LEAVES_IN_SILENCE.replace("says_goodbye", "say_goodbye"),
            [
                "specimens/wrong/lab01/wrong.patch: there is no check lab01.a.say_goodbye.",
                "Correct the header: Killed-by: lab01.a.says_goodbye",
            ],
        ),
        (
            LEAVES_IN_SILENCE.replace("-goodbye", " goodbye\n+crash").replace("3 +1,2", "3 +1,4"),
            [
                'lab01.a.greets: the grader itself failed (KeyError: "the grader\'s own mistake").',
                "Mend the check: no project may cause that.",
            ],
        ),
    ],
    ids=[
        *("does not apply", "file is gone", "no kill declared", "no story", "no patch"),
        *("no kill", "one kill too many", "unknown check", "the grader fails"),
    ],
)
def test_a_specimen_that_is_not_as_declared(
    proved: Proved, repository: Path, text: str, sentences: list[str]
) -> None:
    wrong(repository, "wrong", text)
    status, out = proved("lab01/wrong")
    assert status == 1
    flat = " ".join(out.split())
    for sentence in sentences:
        assert sentence in flat, out
    assert "Traceback" not in out


def test_one_broken_file_does_not_keep_the_others_from_being_proved(proved: Proved, repository: Path) -> None:
    wrong(repository, "broken", "no header, no patch")
    (repository / "specimens" / "accepted" / "short" / "specimen.toml").write_text("labs = ")
    status, out = proved("reference")
    assert status == 1
    assert "✗ specimens/wrong/lab01/broken.patch: a wrong specimen begins with" in out
    assert "✗ specimens/accepted/short/specimen.toml cannot be used" in out
    assert 'Give it two lines: labs = ["lab01"] and style = "…".' in out
    assert "✓ reference" in out
    assert "1 specimens, 2 problems." in out


def test_a_check_that_nothing_can_make_fail(proved: Proved, repository: Path) -> None:
    (repository / "specimens" / "wrong" / "lab01" / "leaves_in_silence.patch").unlink()
    status, out = proved()
    assert status == 1
    assert (
        "✗ lab01.a.says_goodbye: no wrong specimen makes it fail. Add a patch under specimens/wrong/." in out
    )


def test_an_accepted_project_that_fails(proved: Proved, repository: Path) -> None:
    (repository / "specimens" / "accepted" / "short" / "words.txt").write_text("hello")
    status, out = proved("short")
    assert status == 1
    assert "specimens/accepted/short: lab01.a.says_goodbye failed as well (saw ['hello'])." in out


def test_a_starter_that_holds_the_answers(proved: Proved, repository: Path) -> None:
    (repository / "starter" / "words.txt").write_text("hello goodbye")
    status, out = proved("starter")
    assert status == 1
    assert "starter: nothing failed. Does it hold the answers?" in out


def test_a_block_by_a_check_that_did_not_fail(proved: Proved, repository: Path) -> None:
    file = repository / "checks" / "lab01" / "test_a.py"
    file.write_text(file.read_text().replace('Blocked("lab01.a.greets"', 'Blocked("lab01.a.smiles"'))
    status, out = proved("lab01/forgets_to_greet")
    assert status == 1
    assert "lab01.a.says_goodbye: blocked by lab01.a.smiles, which did not fail." in out


def test_checks_that_are_not_as_the_manifest_says(proved: Proved, repository: Path) -> None:
    file = repository / "checks" / "lab01" / "test_a.py"
    file.write_text(file.read_text().replace("def test_says_goodbye", "def test_bids_farewell"))
    status, out = proved("reference")
    assert status == 1
    assert "The checks ended with status 3." in out
    assert "In checks/manifest.json, but did not run: lab01.a.says_goodbye." in out


def test_checks_that_cannot_be_run_at_all(
    proved: Proved, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p labkit.pytest_plugin --nonsense")
    status, out = proved("reference")
    assert status == 1
    assert "The checks ended with status 4 and no report." in out
    assert "--nonsense" in out


def test_a_lab_that_is_not_there(proved: Proved, repository: Path) -> None:
    (repository / "specimens" / "accepted" / "short" / "specimen.toml").write_text(
        'labs = ["lab09"]\nstyle = "x"'
    )
    status, out = proved("short")
    assert status == 1
    assert "specimens/accepted/short: there are no checks for lab09. Correct the lab's name." in " ".join(
        out.split()
    )


def test_students_have_nothing_to_prove(tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        prove.run(tmp_path, [], processes=1)
    assert "is missing, so this is not the instructors' repository" in caught.value.what


def test_a_patch_is_applied_to_the_copy_alone_even_inside_a_repository(
    repository: Path, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    known, broken = specimens.load(repository)
    assert broken == []
    (specimen,) = [s for s in known if s.name == "lab01/forgets_to_greet"]
    assert specimen.story == "Thinks that everybody knows each other."
    assert specimen.fails == {"lab01.a.greets"}
    specimen.build(repository / "project", tmp_path / "copy")
    assert (tmp_path / "copy" / "words.txt").read_text() == "world\ngoodbye\n"
    assert (repository / "project" / "words.txt").read_text() == "hello\nworld\ngoodbye\n"


def test_a_specimen_may_be_the_reference_with_something_else_in_one_place(
    repository: Path, tmp_path: Path
) -> None:
    reference = repository / "project"
    (reference / "tests").mkdir()
    (reference / "tests" / "old.txt").write_text("old")
    folder = repository / "specimens" / "wrong" / "lab01" / "asserts_nothing"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "new.txt").write_text("new")
    table = 'story = "Thinks that tests are for show."\nkilled_by = ["lab01.a.greets"]\n'
    (folder / "specimen.toml").write_text(table + 'instead_of = ["tests"]\n')
    known, broken = specimens.load(repository)
    assert broken == []
    (specimen,) = [s for s in known if s.name == "lab01/asserts_nothing"]
    assert specimen.fails == {"lab01.a.greets"}
    specimen.build(reference, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy" / "tests").iterdir()] == ["new.txt"]
    assert (tmp_path / "copy" / "words.txt").read_text() == (reference / "words.txt").read_text()

    short = repository / "specimens" / "accepted" / "short" / "tests"
    short.mkdir()
    for name in ("new.txt", "other.txt"):
        (short / name).write_text("of the accepted one")
    (folder / "specimen.toml").write_text(table + 'instead_of = ["tests"]\non = "short"\n')
    (specimen,) = [s for s in specimens.load(repository)[0] if s.name == "lab01/asserts_nothing"]
    specimen.build(reference, tmp_path / "another")
    found = {path.name: path.read_text() for path in (tmp_path / "another" / "tests").iterdir()}
    assert found == {"new.txt": "new", "other.txt": "of the accepted one"}

    (folder / "change.patch").write_text(
        "--- a/tests/other.txt\n+++ b/tests/other.txt\n@@ -1 +1 @@\n"
        "-of the accepted one\n\\ No newline at end of file\n+of nobody\n"
    )
    specimen.build(reference, tmp_path / "changed")
    assert (tmp_path / "changed" / "tests" / "other.txt").read_text() == "of nobody\n"
    assert not (tmp_path / "changed" / "change.patch").exists()
    (short / "other.txt").write_text("something else")
    with pytest.raises(LabError, match=r"asserts_nothing/change\.patch no longer applies to short/: "):
        specimen.build(reference, tmp_path / "stale")

    (folder / "specimen.toml").write_text(table + 'instead_of = ["tests"]\non = "long"\n')
    _, broken = specimens.load(repository)
    assert "asserts_nothing/specimen.toml: there is no accepted project 'long'" in broken[0]

    (folder / "specimen.toml").write_text(table)
    _, broken = specimens.load(repository)
    assert "specimens/wrong/lab01/asserts_nothing/specimen.toml cannot be used ('instead_of')" in broken[0]


def test_what_is_on_record_is_left_out_until_something_changes(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "docs").mkdir(exist_ok=True)

    def prove_the_rest() -> str:
        assert prove.run(repository, (), processes=2, resume=True, note=True) == 0
        return capsys.readouterr().out.splitlines()[-1]

    assert prove_the_rest() == "0 on record, 5 specimens, 0 problems."
    assert prove_the_rest() == "5 on record, 0 specimens, 0 problems."
    wrong(repository, "leaves_in_silence", LEAVES_IN_SILENCE + "\n")
    assert prove_the_rest() == "4 on record, 1 specimens, 0 problems."
    kept = feedback.path(repository, "lab01/forgets_to_greet")
    kept.unlink()
    assert prove_the_rest() == "4 on record, 1 specimens, 0 problems."
    checks = repository / "checks" / "lab01" / "test_a.py"
    assert "  saw       ['world']" in kept.read_text().splitlines()
    checks.write_text(checks.read_text().replace("How?", "How do you do?"))
    assert prove_the_rest() == "5 on record, 0 specimens, 0 problems."
    assert "  ask       How do you do?" in kept.read_text().splitlines()
    checks.write_text(checks.read_text() + "\n# another word\n")
    assert prove_the_rest() == "0 on record, 5 specimens, 0 problems."
    text = (repository / "docs" / "proof.md").read_text()
    assert "**Wrong work that passed: 0 of 2.**" in text
    assert "**Right work that failed: 0 of 2.**" in text
    assert "Thinks that everybody knows each other. *Noticed by* `a.greets`." in text
    assert (repository / "docs" / "proof.svg").read_text().count("<title>") == 2


def test_a_specimen_with_a_problem_is_no_longer_on_record(repository: Path) -> None:
    (repository / "docs").mkdir(exist_ok=True)
    assert prove.run(repository, ("short",), processes=1, note=True) == 0
    assert "short" in record.load(repository)
    (repository / "specimens" / "accepted" / "short" / "words.txt").write_text("hello")
    assert prove.run(repository, ("short",), processes=1, note=True) == 1
    assert "short" not in record.load(repository)


def test_the_feedback_goes_where_the_record_goes(repository: Path) -> None:
    name = "lab01/leaves_in_silence"
    kept = feedback.path(repository, name)
    assert prove.run(repository, (name, "short"), processes=1, note=True) == 0
    assert feedback.names(kept.read_text()) == ["lab01.a.says_goodbye"]
    assert [file.name for file in feedback.folder(repository).rglob("*.txt")] == ["leaves_in_silence.txt"]
    wrong(repository, "leaves_in_silence", LEAVES_IN_SILENCE.replace("says_goodbye", "greets"))
    assert prove.run(repository, (name,), processes=1, note=True) == 1
    assert not kept.exists()
    wrong(repository, "leaves_in_silence", LEAVES_IN_SILENCE)
    assert prove.run(repository, (name,), processes=1, note=True) == 0
    (repository / "specimens" / "wrong" / "lab01" / "leaves_in_silence.patch").unlink()
    assert prove.run(repository, ("short",), processes=1, note=True) == 0
    assert not kept.exists()


LATER = '''
    @check(points=1, read=HANDOUT)
    def test_is_loud(pytestconfig):
        """It is loud.

        How loud?
        """
        words = Path(pytestconfig.option.project, "words.txt").read_text().split()
        expect(len(words) > 2, "three words", len(words))
        if "crash" in words:
            {}["the grader's own mistake"]
'''


def test_what_later_labs_make_of_a_specimen(
    course: Any, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course.checks("b", LATER, lab="lab02")
    course.manifest()
    manifest.load.cache_clear()
    names = ("lab01/forgets_to_greet", "short")
    assert prove.run(repository, names, processes=1, extent=prove.Extent(beyond=True)) == 0
    assert capsys.readouterr().out.count("also noticed by lab02.b.is_loud") == 1
    assert prove.run(repository, names, processes=1) == 0
    assert "is_loud" not in capsys.readouterr().out
    crash = FORGETS_TO_GREET.replace(" world", " world\n+crash\n+twice").replace("3 +1,2", "3 +1,4")
    wrong(repository, "forgets_to_greet", crash)
    assert prove.run(repository, names[:1], processes=1) == 0
    capsys.readouterr()
    assert prove.run(repository, names[:1], processes=1, extent=prove.Extent(beyond=True)) == 1
    assert "lab02.b.is_loud: the grader itself failed (KeyError" in capsys.readouterr().out


def test_a_verdict_that_hangs_on_a_deadline_is_told(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str]] = []

    def depends(root: Path, project: Path, outcome: Any) -> frozenset[str]:
        asked.append({verdict.id for verdict in outcome.verdicts(Outcome.FAILED)})
        return frozenset(asked[-1])

    monkeypatch.setattr(prove.calibration, "depends_on_deadline", depends)
    names = ("lab01/forgets_to_greet",)
    assert prove.run(repository, names, processes=1) == 0
    assert not asked
    assert prove.run(repository, names, processes=1, extent=prove.Extent(doubled=True)) == 0
    assert asked[0]
    said = capsys.readouterr().out
    assert all(f"{check} passes when our own deadlines are doubled" in said for check in asked[0])


def test_a_record_that_cannot_be_read_says_what_to_do(repository: Path) -> None:
    (repository / "docs").mkdir(exist_ok=True)
    record.path(repository).write_text("{")
    with pytest.raises(LabError) as caught:
        record.load(repository)
    assert caught.value.remedy == "Restore it: git checkout docs/proof.json"


def test_the_page_of_this_repository_is_what_the_record_says() -> None:
    known, _ = specimens.load(ROOT)
    seen = record.load(ROOT)
    named = {specimen.name: specimen for specimen in known}
    assert seen.keys() <= named.keys(), "lab prove --resume --record"
    for name, fared in seen.items():
        declared = named[name].fails
        assert declared is None or declared == set(fared.failed), f"lab prove --record {name}"
    text, picture = page.make(ROOT, known, seen)
    assert (ROOT / "docs" / "proof.md").read_text(encoding="utf-8") == text, "lab prove --resume --record"
    assert (ROOT / "docs" / "proof.svg").read_text(encoding="utf-8") == picture, "lab prove --resume --record"


def test_the_specimens_of_this_repository_can_be_read() -> None:
    known, broken = specimens.load(ROOT)
    assert broken == []
    assert {"reference", "starter", "single_file", "aiohttp_memory"} <= {specimen.name for specimen in known}
    assert textwrap.shorten(known[0].story, 100)


def test_specimens_of_all_labs_come_in_turn() -> None:
    known, _ = specimens.load(ROOT)
    order = prove._mixed(known)
    assert sorted(order, key=known.index) == known
    assert order[0].name == "reference"
    assert order[-1].hostile
    labs = [specimen.labs for specimen in order if specimen.fails and not specimen.hostile]
    turns = [{*labs[start : start + 24]} for start in range(0, len(labs) - 24, 24)]
    assert [len(turn) for turn in turns] == [len(manifest.labs(ROOT))] * len(turns)
