"""Work that is done several at a time, with a bar that shows how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")
R = TypeVar("R")


def bar(out: Console, title: str) -> Progress:
    """A progress bar for a terminal, with what is left and for how long; nothing anywhere else, and nothing
    when it is done."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    left = (TextColumn("left"), TimeRemainingColumn(compact=True), TextColumn("{task.description}"))
    return Progress(
        *columns,
        *left,
        console=out,
        transient=True,
        disable=not out.is_terminal,
        speed_estimate_period=300,
    )


def each(work: Callable[[T], R], todo: Sequence[T], processes: int) -> Iterator[tuple[T, R]]:
    """Each piece and what came of it, as soon as it is done. What has not begun when the caller leaves, or
    when a piece raises, is left out."""
    with ThreadPoolExecutor(processes) as pool:
        waiting = {pool.submit(work, piece): piece for piece in todo}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def done(
    out: Console,
    title: str,
    work: Callable[[T], R],
    todo: Sequence[T],
    name: Callable[[T], str],
    processes: int,
) -> Iterator[tuple[T, R]]:
    """The same, with a bar under a title that shows the name of what was done last."""
    with bar(out, title) as shown:
        task = shown.add_task("", total=len(todo))
        for piece, result in each(work, todo, processes):
            shown.update(task, advance=1, description=name(piece))
            yield piece, result
