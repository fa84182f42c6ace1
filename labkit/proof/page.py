"""docs/proof.md and docs/proof.svg: what the proof has seen, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median

from labkit import manifest, report
from labkit.proof import mutation, record, specimens, tally
from labkit.proof.mutation import Fate
from labkit.proof.record import Seen
from labkit.proof.specimens import Specimen
from labkit.proof.tally import Sum
from labkit.report import Course

_CELL_W, _CELL_H = 5, 3
"""A check is a column, a defect is a row."""
_LEFT, _TOP = 12, 54
_COLOURS = ("#0f766e", "#b45309", "#6d28d9", "#be123c", "#1d4ed8")


def write(root: Path, known: Sequence[Specimen], seen: Mapping[str, Seen]) -> None:
    """Write both files."""
    text, picture = make(root, known, seen)
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs" / "proof.md").write_text(text, encoding="utf-8")
    (root / "docs" / "proof.svg").write_text(picture, encoding="utf-8")


def refresh(root: Path) -> None:
    """Write both files anew, from what is on record."""
    write(root, specimens.load(root)[0], record.load(root))


def make(root: Path, known: Sequence[Specimen], seen: Mapping[str, Seen]) -> tuple[str, str]:
    """The page and its picture."""
    checks = manifest.load(root)
    course = report.load_course(root)
    hostile = [specimen for specimen in known if specimen.hostile]
    known = [specimen for specimen in known if not specimen.hostile]
    proved = [specimen for specimen in known if specimen.name in seen]
    wrong = [specimen for specimen in proved if specimen.fails]
    text = _TEXT.format(
        numbers=_numbers(checks, course, wrong, seen),
        false_passes=sum(
            not (specimen.fails or set()) <= set(seen[specimen.name].failed) for specimen in wrong
        ),
        waiting=_waiting(len(known) - len(proved)),
        wrong=len(wrong),
        right=_right(proved, seen),
        accepted="\n".join(_accepted(specimen) for specimen in proved if specimen.fails == frozenset()),
        flakes=_flakes(tally.sums(tally.load(root))),
        mutants=_mutants(mutation.load(root), mutation.reasons(root)),
        hostile=_hostile(hostile, seen),
        defects="\n\n".join(_defects(lab, title, wrong) for lab, title in course.titles.items()),
    )
    return text, _picture(checks, wrong, seen)


_TEXT = """# The proof

<!-- written by `lab prove`; change labkit/proof/page.py, not this file -->

A grader can pass wrong work, and it can fail right work. Both have been tried, with projects whose marks are
known beforehand. This page is what `make prove` has seen; `lab prove NAME` repeats one of them in a minute.

- **Wrong work that passed: {false_passes} of {wrong}.** Each is the reference with one defect, and a list of
  the checks that must fail on it: all of these do, and no other check does.
- **Right work that failed: {right}.** Projects in other styles, with other libraries, in other languages, on
  the labs that they claim.
{waiting}
{numbers}

![Every defect and the checks that notice it](proof.svg)

A row is a defect, a column is a check, a mark is a failure. A column without any mark is a check that has yet
to show that it can fail.

{flakes}## Right in another way

{accepted}

{hostile}{mutants}## Wrong in one way

What a student with this defect reads is kept in `tests/feedback/`, so that a change in wording shows as a
difference.

{defects}
"""


def _waiting(number: int) -> str:
    told = f"\nSpecimens that wait for their turn: {number}. `lab prove --resume --record` proves them.\n"
    return told if number else ""


def _numbers(
    checks: Mapping[str, float], course: Course, wrong: Sequence[Specimen], seen: Mapping[str, Seen]
) -> str:
    lines = ["| lab | checks | defects | checks that at least one defect fails | seconds a defect |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for lab, title in course.titles.items():
        of_lab = [check for check in checks if check.startswith(f"{lab}.")]
        defects = [specimen for specimen in wrong if lab in specimen.labs]
        if not of_lab or not defects:
            continue
        killed = {check for specimen in defects for check in seen[specimen.name].failed} & set(of_lab)
        seconds = median(seen[specimen.name].seconds for specimen in defects)
        failed = f"{len(killed)} of {len(of_lab)}"
        lines.append(f"| {lab} {title} | {len(of_lab)} | {len(defects)} | {failed} | {seconds:.0f} |")
    return "\n".join(lines)


def _right(proved: Sequence[Specimen], seen: Mapping[str, Seen]) -> str:
    right = [specimen for specimen in proved if specimen.fails == frozenset()]
    failed = sum(bool(seen[specimen.name].failed) for specimen in right)
    return f"{failed} of {len(right)}"


def _flakes(sums: Sequence[Sum]) -> str:
    """A section of its own, or nothing while nobody has repeated anything."""
    return _FLAKES.format(lines="\n".join(map(_repeated, sums))) if sums else ""


_FLAKES = """## Right again and again

A check that waits or races may fail right work now and then. The reference has been graded again and again,
each time in another order, half of the runs on a machine that is kept busy, half of them in two processes
side by side. No failure in n runs means, with 95 % certainty, that fewer than 3 in n fail. Counted are the
checks as they were when they were last repeated; `lab prove --flakes N` goes on.

{lines}

"""


def _repeated(lab: Sum) -> str:
    found = f"{lab.failed} of {lab.runs} runs failed"
    if lab.failed:
        names = ", ".join(f"`{check}` {times}×" for check, times in sorted(lab.by.items()))
        found += f" ({lab.failed / lab.runs:.1%}; {names or 'the checks came to no end'})"
    elif lab.runs >= 3:
        found += f", so fewer than 1 in {lab.runs // 3}"
    how = f"{lab.under_load} of them were under load, {lab.side_by_side} in two processes."
    if lab.runs_before:
        how += (
            f" Before these checks, or what they run, were changed: {lab.failed_before} of {lab.runs_before}."
        )
    return f"- **{lab.lab}**: {found}; {how}"


def _accepted(specimen: Specimen) -> str:
    labs = (
        f"labs {specimen.labs[0][3:]} to {specimen.labs[-1][3:]}"
        if len(specimen.labs) > 1
        else specimen.labs[0]
    )
    return f"- **{specimen.name}** ({labs}): {specimen.story.rstrip('.')}."


def _hostile(hostile: Sequence[Specimen], seen: Mapping[str, Seen]) -> str:
    """A section of its own, or nothing while none has been proved."""
    proved = [specimen for specimen in hostile if specimen.name in seen]
    if not proved:
        return ""
    in_need = [specimen for specimen in hostile if specimen.hostile and specimen.hostile.needs]
    waiting = [f"Only a sandbox can stop the other {len(in_need)}; they are not run:", *map(_tried, in_need)]
    return _HOSTILE.format(
        number=len(proved),
        tried="\n".join(map(_tried, proved)),
        waiting="\n".join([waiting[0], "", *waiting[1:], "", ""]) if in_need else "",
    )


_HOSTILE = """## Hostile

{number} projects want more than they have earned, or mean harm. None of them passes a check that the plain
starter does not, or costs others more than the checks that it declares. None makes the grader fail or wait
without an end, and none leaves a process, a database, a role or a temporary file behind.

{tried}

{waiting}"""


def _mutants(fates: Mapping[str, Fate], reasons: Mapping[str, str]) -> str:
    """A section of its own, or nothing while none has been tried."""
    if not fates:
        return ""
    lines = ["| part of the reference | tried | noticed | survived, with a reason | survived |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for part in sorted({fate.file.partition("/")[0] for fate in fates.values()}):
        here = {name: fate for name, fate in fates.items() if fate.file.startswith(f"{part}/")}
        survived = [name for name, fate in here.items() if fate.noticed_by is None]
        left = mutation.open_questions(here, reasons)
        numbers = (len(here), len(here) - len(survived), len(survived) - len(left), len(left))
        lines.append(f"| {part} | {' | '.join(map(str, numbers))} |")
    told = _survivors(fates, reasons)
    noticed = sum(fate.noticed_by is not None for fate in fates.values())
    share = f"{noticed} of {len(fates)} ({noticed / len(fates):.1%})"
    survivors = "\n".join([_SURVIVED, "", *told, "", ""]) if told else ""
    return _MUTANTS.format(share=share, numbers="\n".join(lines), survivors=survivors)


def _survivors(fates: Mapping[str, Fate], reasons: Mapping[str, str]) -> list[str]:
    """Those that survived, and why; such as follow one another for the same reason in one line."""
    told: list[tuple[str, str]] = []
    for name, fate in fates.items():
        if fate.noticed_by is not None:
            continue
        why, place = reasons.get(name, "*waits for a check.*"), f"line {fate.line}, {fate.what}"
        if told and why == mutation.SAME_REASON:
            told[-1] = (f"{told[-1][0]}; {place}", told[-1][1])
        else:
            told.append((f"`{fate.file}`, {place}", why))
    return [f"- {places}: {why}" for places, why in told]


_SURVIVED = "These survived, and why. What a client could tell, and no check asks, is called a known gap:"

_MUTANTS = """## Small mistakes, made by a machine

A comparison turned round, a number one too large, a call or a piece of SQL left out: one such mistake at a
time is made in the reference's services, and the checks are asked. They noticed {share}; `lab prove
--mutants` goes on.

{numbers}

{survivors}"""


def _tried(specimen: Specimen) -> str:
    return f"- **{specimen.name.partition('/')[2]}**: {specimen.story}"


def _defects(lab: str, title: str, wrong: Sequence[Specimen]) -> str:
    lines = [f"### {lab} {title}", ""]
    for specimen in wrong:
        if specimen.labs == (lab,):
            checks = ", ".join(f"`{check.partition('.')[2]}`" for check in sorted(specimen.fails or ()))
            lines.append(f"- **{specimen.name.partition('/')[2]}**: {specimen.story} *Noticed by* {checks}.")
    return "\n".join(lines)


def _picture(checks: Mapping[str, float], wrong: Sequence[Specimen], seen: Mapping[str, Seen]) -> str:
    column = {check: number for number, check in enumerate(checks)}
    labs = list(dict.fromkeys(check.partition(".")[0] for check in checks))
    width = _LEFT * 2 + _CELL_W * len(column)
    height = _TOP + _CELL_H * len(wrong) + 16
    body = [_text(_LEFT, 22, f"{len(wrong)} defects (rows) × {len(column)} checks (columns)", 15)]
    for number, lab in enumerate(labs):
        x = _LEFT + _CELL_W * min(column[check] for check in column if check.startswith(f"{lab}."))
        body.append(_text(x, _TOP - 10, lab, 11, _COLOURS[number % len(_COLOURS)]))
        body.append(f'<path d="M{x - 1} {_TOP - 6}V{height - 12}" stroke="#cbd5e1"/>')
    for row, specimen in enumerate(wrong):
        y = _TOP + _CELL_H * row
        for check in seen[specimen.name].failed:
            if check in column:
                colour = _COLOURS[labs.index(check.partition(".")[0]) % len(_COLOURS)]
                title = escape(f"{specimen.name}: {check}")
                body.append(
                    f'<rect x="{_LEFT + _CELL_W * column[check]}" y="{y}" width="{_CELL_W}" '
                    f'height="{_CELL_H}" fill="{colour}"><title>{title}</title></rect>'
                )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="system-ui, sans-serif" role="img" '
            'aria-label="Every defect and the checks that notice it">',
            f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
            *body,
            "</svg>\n",
        ]
    )


def _text(x: float, y: float, text: str, size: int, fill: str = "#0f172a") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}">{escape(text)}</text>'
