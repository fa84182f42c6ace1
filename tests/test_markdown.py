"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from labkit import exports
from labkit.errors import UsageError
from labkit.exports import markdown
from labkit.report import Report, Verdict

AVerdict = Callable[..., Verdict]
AReport = Callable[..., Report]


def test_points_then_failures_then_the_rest(a_verdict: AVerdict, a_report: AReport) -> None:
    text = markdown.to_text(
        a_report(
            a_verdict("lab01.read.answers_200", "failed", curl=("curl -i x",), log=("GET /tasks/7 404",)),
            a_verdict("lab01.delete.is_gone", "blocked", blocked_by="lab01.read.answers_200"),
            a_verdict("lab01.create.answers_201"),
            a_verdict("lab02.pool.is_bounded"),
        )
    )
    assert text.startswith("# 0.4 of 0.8 points\n\n| Lab | Points | Checks |\n|---|---|---|\n")
    assert "| lab01 REST API | 0.2 / 0.6 | 1 passed, 1 failed, 1 blocked |\n" in text
    assert "## ❌ A task that was created can be read\n" in text
    assert "**We saw**\n\n```text\n404\n```\n" in text
    assert "**The service's log**\n\n```text\nGET /tasks/7 404\n```\n" in text
    assert "> Where did it go?\n" in text
    assert "Again: `pytest checks/lab01 -k answers_200`\n" in text
    assert "```sh\ncurl -i x\n```\n" in text
    assert "- `lab01.delete.is_gone` waits for `lab01.read.answers_200`\n" in text
    assert text.index("<details>") < text.index("✅ `lab01.create.answers_201` 0.2/0.2")


def test_nothing_in_a_text_can_close_its_block(a_verdict: AVerdict, a_report: AReport) -> None:
    saw = "```\n</details><script>alert(1)</script>\n````\n# 100 of 100 points\x1b[2J"
    text = markdown.to_text(a_report(a_verdict("lab01.a.b", "failed", saw=saw)))
    fence = "`````"
    assert f"{fence}text\n```\n</details>" in text
    assert text.count(fence) == 2
    assert "\x1b" not in text
    inside = text.split(fence)[1]
    assert "# 100 of 100 points\\x1b[2J" in inside


def test_an_error_that_many_checks_share_is_told_once(a_verdict: AVerdict, a_report: AReport) -> None:
    text = markdown.to_text(
        a_report(*(a_verdict(f"lab01.a.n{n}", "error", saw="no server") for n in range(50)))
    )
    assert "## ⚠️ 50 checks could not be run\n" in text
    assert text.count("no server") == 1


def test_a_blocked_check_alone_shows_its_cause(a_verdict: AVerdict, a_report: AReport) -> None:
    text = markdown.to_text(
        a_report(a_verdict("lab01.a.b", "blocked", blocked_by="lab01.a.gate", saw="port 80"))
    )
    assert "Blocked until `lab01.a.gate` passes.\n" in text
    assert "port 80" in text


def test_forms(a_verdict: AVerdict, a_report: AReport) -> None:
    made = a_report(a_verdict())
    assert exports.export(made, "markdown") == markdown.to_text(made)
    with pytest.raises(UsageError) as caught:
        exports.export(made, "word")
    assert caught.value.what == "There is no form 'word'."
    assert "markdown" in caught.value.remedy
