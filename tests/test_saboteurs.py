"""Every saboteur of lab 05 does harm: the checks of labs 01 and 02 notice it in the reference."""

import shutil
from pathlib import Path

import pytest

from labkit import sabotage
from labkit.sabotage.saboteurs import SABOTEURS
from labkit.suite.wire import SABOTEUR

ROOT = Path(__file__).parent.parent

NOTICED_BY = {
    "created_answers_200": "lab01/create.answers_201",
    "location_is_missing": "lab01/create.says_where",
    "created_task_is_lost": "lab01/read.gives_the_task",
    "description_is_dropped": "lab01/create.keeps_what_was_sent",
    "priority_is_forgotten": "lab01/create.keeps_what_was_sent",
    "blank_titles_are_taken": "lab01/validation.title_is_not_blank",
    "long_titles_are_cut": "lab01/validation.title_has_at_most_200_characters",
    "unknown_fields_are_ignored": "lab01/validation.unknown_fields_are_refused",
    "invalid_input_is_422": "lab01/validation.title_is_required",
    "details_are_empty": "lab01/envelope.details_name_the_field",
    "missing_task_is_null": "lab01/read.unknown_task_is_404",
    "malformed_id_is_404": "lab01/read.malformed_id_is_400",
    "limit_is_ignored": "lab01/lists.limit_is_kept",
    "every_page_is_the_first": "lab01/lists.pages_have_no_gap_and_no_overlap",
    "filter_is_ignored": "lab01/lists.status_filters",
    "total_counts_the_page": "lab01/lists.total_counts_all",
    "newest_first": "lab01/lists.order_is_by_creation",
    "update_writes_nothing": "lab01/replace.is_there_afterwards",
    "update_keeps_what_was_left_out": "lab01/replace.resets_what_is_left_out",
    "updated_at_stands_still": "lab01/replace.moves_updated_at",
    "delete_keeps_the_task": "lab01/delete.is_gone",
    "delete_of_nothing_succeeds": "lab01/delete.never_was_is_404",
    "health_hides_an_outage": "lab02/faults.health_says_down",
    "request_id_is_replaced": "lab01/request_ids.given_id_comes_back",
}


def test_each_has_a_check_that_notices_it() -> None:
    assert NOTICED_BY.keys() == SABOTEURS.keys()


@pytest.mark.parametrize("saboteur", NOTICED_BY)
def test_the_checks_notice_it(saboteur: str, run, tmp_path: Path) -> None:
    project = shutil.copytree(
        ROOT / "project", tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")
    )
    boot = Path(sabotage.__file__).parent / "boot"
    procfile = (project / "Procfile").read_text(encoding="utf-8")
    (project / "Procfile").write_text(
        procfile.replace("api: ", f"api: env PYTHONPATH={boot} {SABOTEUR}={saboteur} "), encoding="utf-8"
    )
    lab, check = NOTICED_BY[saboteur].split("/")
    ended = run("pytest", f"checks/{lab}", "-k", f"{lab}.{check}", "--project", str(project))
    assert ended.status == 1, ended.out
    assert ended.says(f"{lab}.{check}", "1 failed")
