"""What a linter for PostgreSQL migrations, squawk, says of the SQL that a project's migrations send.

The SQL is seen by the database, so it does not matter what wrote it. Advice is shown, never graded.
"""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from labkit.evidence import shorten

_MUTED = (
    "ban-drop-constraint",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamp-tz",
    "require-lock-timeout",
    "require-statement-timeout",
    "transaction-nesting",
)
"""Matters of taste, or of the migration tool rather than of the student's SQL."""


@dataclass(frozen=True)
class Advice:
    """One thing that squawk would do otherwise: the rule's name, the statement, the reason, the safer
    form."""

    rule: str
    statement: str
    reason: str
    safer: str

    def __str__(self) -> str:
        safer = f" {self.safer}" if self.safer else ""
        return f"{shorten(self.statement, 90)}: {self.reason}{safer} ({self.rule})"


def _in_one_line(statement: str) -> str:
    return " ".join(re.sub(r"--[^\n]*", "", statement).split()).rstrip(";")


def on_statements(statements: list[str]) -> list[Advice]:
    """Advice on SQL statements, in their order, each rule once; none where squawk does not run."""
    squawk = Path(sysconfig.get_path("scripts"), "squawk")
    sql = "".join(f"{_in_one_line(statement)};\n" for statement in statements)
    if not statements or not squawk.exists():
        return []
    ran = subprocess.run(
        [squawk, "--reporter", "json", f"--exclude={','.join(_MUTED)}"],
        input=sql,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    try:
        found = json.loads(ran.stdout)
    except ValueError:
        return []
    lines = sql.splitlines()
    advice: dict[str, Advice] = {}
    for item in found:
        statement = lines[item["line"]] if item["line"] < len(lines) else ""
        rule = item["rule_name"]
        advice.setdefault(rule, Advice(rule, statement, item["message"] or "", item["help"] or ""))
    return list(advice.values())
