"""A progress bar over the checks of a run, where there is a terminal to show it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from labkit.checks import Check


class Live:
    """Nothing at all where the output is no terminal."""

    def __init__(self, out: Console) -> None:
        self._bar: Progress | None = None
        self._out = out

    def begin(self, collected: Sequence[Check]) -> None:
        """The checks that will run."""
        if not self._out.is_terminal or not self._out.file.isatty():
            return
        self._bar = Progress(
            SpinnerColumn("line"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[now]}", style="dim"),
            console=self._out,
            auto_refresh=False,
            transient=True,
        )
        labs = ", ".join(dict.fromkeys(check.lab for check in collected))
        self._task = self._bar.add_task(labs, total=len(collected), now="starting")
        self._bar.start()
        self._bar.refresh()

    def running(self, name: str) -> None:
        """A check begins."""
        if self._bar:
            self._bar.update(self._task, now=name[:40], refresh=True)

    def done(self) -> None:
        """A check has ended."""
        if self._bar:
            self._bar.update(self._task, advance=1, refresh=True)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()
            self._bar = None
