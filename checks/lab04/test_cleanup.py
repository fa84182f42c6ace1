"""cleanup.py: everything goes, but only for those who mean it."""

import re

from labkit import scripts
from labkit.checks import check
from labkit.evidence import expect

HANDOUT = "lab-04-operations.md#cleaning-up"
SCRIPT = "cleanup.py"
TASKS = 37


@check(points=0.2, read=HANDOUT)
def test_asks_for_confirmation(stage):
    """Without `--confirm` nothing is deleted; the script says so and exits with 1.

    Somebody typed it into the wrong window; a timer started it with an option missing. How does each of them
    learn what was not done?
    """
    stage.add_many(TASKS)
    ended = scripts.run(stage.project, SCRIPT, settings={"DATABASE_URL": stage.database.url})
    ended.expect(1, "without --confirm")
    rows = stage.probe.count()
    expect(rows == TASKS, f"all {TASKS} tasks still there", f"{rows} rows")
    expect("confirm" in ended.said.lower(), "a line that says what is needed: --confirm", ended)


@check(points=0.3, read=HANDOUT)
def test_deletes_all(stage):
    """With `--confirm` all tasks are deleted, and the script prints how many they were.

    Somebody reads only what the script prints. How do they know that the table is empty, and that it was the
    right one?
    """
    stage.add_many(TASKS)
    ended = scripts.run(stage.project, SCRIPT, "--confirm", settings={"DATABASE_URL": stage.database.url})
    ended.expect(0, "with --confirm")
    rows = stage.probe.count()
    expect(rows == 0, "no task left", f"{rows} rows")
    expect(bool(re.search(rf"\b{TASKS}\b", ended.said)), f"the number of tasks, {TASKS}, printed", ended)
