"""The bench's page and picture, drawn from recorded numbers, and what it says to wrong arguments."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from labkit.errors import UsageError

sys.path.append(str(Path(__file__).parents[1]))  # bench/ is run where it stands, not installed

from bench.__main__ import main
from bench.page import page
from bench.picture import picture
from bench.results import Machine, Pickup, Results, Throughput, ratio

SVG = "{http://www.w3.org/2000/svg}"


def throughput(
    system: str, label: str, *rates: float, processes: int = 1, log: bool = False, history: int = 0
) -> Throughput:
    return Throughput(system, label, processes, log, history, 1000, rates, 512.4, 0.02)


MACHINE = Machine("A CPU", 2, 16.0, "Linux 6", 0.0004, 0.03, {"PostgreSQL": "18.1"}, {"fsync": "on"})
RESULTS = Results(
    date="2030-01-02",
    command="make bench",
    rounds=3,
    minutes=9.5,
    machine=MACHINE,
    throughput=(
        throughput("FlowForge", "slow", 100.0, 110.0, 120.0),
        throughput("FlowForge", "fast", 30_000.0, 45_000.0, 20_000.0),
        throughput("FlowForge", "fast", 12_000.0, 13_000.0, 14_000.0, log=True),
        throughput("FlowForge", "fast", 15_000.0, 45_000.0, 18_000.0, history=1_000_000),
        throughput("pgqueuer", "batch <500>", 15_000.0, 15_000.0, 16_000.0),
        throughput("procrastinate", "default", 2000.0, 2500.0, 2500.0),
    ),
    pickup=(Pickup("FlowForge", "poll", 200, 2.5, 4.95), Pickup("pgqueuer", "notify", 200, 0.0016, 0.0042)),
)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """The recorded run as a file."""
    path = tmp_path / "bench.json"
    RESULTS.save(path)
    return path


def cells(text: str, *beginning: str) -> list[str]:
    """The cells of the only row of a table that begins with these cells."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line
    ]
    [row] = [row for row in rows if row[: len(beginning)] == list(beginning)]
    return row


def test_a_record_comes_back_as_it_was(record: Path) -> None:
    assert Results.load(record) == RESULTS


def test_a_ratio_compares_each_round_with_itself() -> None:
    one, other = throughput("a", "", 10.0, 40.0, 100.0), throughput("b", "", 5.0, 10.0, 100.0)
    assert ratio(one, other) == 2.0  # of the medians it would be 4


def test_the_best_has_no_log_lines_and_no_history() -> None:
    best = RESULTS.best("FlowForge", 1)
    assert best is not None
    assert (best.label, best.log, best.history) == ("fast", False, 0)
    assert RESULTS.best("FlowForge", 2) is None


def test_rows_are_sorted_by_system_settings_and_processes() -> None:
    two = throughput("FlowForge", "slow", 150.0, processes=2)
    mixed = replace(RESULTS, throughput=(*RESULTS.throughput, two))
    rows = [(row.system, row.label, row.processes) for row in mixed.sorted() if not (row.log or row.history)]
    assert rows[:3] == [("FlowForge", "slow", 1), ("FlowForge", "slow", 2), ("FlowForge", "fast", 1)]
    assert [system for system, _, _ in rows[3:]] == ["pgqueuer", "procrastinate"]


def test_the_page_says_which_goals_are_met() -> None:
    text = page(RESULTS)
    assert cells(text, "1", "30,000 (fast)", "pgqueuer")[-3:] == ["**2.0**", "1.5", "yes"]
    assert cells(text, "1", "30,000 (fast)", "procrastinate")[-3:] == ["**15.0**", "20", "no"]


def test_the_page_has_every_setting_once() -> None:
    row = cells(page(RESULTS), "FlowForge", "fast", "yes")
    assert row[3:] == ["1", "13,000", "12,000 – 14,000", "512", "0.020", "1,000"]


def test_the_page_tells_what_a_history_costs() -> None:
    text = page(RESULTS)
    assert "With 1,000,000 finished tasks" in text
    assert cells(text, "FlowForge, fast")[1:] == ["30,000", "18,000", "0.90"]
    without = replace(RESULTS, throughput=tuple(row for row in RESULTS.throughput if not row.history))
    assert "finished tasks in the database" not in page(without)


def test_the_page_names_the_machine_and_the_command() -> None:
    text = page(RESULTS)
    for part in (
        "A CPU",
        "PostgreSQL 18.1",
        "`fsync = on`",
        "0.40 ms",
        "used 3%",
        "`make bench`, 2030-01-02",
    ):
        assert part in text
    assert cells(text, "pgqueuer", "notify")[2:] == ["200", "1.60 ms", "4.20 ms"]


def test_the_page_warns_of_a_busy_machine() -> None:
    assert "Other programs used" not in page(RESULTS)
    assert "Other programs used 40%" in page(replace(RESULTS, machine=replace(MACHINE, busy=0.4)))


def test_tables_are_whole() -> None:
    """Every row of a table has as many cells as its header."""
    for table in re.findall(r"(?:^\|.*\n)+", page(RESULTS), flags=re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_bars_are_as_long_as_their_rates() -> None:
    drawn = ElementTree.fromstring(picture(RESULTS))
    widths = [
        float(bar.attrib["width"]) for bar in drawn.iter(f"{SVG}rect") if bar.find(f"{SVG}title") is not None
    ]
    assert len(widths) == 5  # without the one with a history
    longest, shortest = max(widths), min(widths)
    assert widths[1] == longest
    assert shortest == pytest.approx(longest * 110 / 30_000, abs=0.1)


def test_the_picture_fits_its_frame_and_escapes_names() -> None:
    drawn = ElementTree.fromstring(picture(RESULTS))
    labels = [text.text or "" for text in drawn.iter(f"{SVG}text") if text.get("text-anchor") == "end"]
    assert "fast, log lines" in labels
    width, height = float(drawn.attrib["width"]), float(drawn.attrib["height"])
    texts = list(drawn.iter(f"{SVG}text"))
    assert "batch <500>" in [text.text for text in texts]
    assert all(float(text.attrib["x"]) < width - 40 and float(text.attrib["y"]) < height for text in texts)


def test_render_writes_the_page_again(record: Path, tmp_path: Path) -> None:
    assert main(["--render", "--record", str(record), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "performance.md").read_text() == page(RESULTS)
    assert (tmp_path / "performance.svg").read_text() == picture(RESULTS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rounds", "-1"], "--rounds is -1"),
        (["--rounds", "many"], "valid integer"),
        (["--fast"], "No such option"),
        (["--out", "/nowhere/at/all"], "There is no folder /nowhere/at/all"),
        (["--render", "--record", "/nowhere/bench.json"], "no such file"),
    ],
)
def test_wrong_arguments_get_a_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == UsageError.exit_status
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


def test_a_record_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.json").write_text('{"schema": 1}')
    assert main(["--render", "--record", str(tmp_path / "other.json")]) == UsageError.exit_status
    assert "not a record of this bench" in capsys.readouterr().err
