"""The penalty report as a picture: a small renderer of SVG, and a page of it with its tables.

Both are whole in themselves: no script, no font, nothing is loaded from anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from html import escape
from textwrap import wrap

from inventory.clock import JST
from inventory.penalty_record import tables
from inventory.penalty_record.report import ChannelPenalties, Day, PenaltyReport
from inventory.penalty_record.words import amount, figure, unit_shown

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, LEGEND = 760, 176, 96, 20, 18, 30, 30
# How tall a line of words is, and how many characters of a wide font it holds.
PITCH, CHARACTERS, BOLD_CHARACTERS = 17, 96, 86
LABELS, STEPS_MAX = 6, 5
LINE, LIMIT, GRID, INK, BAR = "#1f5fa8", "#b3261e", "#d5d9de", "#222", "#e8a09b"


class Format(StrEnum):
    """A picture alone, or a page with the picture and the tables behind it."""

    SVG = "svg"
    HTML = "html"


MEDIA_TYPES = {Format.SVG: "image/svg+xml", Format.HTML: "text/html; charset=utf-8"}


def drawn(report: PenaltyReport, format_: Format) -> str:
    """The report as a file that any browser opens."""
    return svg(report) if format_ is Format.SVG else page(report)


def svg(report: PenaltyReport) -> str:
    """One panel for each channel: its metric by Tokyo day, the limit, and the ends that weigh."""
    panels, tall = [], 0
    for each in report.channels:
        panel, height = _panel(each)
        panels.append(f'<g transform="translate(0 {tall})">{panel}</g>')
        tall += height
    tall += LEGEND
    if not panels:
        panels, tall = [_text(30, "no channel is connected")], HEIGHT
    title = escape(_title(report))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {tall}" width="{WIDTH}"'
        f' height="{tall}" role="img" font-family="sans-serif" font-size="12" fill="{INK}">'
        f'<title>{title}</title><rect width="{WIDTH}" height="{tall}" fill="#fff"/>'
        f"{''.join(panels)}{_legend(tall - LEGEND / 2) if report.channels else ''}</svg>\n"
    )


def _title(report: PenaltyReport) -> str:
    return f"Penalties {report.first_day} to {report.last_day} (Tokyo days)"


def _panel(channel: ChannelPenalties) -> tuple[str, int]:
    """A channel's panel and how tall it is: no line of its words is wider than the picture."""
    name, metric = f"{channel.channel} ({channel.kind})", channel.now
    if metric is not None:
        ahead = "no limit" if metric.limit is None else f"limit {amount(metric.limit, metric.unit)}"
        unit = unit_shown(metric.unit)
        name += f": {metric.name} in {unit}, {ahead} (as of {metric.as_of})"
    lines = [(line, ' font-weight="bold"') for line in wrap(name, BOLD_CHARACTERS)]
    lines += [(line, "") for line in wrap(channel.headroom, CHARACTERS)]
    words = [_text(18 + number * PITCH, *line) for number, line in enumerate(lines)]
    deep = len(lines) * PITCH
    if metric is None:
        return "".join(words), deep + BOTTOM
    highest = _highest(channel)
    plot = "".join([*_axes(channel, highest), *_line(channel.days, highest)])
    return f'{"".join(words)}<g transform="translate(0 {deep})">{plot}</g>', deep + HEIGHT


def _text(y: int, said: str, manner: str = "") -> str:
    return f'<text x="12" y="{y}"{manner}>{escape(said)}</text>'


def _legend(y: float) -> str:
    """What the marks mean, in one line below the panels."""
    return (
        f'<g id="legend" transform="translate(12 {y:g})">'
        f'<path d="M0 0 L24 0" stroke="{LINE}" stroke-width="2"/><text x="30" y="4">metric</text>'
        f'<path d="M96 0 L120 0" stroke="{LIMIT}" stroke-dasharray="5 4"/>'
        '<text x="126" y="4">limit</text>'
        f'<rect x="180" y="-6" width="10" height="12" fill="{BAR}"/>'
        '<text x="196" y="4">ends of the day that weigh</text>'
        f'<circle cx="404" cy="0" r="3" fill="#fff" stroke="{LINE}"/>'
        '<text x="414" y="4">the window begins before our record</text></g>'
    )


def _highest(channel: ChannelPenalties) -> float:
    """The greatest value or limit of the days, at least 1."""
    metrics = [day.metric for day in channel.days if day.metric is not None]
    known = [metric.value for metric in metrics if metric.value is not None]
    known += [metric.limit for metric in metrics if metric.limit is not None]
    return max([1.0, *known])


def ticks(highest: float) -> list[float]:
    """Where the vertical axis is marked: two to five even steps of 1, 2 or 5, up to the top."""
    power = 10.0 ** math.floor(math.log10(highest / 2))
    step = next(size * power for size in (1, 2, 5, 10) if highest / (size * power) <= STEPS_MAX)
    return [number * step for number in range(math.ceil(highest / step) + 1)]


def _x(number: int, days: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (number + 0.5) / days


def _y(value: float, highest: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / ticks(highest)[-1])


def _axes(channel: ChannelPenalties, highest: float) -> list[str]:
    base, days = _y(0, highest), channel.days
    parts = []
    for value in ticks(highest):
        y = _y(value, highest)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{figure(value)}</text>'
        )
    step = max(len(days) // LABELS, 1)
    parts += [
        f'<text x="{_x(number, len(days)):.1f}" y="{base + 18:.1f}" text-anchor="middle">'
        f"{day.day:%m-%d}</text>"
        for number, day in enumerate(days)
        if (len(days) - 1 - number) % step == 0
    ]
    return parts


def _line(days: Sequence[Day], highest: float) -> list[str]:
    """Bars of ends that weigh, the limit dashed, the value as a line that breaks where unknown."""
    parts, strokes, open_, limits = [], [], False, []
    most = max([1, *(day.counted for day in days)])
    for number, day in enumerate(days):
        x, metric = _x(number, len(days)), day.metric
        if day.counted:
            parts.append(_bar(day, x, _y(0, highest), 18 * day.counted / most))
        if metric is not None and metric.limit is not None:
            limits.append(f"{x:.1f},{_y(metric.limit, highest):.1f}")
        if metric is None or metric.value is None:
            open_ = False
            continue
        y = _y(metric.value, highest)
        strokes.append(f"{'L' if open_ else 'M'}{x:.1f} {y:.1f}")
        open_ = True
        parts.append(_dot(day, x, y))
    if limits:
        dashes = f'fill="none" stroke="{LIMIT}" stroke-dasharray="5 4"'
        parts.insert(0, f'<polyline points="{" ".join(limits)}" {dashes}/>')
    path = f'<path d="{" ".join(strokes)}" fill="none" stroke="{LINE}" stroke-width="2"/>'
    return [path, *parts] if strokes else parts


def _bar(day: Day, x: float, base: float, tall: float) -> str:
    """How many ends weigh, as a bar with its number."""
    top = base - tall
    return (
        f'<rect x="{x - 5:.1f}" y="{top:.1f}" width="10" height="{tall:.1f}" fill="{BAR}">'
        f"<title>{day.day}: {day.counted} of {day.ended} ends weigh</title></rect>"
        f'<text x="{x:.1f}" y="{top - 3:.1f}" text-anchor="middle" font-size="10">'
        f"{day.counted}</text>"
    )


def _dot(day: Day, x: float, y: float) -> str:
    """A hollow one where our record of the window is not complete."""
    metric = day.metric
    if metric is None:
        return ""
    fill = LINE if metric.history_complete else "#fff"
    said = f"{day.day}: {amount(metric.value, metric.unit)}; {metric.detail}"
    if not metric.history_complete:
        said += "; our record of the window is not complete"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{fill}" stroke="{LINE}">'
        f"<title>{escape(said)}</title></circle>"
    )


def page(report: PenaltyReport) -> str:
    """A page: the picture, then each channel in words and days, then ends by SKU and cause."""
    title, parts = escape(_title(report)), []
    for channel in report.channels:
        parts.append(f"<h2>{escape(channel.channel)} ({escape(channel.kind)})</h2>")
        parts += [f"<p>{escape(said)}</p>" for said in tables.sentences(channel)]
        parts.append(_table(tables.RATES[2:], [r[2:] for r in tables.rates(channel)]))
    parts.append("<h2>Ends by SKU and cause</h2>")
    parts.append(_table(tables.CAUSES, tables.causes(report)))
    if report.causes_left_out or report.channels_left_out:
        left = f"{report.causes_left_out} causes and {report.channels_left_out} channels"
        parts.append(f"<p>{left} are left out here.</p>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>As of {_local(report.as_of)}.</p>"
        f"{svg(report)}{''.join(parts)}</body></html>\n"
    )


_STYLE = (
    "body{font:14px sans-serif;color:#222;max-width:62em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #d5d9de;padding:2px 8px;"
    "text-align:left}svg{max-width:100%;height:auto}"
)


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(JST):%Y-%m-%d %H:%M} (Tokyo)"


def _table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return "<p>none</p>"
    head = "".join(f"<th>{escape(name)}</th>" for name in heading)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_shown(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if cell is None else str(cell)
