"""Small mistakes in Python and SQL, made one at a time: what a tired hand types instead of what was meant."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM)\b")
_SQL_MISTAKES = (
    (r"\bSKIP LOCKED\b", "", "SKIP LOCKED left out"),
    (r"\bFOR UPDATE( OF \w+)?( SKIP LOCKED)?", "", "FOR UPDATE left out"),
    (r"\bDESC\b", "ASC", "DESC → ASC"),
    (r"\bAND\b", "OR", "AND → OR"),
    (r"\bOR\b", "AND", "OR → AND"),
    (r"\bIS NOT NULL\b", "IS NULL", "IS NOT NULL → IS NULL"),
    (r"\bIS NULL\b", "IS NOT NULL", "IS NULL → IS NOT NULL"),
    (r"\bLIMIT \S+", "", "LIMIT left out"),
    (r"\bOFFSET \S+", "", "OFFSET left out"),
    (r"\bGREATEST\b", "LEAST", "GREATEST → LEAST"),
    (r" \+ 1\b", "", "+ 1 left out"),
    (r" - 1\b", "", "- 1 left out"),
    (r" < ", " > ", "< → >"),
    (r" >= ", " > ", ">= → >"),
    (r"'pending'", "'failed'", "pending → failed"),
    (r"'completed'", "'failed'", "completed → failed"),
)


@dataclass(frozen=True)
class Mutant:
    """A file with one mistake in it. `name` stays the same while the line and the mistake do."""

    file: str
    line: int
    what: str
    source: str
    name: str


def mutants(file: str, source: str) -> list[Mutant]:
    """All mistakes that can be made in a Python file, in the order of its lines."""
    lines = source.splitlines(keepends=True)
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for node, what, instead in sorted(_mistakes(ast.parse(source)), key=lambda m: (m[0].lineno, m[1])):
        changed = _spliced(lines, node, instead)
        try:
            ast.parse(changed)
        except SyntaxError:
            continue
        base = f"{file}\n{lines[node.lineno - 1].strip()}\n{what}\n{instead}"
        seen[base] = seen.get(base, 0) + 1
        digest = hashlib.sha256(f"{base}\n{seen[base]}".encode()).hexdigest()[:10]
        found.append(Mutant(file, node.lineno, what, changed, digest))
    return found


Mistake = tuple[ast.expr | ast.stmt, str, str]
"""Where, what is wrong, in words, and the text in its place."""


def _mistakes(tree: ast.Module) -> Iterator[Mistake]:
    left_alone = set(_left_alone(tree))
    for node in ast.walk(tree):
        if id(node) not in left_alone:
            yield from _of(node)


def _left_alone(tree: ast.Module) -> Iterator[int]:
    """What makes no difference when the program runs: docstrings and annotations."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                yield from (id(statement), id(statement.value))
        for field in ("annotation", "returns"):
            annotation = getattr(node, field, None)
            if annotation is not None:
                yield from (id(inner) for inner in ast.walk(annotation))
        if isinstance(node, ast.JoinedStr):  # the parts of an f-string have no place of their own in the text
            yield from (id(inner) for part in node.values for inner in ast.walk(part))


def _of(node: ast.AST) -> Iterator[Mistake]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARISONS:
            other = _COMPARISONS[type(operator)]()
            yield _swapped(node, ast.Compare(node.left, [other], node.comparators), operator, other)
        case ast.BoolOp(op=ast.And()):
            yield _swapped(node, ast.BoolOp(ast.Or(), node.values), node.op, ast.Or())
        case ast.BoolOp(op=ast.Or()):
            yield _swapped(node, ast.BoolOp(ast.And(), node.values), node.op, ast.And())
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            other_op = _ARITHMETIC[type(node.op)]()
            yield _swapped(node, ast.BinOp(node.left, other_op, node.right), node.op, other_op)
        case ast.UnaryOp(op=ast.Not()):
            yield node, "not left out", f"({ast.unparse(node.operand)})"
        case ast.Constant(value=bool(value)):
            yield node, f"{value} → {not value}", repr(not value)
        case ast.Constant(value=int(value)):
            yield node, f"{value} → {value + 1}", repr(value + 1)
        case ast.Constant(value=float(value)):
            other_value = value * 10 or 1.0
            yield node, f"{value:g} → {other_value:g}", repr(other_value)
        case ast.Constant(value=str(value)) if _SQL.search(value):
            yield from _of_sql(node, value)
        case ast.If() | ast.IfExp() | ast.While():
            test = node.test
            yield test, "condition turned round", f"not ({ast.unparse(test)})"
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield value, "None returned", "None"
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield node, f"{_short(node)} left out", "pass"
        case ast.Raise():
            yield node, f"{_short(node)} left out", "pass"
        case ast.Call(keywords=keywords):
            for number, keyword in enumerate(keywords):
                if keyword.arg:
                    kept = [*keywords[:number], *keywords[number + 1 :]]
                    call = ast.Call(node.func, node.args, kept)
                    yield node, f"{keyword.arg}= left out of {_short(node.func)}()", ast.unparse(call)


def _of_sql(node: ast.Constant, text: str) -> Iterator[Mistake]:
    for pattern, instead, what in _SQL_MISTAKES:
        for number, place in enumerate(re.finditer(pattern, text), start=1):
            changed = text[: place.start()] + instead + text[place.end() :]
            quoted = '"""' + changed.replace("\\", "\\\\") + '"""' if "\n" in changed else repr(changed)
            yield node, f"{what} (place {number})", quoted


def _swapped(node: ast.expr, instead: ast.expr, before: ast.AST, after: ast.AST) -> Mistake:
    return node, f"{type(before).__name__} → {type(after).__name__}", f"({ast.unparse(instead)})"


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 50 else f"{text[:47]}…"


def _spliced(lines: list[str], node: ast.expr | ast.stmt, instead: str) -> str:
    """The file with other text in the place of a node."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = lines[first].encode()[: node.col_offset].decode()
    after = lines[last].encode()[node.end_col_offset or 0 :].decode()
    return "".join([*lines[:first], before, instead, after, *lines[last + 1 :]])
