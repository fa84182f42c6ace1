"""The loop: claim a task, run it, say what became of it, and again."""

import time

from .settings import Settings


def run(settings: Settings) -> None:
    """Goes round for ever; what ends it is a signal."""
    while True:
        # TODO lab03#claiming: ask for the next task. What must be true before you begin to work on it?
        # TODO lab03#tasks-and-their-types: run it. Which errors are the task's, and which are yours?
        # TODO lab03#one-worker-many-tasks: is there room for another one already, while this one still runs?
        # TODO lab03#when-a-worker-dies: while a task runs, who tells the others that you are alive?
        # TODO lab03#polling: is this pause right after a task, too?
        time.sleep(settings.poll_interval_s)
