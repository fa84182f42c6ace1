"""The picture: tasks per second as bars, one group a system, one bar a setting; plain SVG, no library."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bench.results import Results, Throughput

_WIDTH = 860
_LABELS = 250
"""Width of the column with the settings."""
_VALUES = 90
"""Room to the right of the longest bar, for its value."""
_BAR, _GAP, _GROUP = 16, 5, 30
"""Height of a bar, space below it, space above a system's first bar."""
_TOP = 66

_COLOURS = {"FlowForge": "#0f766e", "pgqueuer": "#b45309", "procrastinate": "#6d28d9"}
_VERSIONS = ("PostgreSQL", "procrastinate", "pgqueuer")
_OTHER = "#475569"
_ONE, _TWO = 0.55, 1.0
"""How solid the bars of one and of two worker processes are."""


def picture(results: Results) -> str:
    """The whole drawing as SVG text."""
    rows = [row for row in results.sorted() if row.history == 0]
    longest = max((row.rate for row in rows), default=1.0)
    body: list[str] = []
    y = _TOP
    for system in dict.fromkeys(row.system for row in rows):
        y += _GROUP
        body.append(_text(16, y - 9, system, weight="600", size=14))
        for label, bars in _settings([row for row in rows if row.system == system]):
            middle = y + (len(bars) * (_BAR + _GAP) - _GAP) / 2
            body.append(_text(_LABELS - 8, middle + 4, label, anchor="end"))
            for bar in bars:
                body.extend(_bar(bar, y, longest))
                y += _BAR + _GAP
            y += _GAP
    height = y + 34
    machine = f"{results.machine.cpu}, {results.machine.cores} cores"
    versions = results.machine.versions
    packages = ", ".join(f"{name} {versions[name]}" for name in _VERSIONS if name in versions)
    where = f"{machine}; {packages}; {results.date}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" font-family="system-ui, sans-serif" role="img" '
            'aria-label="Tasks drained per second, by system, settings and worker processes">',
            f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
            _text(16, 28, "No-op tasks drained per second", weight="600", size=17),
            _text(16, 50, f"light: 1 worker process, dark: 2; the median of {results.rounds} rounds"),
            *body,
            _text(16, height - 14, where, fill="#64748b", size=11),
            "</svg>\n",
        ]
    )


def _settings(rows: list[Throughput]) -> Iterator[tuple[str, list[Throughput]]]:
    """The rows of a system by what was set, fewest processes first."""
    groups: dict[str, list[Throughput]] = {}
    for row in rows:
        groups.setdefault(row.label + (", log lines" if row.log else ""), []).append(row)
    for label, group in groups.items():
        yield label, sorted(group, key=lambda row: row.processes)


def _bar(row: Throughput, y: float, longest: float) -> Iterator[str]:
    width = max(row.rate / longest * (_WIDTH - _LABELS - _VALUES), 1.0)
    colour = _COLOURS.get(row.system, _OTHER)
    solid = _ONE if row.processes == 1 else _TWO
    yield (
        f'<rect x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{colour}" '
        f'fill-opacity="{solid}"><title>{row.processes} × {escape(row.label)}</title></rect>'
    )
    yield _text(_LABELS + width + 7, y + 12, f"{row.rate:,.0f}")


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    weight: str = "400",
    anchor: str = "start",
    fill: str = "#0f172a",
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{fill}">{escape(text)}</text>'
    )
