"""Mutants: one small mistake each, and a record of who noticed."""

import ast
from pathlib import Path
from types import SimpleNamespace as Namespace

import pytest

from labkit.checks import Outcome
from labkit.errors import LabError
from labkit.proof import mutation, page
from labkit.proof.mutants import mutants
from labkit.proof.mutation import Fate

SOURCE = '''"""A module: nothing here is a mistake."""

LIMIT: int = 3


async def find(rows: list[int], most: int = LIMIT) -> list[int]:
    """The first rows."""
    if not rows and most > 0:
        raise ValueError(f"{len(rows) + 1} rows")
    await log("x", level="info")
    return [row for row in rows if row <= most]


QUERY = """
    SELECT id FROM tasks WHERE status = 'pending' AND priority >= 0
    ORDER BY priority DESC LIMIT 1 FOR UPDATE SKIP LOCKED
"""
'''


def test_each_is_one_mistake_that_can_be_read() -> None:
    made = mutants("a.py", SOURCE)
    assert {mutant.what for mutant in made} >= {
        "3 → 4",
        "Gt → GtE",
        "LtE → Lt",
        "And → Or",
        "not left out",
        "condition turned round",
        "None returned",
        "level= left out of log()",
        "await log('x', level='info') left out",
        "SKIP LOCKED left out (place 1)",
        "FOR UPDATE left out (place 1)",
        "DESC → ASC (place 1)",
        "AND → OR (place 1)",
        "LIMIT left out (place 1)",
        "pending → failed (place 1)",
    }
    before = SOURCE.splitlines()
    for mutant in made:
        ast.parse(mutant.source)
        after = mutant.source.splitlines()
        assert after != before
        assert after[: mutant.line - 1] == before[: mutant.line - 1]


def test_docstrings_annotations_and_parts_of_texts_are_left_alone() -> None:
    assert not mutants(
        "a.py", '"""SELECT 1 FROM a LIMIT 1"""\n\n\ndef f(a: "int" = None) -> "b < 1":\n    """UPDATE."""\n'
    )
    assert not mutants("a.py", 'x = f"{1 + 1} rows"\n')


def test_a_name_survives_other_lines_and_tells_equal_ones_apart() -> None:
    names = [mutant.name for mutant in mutants("a.py", SOURCE)]
    assert len(set(names)) == len(names)
    assert [mutant.name for mutant in mutants("a.py", f"import os\n\n{SOURCE}")][-5:] == names[-5:]
    twice = [mutant.name for mutant in mutants("a.py", "def f():\n    g(1)\n    g(1)\n")]
    assert len(set(twice)) == len(twice)


def test_the_reference_has_several_hundred() -> None:
    root = Path(__file__).parent.parent
    made = mutation.make(root)
    assert len(made) > 300
    assert len({mutant.name for mutant in made}) == len(made)
    assert {mutant.file.partition("/")[0] for mutant in made} == mutation.REACH.keys()


def test_those_that_were_tried_are_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "project" / "api_service"
    package.mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (package / "a.py").write_text("def f(x):\n    return x < 1\n")
    tried: list[str] = []

    def try_out(root: Path, mutant: mutation.Mutant, warmth: object) -> str | None:
        tried.append(mutant.what)
        return None if mutant.what == "1 → 2" else "lab01.a.b"

    monkeypatch.setattr(mutation, "try_out", try_out)
    assert mutation.run(tmp_path, 2) == 1
    assert sorted(tried) == ["1 → 2", "Lt → LtE", "None returned"]
    out = capsys.readouterr().out
    assert "✗ api_service/a.py:2: 1 → 2" in out
    assert "3 tried now; of 3 of 3 mutants 66.7% were noticed." in out
    assert Fate("api_service/a.py", 2, "Lt → LtE", "lab01.a.b") in mutation.load(tmp_path).values()
    (package / "a.py").write_text("def f(x):\n    return x < 1\n\n\ndef g():\n    return 7\n")
    tried.clear()
    mutation.run(tmp_path, 2)
    assert sorted(tried) == ["1 → 2", "7 → 8", "None returned"]  # who survived is tried again


def test_a_survivor_may_have_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "project" / "api_service"
    package.mkdir(parents=True)
    (tmp_path / "specimens").mkdir()
    (package / "a.py").write_text("def f(x):\n    return x < 1\n")
    monkeypatch.setattr(
        mutation, "try_out", lambda root, mutant, warmth: None if "1 → 2" in mutant.what else "a"
    )
    assert mutation.run(tmp_path, 1) == 1
    assert (
        "1 survivors wait for a check, or for a reason in specimens/mutants.toml" in capsys.readouterr().out
    )
    [name] = mutation.open_questions(mutation.load(tmp_path), {})
    (tmp_path / "specimens" / "mutants.toml").write_text(f'{name} = "Nobody can count that far."\n')
    assert mutation.run(tmp_path, 1) == 0
    assert "survivors" not in capsys.readouterr().out
    part = page._mutants(mutation.load(tmp_path), mutation.reasons(tmp_path))
    assert "They noticed 2 of 3 (66.7%)" in part
    assert "| api_service | 3 | 2 | 1 | 0 |" in part
    assert "line 2, 1 → 2: Nobody can count that far." in part
    assert "*waits for a check.*" in page._mutants(mutation.load(tmp_path), {})


def test_those_that_survived_for_the_same_reason_stand_in_one_line() -> None:
    fates = {
        "a": Fate("api_service/a.py", 1, "1 → 2", None),
        "b": Fate("api_service/a.py", 2, "3 → 4", "lab01.create.answers_201"),
        "c": Fate("api_service/a.py", 3, "5 → 6", None),
        "d": Fate("api_service/b.py", 1, "7 → 8", None),
    }
    reasons = {"a": "Nobody counts.", "c": mutation.SAME_REASON, "d": "A known gap: eight."}
    assert page._survivors(fates, reasons) == [
        "- `api_service/a.py`, line 1, 1 → 2; line 3, 5 → 6: Nobody counts.",
        "- `api_service/b.py`, line 1, 7 → 8: A known gap: eight.",
    ]


@pytest.mark.parametrize("text", ["a =", 'a = ""', "a = 3"])
def test_reasons_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "specimens").mkdir()
    (tmp_path / "specimens" / "mutants.toml").write_text(text)
    with pytest.raises(LabError, match=r"mutants\.toml"):
        mutation.reasons(tmp_path)


@pytest.mark.parametrize(
    ("verdicts", "noticed_by"),
    [
        ([("a", Outcome.PASSED, None)], None),
        ([("a", Outcome.PASSED, None), ("b", Outcome.FAILED, None)], "b"),
        ([("a", Outcome.ERROR, None)], "a"),
        ([("a", Outcome.BLOCKED, "z")], "z"),
    ],
)
def test_who_notices(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verdicts: list[tuple[str, Outcome, str | None]],
    noticed_by: str | None,
) -> None:
    """A run ends with the first check that does not pass, and that may only be blocked."""
    (tmp_path / "project" / "worker_service").mkdir(parents=True)
    [mutant] = mutants("worker_service/a.py", "f(1)")[-1:]
    (tmp_path / "project" / mutant.file).touch()
    ran = Namespace(
        verdicts=lambda outcome: [Namespace(id=i, blocked_by=b) for i, o, b in verdicts if o == outcome]
    )
    monkeypatch.setattr(mutation, "grade_closely", lambda *_, **__: Namespace(report=ran))
    assert mutation.try_out(tmp_path, mutant, {}) == noticed_by
