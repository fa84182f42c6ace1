"""The report in the terminal: one failure on one screen, in every terminal, whatever the texts hold."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from rich.cells import cell_len

from labkit import encoding, manifest
from labkit.exports import terminal
from labkit.report import Report, Verdict

ROOT = Path(__file__).parent.parent
LAB01 = [name for name in manifest.load(ROOT) if name.startswith("lab01.")]
LONG = "a rather long sentence about what happened, with much detail in it, and then some more of it. "
AVerdict = Callable[..., Verdict]
AReport = Callable[..., Report]


@pytest.fixture
def one_failure(a_verdict: AVerdict, a_report: AReport) -> Callable[..., Report]:
    """A run of all checks of lab 01 of which one failed, with the given evidence."""

    def make(**fields: object) -> Report:
        failed = a_verdict(LAB01[20], "failed", **fields)
        return a_report(*(failed if name == failed.id else a_verdict(name) for name in LAB01))

    return make


def lines(report: Report, **options: object) -> list[str]:
    """What a terminal of 80 columns shows."""
    file = io.StringIO()
    terminal.render(terminal.console(file), report, **options)  # type: ignore[arg-type]
    return file.getvalue().splitlines()


def too_wide(shown: Iterable[str]) -> list[str]:
    """Lines that a terminal of 80 columns would break, but for the one that is copied."""
    return [line for line in shown if cell_len(line) > 80 and not line.startswith("   paste")]


def test_one_failure_is_opened_above_all_that_passed(one_failure: Callable[..., Report]) -> None:
    shown = lines(one_failure(curl=("curl -i http://127.0.0.1:8080/tasks/7",), log=("GET /tasks/7 404",)))
    name = LAB01[20]
    assert shown[:10] == [
        f"✗ {name}" + " " * (80 - 2 - len(name) - 6) + "0/0.2",
        "  A task that was created can be read.",
        "   we did    GET /tasks/7",
        "   expected  200",
        "   saw       404",
        "   log       GET /tasks/7 404",
        "   ask       Where did it go?",
        "   read      labs/lab01.md#reading",
        f"   again     pytest checks/lab01 -k {name.rpartition('.')[2]}",
        "   paste     curl -i http://127.0.0.1:8080/tasks/7",
    ]
    assert shown[10] == ""
    assert re.match(r"✓ lab01\.service         8 passed   [\d.]+  starts · health · ", shown[11])
    assert shown[-2].startswith("lab01 REST API  ███████████████████░ ")
    assert shown[-2].endswith(f" points  {len(LAB01) - 1} passed, 1 failed")
    assert shown[-1] == f"12.3 s. Next: pytest checks/lab01 -k {name.rpartition('.')[2]}"
    assert len(shown) <= 40
    assert too_wide(shown) == []


@pytest.mark.parametrize(
    "text",
    [
        LONG * 40,
        "\n".join([LONG] * 40),
        "x" * 10_000,
        "中文字符" * 500,
        "🏳️‍🌈é\u0301" * 300,
        "\x1b[2J\x1b[31m\x07" * 500,
        "\t" * 500,
        "\n" * 500,
        "a  b" * 500,
    ],
    ids=["words", "lines", "one word", "wide", "emoji", "escape codes", "tabs", "line breaks", "spaces"],
)
def test_one_failure_fits_on_one_screen_whatever_it_says(
    one_failure: Callable[..., Report], text: str
) -> None:
    shown = lines(
        one_failure(
            title=text,
            did=text,
            expected=text,
            saw=text,
            ask=text,
            log=(text, text, text, text),
            curl=("curl -i http://127.0.0.1:8080/" + "x" * 278,),
        )
    )
    assert too_wide(shown) == []
    rows = sum(max(1, -(-cell_len(line) // 80)) for line in shown)
    assert rows <= 40, "\n".join(shown)
    assert all(line.isprintable() for line in shown)
    assert any(line.startswith("✓ ") for line in shown), "what passed is told, in however short a way"
    assert shown[-1].startswith("12.3 s. Next: pytest")


def test_escape_codes_are_shown_not_obeyed(one_failure: Callable[..., Report]) -> None:
    evil = "\x1b]0;owned\x07\x1b[2Jall \u202egood"
    shown = "\n".join(lines(one_failure(saw=evil, did=evil, expected=evil, log=(evil,), curl=(evil,))))
    assert shown.replace("\n", "").isprintable()
    assert shown.count("\\x1b]0;owned\\x07\\x1b[2Jall \\u202egood") == 5


def test_the_end_of_a_log_is_kept_when_it_is_too_long(one_failure: Callable[..., Report]) -> None:
    log = [
        f'  File "/srv/project/api_service/module_{n}.py", line {n}, in a_function_with_a_name'
        for n in range(9)
    ]
    saw = "\n".join(
        ["it exited with status 1 0.2 s after the start; its last lines:", *log, "  KeyError: 'API_PORT'"]
    )
    shown = "\n".join(lines(one_failure(saw=saw)))
    assert "it exited with status 1" in shown
    assert "KeyError: 'API_PORT'" in shown
    assert "module_0" not in shown


def test_a_curl_line_stands_unbroken_or_not_at_all(one_failure: Callable[..., Report]) -> None:
    short, long = "curl -i " + "x" * 290, "curl -i " + "x" * 310
    assert f"   paste     {short}" in lines(one_failure(curl=(long, short)))
    assert not any("paste" in line for line in lines(one_failure(curl=(short, long))))


def test_four_failures_are_opened_the_rest_in_a_line_each(a_verdict: AVerdict, a_report: AReport) -> None:
    made = a_report(
        *(a_verdict(name, "failed" if index < 9 else "passed") for index, name in enumerate(LAB01))
    )
    shown = lines(made)
    assert sum(line.startswith("   saw ") for line in shown) == 4
    heads = [line for line in shown if line.startswith("✗")]
    assert [head.split()[1] for head in heads] == LAB01[:9]
    assert too_wide(shown) == []
    everything = lines(made, everything=True)
    assert sum(line.startswith("   saw ") for line in everything) == 9
    assert sum(line.startswith("✓") for line in everything) == len(LAB01) - 9


def test_a_project_that_does_not_start_is_one_failure(a_verdict: AVerdict, a_report: AReport) -> None:
    first, *others = LAB01
    failed = a_verdict(
        first, "failed", saw="it exited with status 1; its last lines:\n  No module named 'flsk'"
    )
    shown = lines(a_report(failed, *(a_verdict(name, "blocked", blocked_by=first) for name in others)))
    assert sum(line.startswith("✗") for line in shown) == 1
    assert f"◌ {len(others)} more wait for {first}" in shown
    assert shown[-2].endswith(f"  1 failed, {len(others)} blocked")
    assert shown[-1].endswith(f"Next: pytest checks/lab01 -k {first.rpartition('.')[2]}")
    assert len(shown) < 16


def test_a_blocked_check_alone_shows_its_cause(a_verdict: AVerdict, a_report: AReport) -> None:
    blocked = a_verdict(
        "lab01.read.answers_200", "blocked", blocked_by="lab01.service.starts", saw="port 80 instead"
    )
    shown = lines(a_report(blocked))
    assert shown[0].startswith("◌ lab01.read.answers_200 ")
    assert "   blocked   until lab01.service.starts passes" in shown
    assert "   saw       port 80 instead" in shown
    assert shown[-1] == "12.3 s. Next: pytest checks/lab01 -k answers_200"


def test_one_check_waits_and_two_wait(a_verdict: AVerdict, a_report: AReport) -> None:
    gate = a_verdict("lab01.a.gate", "failed")
    one = a_verdict("lab01.b.one", "blocked", blocked_by="lab01.a.gate")
    two = a_verdict("lab01.b.two", "blocked", blocked_by="lab01.a.gate")
    assert "◌ 1 more waits for lab01.a.gate" in lines(a_report(gate, one))
    shown = lines(a_report(gate, one, two))
    assert shown[shown.index("◌ 2 more wait for lab01.a.gate") + 1] == "    b.one, b.two"


def test_an_error_that_many_checks_share_is_shown_once(a_verdict: AVerdict, a_report: AReport) -> None:
    shown = lines(
        a_report(*(a_verdict(name, "error", saw="PostgreSQL cannot start.\nMake room.") for name in LAB01))
    )
    assert shown == [
        f"! {len(LAB01)} checks could not be run",
        "   saw       PostgreSQL cannot start.",
        "             Make room.",
        "",
        f"lab01 REST API  ░░░░░░░░░░░░░░░░░░░░ 0/{0.2 * len(LAB01):g} points  {len(LAB01)} error",
        "12.3 s. The grader itself had a problem: no points are lost by it. If you cannot",
        "mend what it says above, tell your instructor.",
    ]


def test_an_error_of_one_check_is_opened_without_a_question(a_verdict: AVerdict, a_report: AReport) -> None:
    shown = "\n".join(
        lines(a_report(a_verdict("lab01.a.b", "error", saw="KeyError: 3"), a_verdict("lab01.a.c")))
    )
    assert "! lab01.a.b" in shown
    assert "   saw       KeyError: 3" in shown
    assert "   ask " not in shown


def test_problems_of_the_grader_are_told(one_failure: Callable[..., Report]) -> None:
    shown = lines(one_failure(), problems=["In checks/manifest.json, but did not run: lab01.a.b."])
    assert " ! grader    In checks/manifest.json, but did not run: lab01.a.b." in shown
    assert "The grader itself had a problem" in shown[-2]


def test_all_passed_points_to_the_next_handout(a_verdict: AVerdict, a_report: AReport) -> None:
    from labkit.report import Course

    course = Course("c", titles={"lab01": "One", "lab02": "Two"}, handouts={"lab02": "labs/lab-02.md"})
    assert lines(a_report(a_verdict()), course=course)[-1] == "12.3 s. All passed. Next: labs/lab-02.md"
    assert lines(a_report(a_verdict("lab02.a.b")), course=course)[-1] == "12.3 s. All passed."


def test_an_interrupted_run_does_not_say_that_all_passed(a_verdict: AVerdict, a_report: AReport) -> None:
    last = lines(a_report(a_verdict()), interrupted=True)[-1]
    assert last == "12.3 s. Interrupted: this is how far the checks came."


def test_a_long_title_of_a_lab_leaves_less_room_for_the_bar(a_verdict: AVerdict, a_report: AReport) -> None:
    shown = lines(a_report(a_verdict("lab04.a.b", "failed"), a_verdict("lab04.a.c")))
    assert shown[-2].startswith("lab04 Configuration, scripts, logging  ")
    assert too_wide(shown) == []


# -- terminals -----------------------------------------------------------------------------------------------


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("file", "color", "no_color", "coloured"),
    [
        (Screen, "auto", "", True),
        (Screen, "auto", "1", False),
        (Screen, "no", "", False),
        (io.StringIO, "auto", "", False),
        (io.StringIO, "yes", "", True),
    ],
)
def test_colour_only_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
    one_failure: Callable[..., Report],
    file: type[io.StringIO],
    color: str,
    no_color: str,
    coloured: bool,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", no_color)
    out = file()
    terminal.render(terminal.console(out, color), one_failure())
    assert ("\x1b[" in out.getvalue()) is coloured


@pytest.mark.parametrize("charset", ["ascii", "latin-1", "cp1252"])
def test_signs_that_every_encoding_has(one_failure: Callable[..., Report], charset: str) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=charset)
    encoding.make_lenient(file)
    terminal.render(terminal.console(file), one_failure(saw="naïve … 中 ✓"))
    file.flush()
    text = raw.getvalue().decode(charset)
    assert text.startswith(f"FAILED {LAB01[20]} ")
    assert "\nok lab01.service" in text
    assert " [####" not in text
    assert re.search(r"^lab01 REST API  #+\.+ ", text, re.MULTILINE)
    assert "\\u4e2d" in text


def test_utf8_stays_as_it_is(one_failure: Callable[..., Report]) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="utf-8")
    encoding.make_lenient(file)
    terminal.render(terminal.console(file), one_failure(saw="naïve … 中"))
    file.flush()
    assert "naïve … 中" in raw.getvalue().decode()


def test_as_plain_text(one_failure: Callable[..., Report]) -> None:
    text = terminal.to_text(one_failure())
    assert text.startswith("✗ ")
    assert "\x1b" not in text
    assert text.endswith("\n")
