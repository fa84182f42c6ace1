"""What happened during one check: what we did, what came back, and why it was not what we wanted.

The client, the services and the probes write into the journal of the check that runs at the moment;
the plugin opens a new one for every check and turns it into the verdict's evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NoReturn

from labkit.contract import Violation


class CheckFailed(AssertionError):
    """The project does not do what the check asks.

    `expected` and `saw` are short texts for the student; `saw` may hold several lines.
    """

    def __init__(self, expected: str, saw: object) -> None:
        self.expected = excerpt(expected)
        self.saw = excerpt(str(saw))
        super().__init__(f"expected {self.expected}\nsaw {self.saw}")


class Blocked(Exception):
    """The check cannot say anything before another one passes.

    `by` is that check's id, `cause` what stood in the way, as that check would report it.
    """

    def __init__(self, by: str, cause: CheckFailed) -> None:
        self.by = by
        self.cause = cause
        super().__init__(f"blocked by {by}: {cause}")


class TimeUp(BaseException):
    """A check took longer than any check may. No check can catch this by mistake: it is no Exception."""

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s
        super().__init__(f"not done after {after_s:.0f} s")


@dataclass(frozen=True)
class Action:
    """One thing that the check did, in one line. `kind` groups actions that differ only in their data."""

    text: str
    kind: str
    curl: str | None = None


@dataclass(frozen=True)
class Wait:
    """Something that a check waited for: at most `given` seconds, `fixed` of which are not ours to give, and
    it `took` so many (all on the reference machine). Unless `met`, the time was up before it came."""

    given: float
    fixed: float
    took: float
    met: bool


@dataclass
class Journal:
    """The record of one check, oldest entry first."""

    actions: list[Action] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    logs: list[Callable[[], list[str]]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    """Sentences that are shown whatever the outcome, and never graded."""
    waits: list[Wait] = field(default_factory=list)

    def take_over(self, other: Journal) -> None:
        """What happened elsewhere happened here, too; but advice is for where it was given."""
        self.actions.extend(other.actions)
        self.violations.extend(other.violations)
        self.logs.extend(other.logs)
        self.waits.extend(other.waits)

    def longest_waits(self) -> tuple[Wait, ...]:
        """For each deadline the longest wait, one that was in vain before all others; the shortest deadline
        first."""
        longest: dict[tuple[float, float], Wait] = {}
        for wait in sorted(self.waits, key=lambda wait: (not wait.met, wait.took)):
            longest[wait.given, wait.fixed] = wait
        return tuple(wait for _, wait in sorted(longest.items()))

    def did(self, most: int = 3) -> str:
        """The last `most` actions, a line each; runs of the same kind are counted, not listed."""
        lines: list[tuple[str, Action, int]] = []
        for action in self.actions:
            if lines and lines[-1][0] == action.kind:
                lines[-1] = (action.kind, action, lines[-1][2] + 1)
            else:
                lines.append((action.kind, action, 1))
        shown = [f"{action.text}{_after(count - 1)}" for _, action, count in lines[-most:]]
        if len(lines) > most:
            shown[0] = f"… {shown[0]}"
        return "\n".join(shown)

    def log(self) -> list[str]:
        """The last lines of the services that this check watches."""
        return [line for tail in self.logs for line in tail()]

    def curls(self, most: int = 2) -> list[str]:
        """The last `most` HTTP requests as curl lines, oldest first."""
        return [action.curl for action in self.actions if action.curl][-most:]


def _after(others: int) -> str:
    """What is said of actions that are not shown, since one of their kind is."""
    if not others:
        return ""
    return " (after another of its kind)" if others == 1 else f" (after {others} others of its kind)"


_current = Journal()
_of_this_thread: ContextVar[Journal | None] = ContextVar("journal", default=None)


def journal() -> Journal:
    """The journal of the check that runs now (a spare one outside of checks)."""
    return _of_this_thread.get() or _current


@contextmanager
def aside(into: Journal) -> Iterator[Journal]:
    """What this thread does inside is written into `into`, and not into the journal of the running check.

    Waits are written into the journal that this thread had before, too."""
    before = _of_this_thread.get()
    token = _of_this_thread.set(into)
    try:
        yield into
    finally:
        _of_this_thread.reset(token)
        if before is not None:
            before.waits.extend(into.waits)


@contextmanager
def recording(into: Journal) -> Iterator[Journal]:
    """Everything that happens inside is written into `into`, whichever thread does it; waits into the
    journal before it, too."""
    global _current
    before, _current = _current, into
    try:
        yield into
    finally:
        _current = before
        before.waits.extend(into.waits)


def did(text: str, *, kind: str | None = None, curl: str | None = None) -> None:
    """Record that the check did `text` (past tense not needed: «send SIGTERM to api»)."""
    journal().actions.append(Action(text, kind or text, curl))


def only(*texts: str) -> None:
    """What the running check shows of what was done, in place of all that led there: for a check that
    judges a part of what others have seen to."""
    journal().actions[:] = [Action(text, text) for text in texts]


def expect(holds: bool, expected: str, saw: object) -> None:
    """Fail the check unless `holds`; `expected` completes the sentence «we expected …»."""
    if not holds:
        raise CheckFailed(expected, saw)


def fail(expected: str, saw: object) -> NoReturn:
    """Fail the check."""
    raise CheckFailed(expected, saw)


_SECRET = "‹the secret stands here›"


def expect_unsaid(secrets: Sequence[str], text: str, expected: str) -> None:
    """Fail the check if a line of `text` holds one of the secrets, and show it with a mark in their place."""
    for line in text.split("\n"):
        shown = line
        for secret in secrets:
            shown = shown.replace(secret, _SECRET)
        if shown != line:
            fail(expected, shorten(shown, 500))


def listed(sentences: Sequence[str], most: int) -> str:
    """The first of some sentences, a line each, and how many there are besides."""
    more = [f"… and {len(sentences) - most} more"] if len(sentences) > most else []
    return "\n".join([*sentences[:most], *more])


def shorten(text: str, most: int = 300) -> str:
    """`text` in one line of at most `most` characters, with control characters made visible."""
    shown = harmless(text[: most + 1].replace("\n", "\\n"))
    if len(text) <= most and len(shown) <= most:
        return shown
    return f"{shown[: most - 30]} … ({len(text):,} characters)"


def excerpt(text: str, lines: int = 40, characters: int = 4_000) -> str:
    """The beginning of `text`, its lines kept, with all other control characters made visible."""
    kept = [harmless(line) for line in text[: characters + 1].split("\n")]
    shown = "\n".join(kept[:lines])
    if len(kept) <= lines and len(text) <= characters:
        return shown
    return f"{shown[:characters]} … ({len(text):,} characters)"


def harmless(text: str) -> str:
    """`text` with everything that a terminal obeys instead of showing (escape codes, line breaks, text
    direction) written as an escape; a tab becomes spaces."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _visible(c) for c in text)


def _visible(character: str) -> str:
    if character == "\t":
        return "    "
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
