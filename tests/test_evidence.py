"""What a check did and saw: short, in order, and harmless to look at."""

from __future__ import annotations

import threading

import pytest

from labkit import evidence
from labkit.evidence import CheckFailed, Journal, did, excerpt, harmless, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode 中文 🏳", "plain, ünïcode 中文 🏳"),
        ("\x1b[31mred\x1b[0m\x07", "\\x1b[31mred\\x1b[0m\\x07"),
        ("\x1b]0;title\x07\x9b2J", "\\x1b]0;title\\x07\\u009b2J"),
        ("back\b\b\r\x7f", "back\\x08\\x08\\x0d\\x7f"),
        ("left\u202eright\u2028\U000e0041", "left\\u202eright\\u2028\\U000e0041"),
        ("half \ud800 pair", "half \\ud800 pair"),
        ("a\tb", "a    b"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_left(text: str, shown: str) -> None:
    assert harmless(text) == shown
    assert harmless(text).isprintable()


def test_one_line_of_bounded_length() -> None:
    assert shorten("two\nlines") == "two\\nlines"
    assert shorten("x" * 300) == "x" * 300
    assert shorten("x" * 301) == "x" * 270 + " … (301 characters)"
    assert len(shorten("\x00" * 299)) <= 300
    assert shorten("é\n" * 5_000_000, 50).endswith(" … (10,000,000 characters)")


def test_a_secret_that_was_said_is_not_said_again() -> None:
    evidence.expect_unsaid(["pa55", "key"], "none\nof them", "no secrets")
    with pytest.raises(CheckFailed) as failure:
        evidence.expect_unsaid(["pa55", "key"], "first\nit is pa55, key\x1b and pa55\nlast", "no secrets")
    here = "‹the secret stands here›"
    assert (failure.value.expected, failure.value.saw) == (
        "no secrets",
        f"it is {here}, {here}\\x1b and {here}",
    )


def test_an_excerpt_keeps_its_lines_but_not_all_of_them() -> None:
    assert excerpt("a\n\tb\x1b\n") == "a\n    b\\x1b\n"
    assert excerpt("a\nb\nc\nd", lines=2) == "a\nb … (7 characters)"
    assert excerpt("x" * 10, characters=4) == "xxxx … (10 characters)"


def test_a_failure_cannot_carry_more_than_anybody_reads() -> None:
    failure = CheckFailed("nothing\x1b[2J", "y" * 10_000_000 + "\ud800")
    assert failure.expected == "nothing\\x1b[2J"
    assert len(failure.saw) < 5_000
    str(failure).encode()  # xdist sends it to another process


def test_the_journal_shows_the_last_actions_and_counts_those_of_one_kind() -> None:
    with evidence.recording(Journal()) as journal:
        did("start the api")
        for number in range(9):
            did(f"GET /tasks/{number}", kind="GET", curl=f"curl {number}")
        did("send SIGTERM to api")
        did("GET /health", curl="curl health")
    assert journal.did() == "… GET /tasks/8 (after 8 others of its kind)\nsend SIGTERM to api\nGET /health"
    assert journal.did(most=9).splitlines()[0] == "start the api"
    assert journal.curls() == ["curl 8", "curl health"]


def test_journals_are_kept_apart_and_threads_write_into_the_running_one() -> None:
    with evidence.recording(Journal()) as outer:
        with evidence.recording(Journal()) as inner:
            thread = threading.Thread(target=did, args=("in a thread",))
            thread.start()
            thread.join()
        did("afterwards")
    assert [action.text for action in inner.actions] == ["in a thread"]
    assert [action.text for action in outer.actions] == ["afterwards"]
