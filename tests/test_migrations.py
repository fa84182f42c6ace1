"""The walk through the migrations of a small project, whole and broken in one place each."""

from pathlib import Path

from labkit import migrations, postgres, project, schema
from labkit.migrations import Walk

MIGRATOR = Path(__file__).parent / "projects" / "migrator"


def walk(broken: str = "", folder: Path = MIGRATOR) -> Walk:
    """Walk the small project, broken in the named way."""
    server = postgres.open_server()
    with server.database("walk") as database, server.database("spare") as spare:
        return migrations.walk(project.load(folder), database, spare, {"ENVIRONMENT": broken})


def test_a_whole_walk() -> None:
    found = walk()
    assert [str(step) for step in found.up] == [f"step {n} up (`migrate-one`)" for n in (1, 2, 3)]
    assert [step.direction for step in found.down] == ["down"] * 3
    assert all(not step.trouble and not step.refused and step.lost == 0 for step in found.steps)
    assert [step.column("priority") for step in found.up] == ["", "integer", "integer NOT NULL DEFAULT 0"]
    assert found.first_with("priority") == 2
    assert schema.tables(found.bottom) == {"revision"}
    assert found.again == found.up[-1].schema
    assert [step.schema for step in found.down[:2]] == [found.up[1].schema, found.up[0].schema]


def test_a_step_that_fails_on_rows_is_named() -> None:
    found = walk("fails-on-rows")
    assert [bool(step.trouble) for step in found.up] == [False, True]
    assert "contains null values" in found.up[-1].trouble
    assert found.down == []


def test_rows_that_go_are_counted() -> None:
    found = walk("deletes-rows")
    assert found.up[-1].lost > migrations.ROWS


def test_a_way_back_that_leaves_something_is_seen() -> None:
    found = walk("forgets-the-way-back")
    assert schema.differences(found.up[0].schema, found.down[1].schema) == ["column tasks.priority is new"]


def test_a_title_that_is_refused_is_told() -> None:
    found = walk("refuses-titles")
    assert 'null value in column "need"' in found.up[1].refused


def test_a_missing_command_is_the_projects_mistake(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("api: true\n", encoding="utf-8")
    (step,) = walk(folder=tmp_path).steps
    assert "a line `migrate-one: <command>`" in step.trouble
