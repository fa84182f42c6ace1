"""What the scripts share: they find flowforge from any folder, and what goes wrong ends in one clear line.

A script imports it before all that is not Python's own. Exit status: 0 success, 1 failure, 2 wrong usage
(argparse), 130 interrupted. Results go to stdout, all else to stderr.
"""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TextIO

# Ctrl-C while Python still imports: gone without a word. run() then takes over.
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console  # noqa: E402
from rich.progress import Progress  # noqa: E402

from flowforge.settings import ConfigurationError  # noqa: E402

FAILURE = 1
INTERRUPTED = 130


class Failure(Exception):
    """The script cannot do what it was asked; its text says why, in a line."""


def run(main: Callable[[], int]) -> NoReturn:
    """Runs a script to its exit status. What it raises becomes a line on stderr, unless it is our mistake."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = main()
    except (ConfigurationError, Failure) as error:
        status = fail(str(error))
    except BrokenPipeError:  # nobody reads the help; newer versions of argparse do not mind
        silence(sys.stdout)
        status = 0
    except OSError as error:
        status = fail(f"The system refused: {reason(error)}")
    except KeyboardInterrupt:
        say("Interrupted.", sys.stderr)
        status = INTERRUPTED
    finally:
        flush()
    sys.exit(status)


def fail(line: str) -> int:
    say(line, sys.stderr)
    return FAILURE


def flush() -> None:
    """argparse prints its help without a care whether somebody reads it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            silence(stream)


def say(text: str, stream: TextIO | None = None) -> None:
    """Prints to stdout unless told otherwise. If nobody reads any more, what we did is no less true."""
    stream = stream or sys.stdout
    if stream is None:  # it was closed before we began
        return
    shown = text.encode(stream.encoding, "backslashreplace").decode(stream.encoding)
    try:
        print(shown, file=stream, flush=True)
    except BrokenPipeError:
        silence(stream)


def silence(stream: TextIO) -> None:
    """Throws away what could not be written. Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def one_line(text: str) -> str:
    """Somebody else's text, fit to stand in a line of ours."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else "?" for c in text).split())


def reason(error: Exception) -> str:
    """Why the network failed us, in a few words; libraries wrap them in many."""
    number = getattr(error, "errno", None) or 0
    return one_line(os.strerror(number) if number > 0 else str(error)) or type(error).__name__


def at_least_one(text: str) -> int:
    """The type of an option that counts something."""
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 999999999, not {text!r}")
    return int(text)


def progress() -> Progress:
    """A progress bar on stderr; it shows nothing unless that is a terminal."""
    watched = sys.stderr is not None and sys.stderr.isatty()
    return Progress(console=Console(stderr=True), transient=True, disable=not watched)
