"""The penalty report as a picture: a small renderer of SVG, and a page of it with its tables.

Both are whole in themselves: no script, no font, nothing is loaded from anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from html import escape

from inventory.clock import JST
from inventory.penalty_record import tables
from inventory.penalty_record.report import ChannelPenalties, Day, PenaltyReport
from inventory.penalty_record.words import amount

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 210, 64, 20, 46, 30
LABELS = 6
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
    panels = [_panel(each, number * HEIGHT) for number, each in enumerate(report.channels)]
    tall = max(len(panels), 1) * HEIGHT
    title = escape(_title(report))
    empty = '<text x="12" y="30">no channel is connected</text>' if not panels else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {tall}" width="{WIDTH}"'
        f' height="{tall}" role="img" font-family="sans-serif" font-size="12" fill="{INK}">'
        f'<title>{title}</title><rect width="{WIDTH}" height="{tall}" fill="#fff"/>'
        f"{empty}{''.join(panels)}</svg>\n"
    )


def _title(report: PenaltyReport) -> str:
    return f"Penalties {report.first_day} to {report.last_day} (Tokyo days)"


def _panel(channel: ChannelPenalties, top: int) -> str:
    name = f"{channel.channel} ({channel.kind})"
    if channel.now is None:
        said = f'<text x="12" y="24" font-weight="bold">{escape(name)}</text>'
        said += f'<text x="12" y="44">{escape(channel.headroom)}</text>'
        return f'<g transform="translate(0 {top})">{said}</g>'
    metric = channel.now
    ahead = "no limit" if metric.limit is None else f"limit {amount(metric.limit, metric.unit)}"
    heading = f"{name}: {metric.name}, {ahead} (as of {metric.as_of})"
    parts = [
        f'<text x="12" y="18" font-weight="bold">{escape(heading)}</text>',
        f'<text x="12" y="35">{escape(channel.headroom)}</text>',
        *_axes(channel, _highest(channel)),
        *_line(channel.days, _highest(channel)),
    ]
    return f'<g transform="translate(0 {top})">{"".join(parts)}</g>'


def _highest(channel: ChannelPenalties) -> float:
    """Where the vertical axis ends."""
    metrics = [day.metric for day in channel.days if day.metric is not None]
    known = [metric.value for metric in metrics if metric.value is not None]
    known += [metric.limit for metric in metrics if metric.limit is not None]
    return max([1.0, *known]) * 1.1


def _x(number: int, days: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (number + 0.5) / days


def _y(value: float, highest: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / highest)


def _axes(channel: ChannelPenalties, highest: float) -> list[str]:
    base, days = _y(0, highest), channel.days
    unit = channel.now.unit if channel.now else ""
    parts = []
    for share in (0.0, 0.5, 1.0):
        value = highest / 1.1 * share
        y = _y(value, highest)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{amount(value, unit)}</text>'
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
            tall = 18 * day.counted / most
            parts.append(
                f'<rect x="{x - 5:.1f}" y="{_y(0, highest) - tall:.1f}" width="10"'
                f' height="{tall:.1f}" fill="{BAR}"/>'
            )
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
        f"<p>As of {_local(report.as_of)}. A dashed line is the limit; bars are ends that weigh; a"
        " hollow dot is a day whose window begins before our record does.</p>"
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
