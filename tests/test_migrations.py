"""The walk through the migrations of a small project, whole and broken in one place each."""

from contextlib import closing
from pathlib import Path

import pytest

from labkit import migrations, postgres, project, schema, services
from labkit.migrations import Walk
from labkit.postgres import Database
from labkit.probe import Probe
from labkit.schema import Schema

MIGRATOR = Path(__file__).parent / "projects" / "migrator"


def walk(how: str = "", folder: Path = MIGRATOR) -> Walk:
    """Walk the small project, which does something otherwise (see its `migrate.py`)."""
    server = postgres.open_server()
    settings = {"ENVIRONMENT": how}
    with server.database("walk") as database, server.database("spare") as spare:
        return migrations.walk(
            project.load(folder), database, lambda: newest(folder, spare, settings), settings
        )


def newest(folder: Path, spare: Database, settings: dict[str, str]) -> Schema | None:
    """The schema that `migrate` makes, None if it fails."""
    ended = services.run(project.load(folder), "migrate", {**settings, "DATABASE_URL": spare.url}, within=20)
    with closing(Probe.of(spare)) as probe:
        return schema.read(probe) if ended.exit_code == 0 else None


def left(found: Walk, how: str) -> list[str]:
    """What is left at the bottom of a walk and is not the tool's own."""
    with postgres.open_server().database("bottom") as empty:
        tools = migrations.made_by_the_tool(project.load(MIGRATOR), empty, {"ENVIRONMENT": how})
    return sorted(schema.without(found.bottom, found.records | tools))


def test_a_whole_walk() -> None:
    found = walk()
    assert [str(step) for step in found.up] == [f"step {n} up (`migrate-one`)" for n in (1, 2, 3)]
    assert [step.direction for step in found.down] == ["down"] * 3
    assert all(not step.trouble and not step.refused and not step.lost for step in found.steps)
    assert [step.column("priority") for step in found.up] == ["", "integer", "integer NOT NULL DEFAULT 0"]
    assert found.first_with("priority") == 2
    assert schema.tables(found.bottom) == {"revision"}
    assert found.records == {"revision"}
    added, required = (text for text in found.statements if "priority" in text)
    assert "ADD COLUMN" in added
    assert "SET NOT NULL" in required
    assert found.again == found.up[-1].schema
    assert [step.schema for step in found.down[:2]] == [found.up[1].schema, found.up[0].schema]


def test_a_step_that_fails_on_rows_is_named() -> None:
    found = walk("fails-on-rows")
    assert [bool(step.trouble) for step in found.up] == [False, True]
    assert "contains null values" in found.up[-1].trouble
    assert found.down == []


def test_rows_that_go_are_counted() -> None:
    found = walk("deletes-rows")
    assert found.up[-1].lost == "10,023 rows gone"


def test_a_way_back_that_leaves_something_is_seen() -> None:
    found = walk("forgets-the-way-back")
    assert schema.differences(found.up[0].schema, found.down[1].schema) == [
        "column tasks.priority should not be there"
    ]


def test_a_title_that_is_refused_is_told() -> None:
    found = walk("refuses-titles")
    assert 'null value in column "need"' in found.up[1].refused


def test_a_missing_command_is_the_projects_mistake(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("api: true\n", encoding="utf-8")
    (step,) = walk(folder=tmp_path).steps
    assert "a line `migrate-one: <command>`" in step.trouble


@pytest.mark.parametrize(
    "how",
    [
        "fills-descriptions,drops-the-time-zone,generates-a-column",
        "guards-with-a-trigger,fills-first,has-a-table-for-its-lock",
    ],
)
def test_another_way_is_no_mistake(how: str) -> None:
    found = walk(how)
    assert len(found.up) == len(found.down) == (4 if "fills-first" in how else 3)
    assert all(not step.trouble and not step.refused and not step.lost for step in found.steps)
    assert left(found, how) == []


def test_records_may_lie_in_another_schema() -> None:
    found = walk("keeps-its-records-apart")
    assert found.records == {"records.revision"}
    assert len(found.up) == len(found.down) == 3
    assert sorted(schema.without(found.bottom, found.records)) == []


def test_a_table_that_is_forgotten_is_not_the_tools() -> None:
    assert left(walk("forgets-a-table"), "forgets-a-table") == ["column kinds.name", "table kinds"]


def test_a_priority_that_is_overwritten_is_seen() -> None:
    assert [step.lost for step in walk("overwrites-priorities").up] == [
        "",
        "",
        "1 row changed: 'with a priority' had priority '7', now '0'",
    ]


def test_a_lock_that_is_left_behind_is_the_steps_fault() -> None:
    found = walk("leaves-a-lock")
    assert [bool(step.trouble) for step in found.up] == [False, True]
    assert "a lock on a table is still held" in found.up[-1].trouble
