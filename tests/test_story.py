"""The story of both services: what a check is told of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest

from labkit import evidence
from labkit.episodes.story import FORGED, FORGERY, TASKS, Story
from labkit.evidence import CheckFailed, Journal, did
from labkit.http import Request, Response
from labkit.services import Line


@pytest.fixture
def told() -> Story:
    """A story of two requests, the second of which made a task."""
    now = datetime.now(UTC)
    story = Story("secret", "postgresql://me:secret@here/db", now, now)
    with evidence.aside(Journal()):
        for key in ("health", "task-noop"):
            did(f"ask for {key}")
            story.tell(key, Response(Request("GET", f"/{key}"), 200, httpx.Headers(), b"{}", 0.1))
        did("stop it all")
    story.rows["noop"] = {"id": "1"}
    return story


def shown(journal: Journal) -> list[str]:
    return [action.text for action in journal.actions]


def test_an_answer_brings_what_was_done_until_it_came(told: Story) -> None:
    with evidence.aside(Journal()) as journal:
        did("something else")
        assert told.answer("health").status == 200
        assert shown(journal) == ["ask for health"]
        assert told.row("noop") == {"id": "1"}
        assert shown(journal) == ["ask for health", "ask for task-noop"]


def test_the_whole_is_told_in_a_sentence(told: Story) -> None:
    with evidence.aside(Journal()) as journal:
        did("something else")
        told.whole()
        assert len(shown(journal)) == 1


def test_what_did_not_happen_is_told_by_what_broke_the_story_off(told: Story) -> None:
    with pytest.raises(CheckFailed, match="live through"):
        told.answer("slow")
    told.trouble = CheckFailed("an answer", "none")
    with pytest.raises(CheckFailed, match="an answer"):
        told.row("sleep")


def test_a_forged_line_is_none_of_the_services(told: Story) -> None:
    told.api = [Line("stdout", json.dumps({"msg": text})) for text in ("own", FORGED)]
    told.worker = [Line("stderr", "Traceback")]
    assert [entry.get("msg") for entry in told.api_entries] == ["own"]
    assert told.worker_entries == []
    assert len(told.lines) == 3


def test_the_forgery_is_a_line_of_its_own_and_a_title_that_the_contract_takes() -> None:
    lines = FORGERY.splitlines()
    assert json.loads(lines[1])["msg"] == FORGED
    assert len(TASKS["forging"]["title"]) <= 200
    assert len(TASKS["fail"]["payload"]["message"]) <= 1000
