"""Which files of a project a command loads, as far as its text tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_APPLICATION = re.compile(r"([A-Za-z_][\w.]*)(?::\w+(\(\))?)?")
"""A module, or an application in one as servers are told of it: "package.module:app"."""


def reached(folder: Path, command: Sequence[str]) -> set[Path]:
    """The files in the folder that the command names (a script, a module, an application), and all that
    these import in turn, wherever in them. An import whose name is put together at run time is not found."""
    folder = folder.resolve()
    found: set[Path] = set()
    waiting = [file for word in command for file in _named(folder, word)]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported(folder, file)
    return found


def _named(folder: Path, word: str) -> list[Path]:
    script = folder / word
    if script.suffix == ".py":
        return [script.resolve()] if script.is_file() else []
    match = _APPLICATION.fullmatch(word)
    return _files(folder, match[1].split("."), main=True) if match else []


def _imported(folder: Path, file: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    here = [*file.relative_to(folder).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(folder, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) - node.level + 1] if node.level else []
            module = [*start, *(node.module.split(".") if node.module else ())]
            for alias in node.names:
                yield from _files(folder, [*module, alias.name])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
            yield from _named(folder, node.value)


def _files(folder: Path, module: Sequence[str], *, main: bool = False) -> list[Path]:
    """The module's file and those of the packages that it is in; as far as they are in the folder, where the
    last name may be a thing in a module. `main`: a package's __main__, too."""
    for root in (folder, folder / "src"):
        files = [
            file
            for depth in range(1, len(module) + 1)
            for path in [root.joinpath(*module[:depth])]
            for file in (path / "__init__.py", path.with_name(f"{path.name}.py"))
            if file.is_file()
        ]
        start = root.joinpath(*module, "__main__.py")
        if main and start.is_file():
            files.append(start)
        if files:
            return files
    return []
