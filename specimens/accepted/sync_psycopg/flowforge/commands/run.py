"""From a command to an exit status: 0 for success, 1 for failure; argparse itself ends with 2."""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TextIO

from flowforge.environment import environment
from flowforge.settings import SettingsError


class Failed(Exception):
    """What was being done, and what was found instead."""


@dataclass(frozen=True)
class Result:
    """What goes to stdout, and whether that is a success."""

    text: str
    ok: bool = True


class Command(Protocol):
    """A module of this package."""

    def parser(self) -> ArgumentParser: ...

    def act(self, arguments: Namespace, environ: Mapping[str, str]) -> Result: ...


def run(command: Command) -> int:
    """Carry out a command with the arguments of this process; the exit status."""
    try:
        arguments = command.parser().parse_args()
        result = command.act(arguments, environment())
        _say(result.text, sys.stdout)
        return 0 if result.ok else 1
    except (Failed, SettingsError) as error:
        _say(str(error), sys.stderr)
        return 1
    finally:
        _say("", sys.stdout)


def count(text: str) -> int:
    """An argument that is a whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError("must be a whole number of at least 1")
    return number


def _say(text: str, stream: TextIO) -> None:
    """Print, though nobody may want to read it; what the command has done stays done."""
    try:
        print(text, end="\n" if text else "", file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
