"""The penalty report as tables: for people in a terminal, and as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import BadInput
from inventory.exports import FORMULA
from inventory.penalties import Metric
from inventory.penalty_record import costs, entries, words
from inventory.penalty_record.report import ChannelPenalties, PenaltyReport
from inventory.reasons import Extent

ENTRIES_MAX = 10_000
MEDIA_TYPE = "text/csv; charset=utf-8"


class Table(StrEnum):
    """Which table of the report: the metric by day, ends by SKU and cause, or every entry."""

    RATES = "rates"
    CAUSES = "causes"
    ENTRIES = "entries"


RATES = (
    *("channel", "kind", "day", "metric", "value", "unit", "limit", "headroom", "as_of"),
    *("history_complete", "orders", "ended", "counted"),
)
CAUSES = ("channel", "sku", "cause", "orders", "parts", "units", "counted")
ENTRIES = (
    *("ended_at", "channel", "kind", "order_ref", "extent", "lines", "cause", "reason_code"),
    *("counts_against_metric", "weighs", "metric", "unit", "before", "after", "limit"),
    *("headroom_before", "headroom_after", "as_of", "history_complete", "worth_yen", "cost_yen"),
    *("cost_parts", "own_window", "source"),
)
_ENTRIES = text("""
SELECT p.*, c.code AS channel, c.kind FROM penalty_entry p JOIN channel c ON c.id = p.channel_id
WHERE c.code = ANY(:codes) AND p.ended_at >= :since AND p.ended_at < :until
ORDER BY p.ended_at, p.id LIMIT :most
""")

Row = Sequence[Any]


async def rows_of(session: AsyncSession, report: PenaltyReport, table: Table) -> list[Row]:
    """The table's rows under `heading_of`. Raises `BadInput` for more than 10,000 entries."""
    if table is Table.RATES:
        return [row for channel in report.channels for row in rates(channel)]
    if table is Table.CAUSES:
        return causes(report)
    values = {
        "codes": [channel.channel for channel in report.channels],
        "since": report.since,
        "until": report.until,
        "most": ENTRIES_MAX + 1,
    }
    found = (await session.execute(_ENTRIES, values)).mappings().all()
    if len(found) > ENTRIES_MAX:
        raise BadInput(f"more than {ENTRIES_MAX} entries: name a channel, or take a week")
    return [_entry(row) for row in found]


def heading_of(table: Table) -> Sequence[str]:
    """The names of the table's columns."""
    return {Table.RATES: RATES, Table.CAUSES: CAUSES, Table.ENTRIES: ENTRIES}[table]


def rates(channel: ChannelPenalties) -> list[Row]:
    """One row for each Tokyo day of a channel."""
    rows: list[Row] = []
    for day in channel.days:
        metric = day.metric
        told: Row = ("", None, "", None, None, None, None)
        if metric is not None:
            value = None if metric.value is None else round(metric.value, 4)
            told = (metric.name, value, metric.unit, metric.limit, metric.headroom)
            told = (*told, metric.as_of, metric.history_complete)
        rows.append((channel.channel, channel.kind, day.day, *told, day.orders, day.ended))
        rows[-1] = (*rows[-1], day.counted)
    return rows


def causes(report: PenaltyReport) -> list[Row]:
    """One row for each channel, SKU and cause."""
    return [
        (row.channel, row.sku, row.cause, row.orders, row.parts, row.units, row.counted)
        for row in report.causes
    ]


def _entry(row: Any) -> Row:
    before, after = row["metric_before"] or {}, row["metric_after"] or {}
    parts = entries.parts_of(row["cost"])
    # Of entries made before parts were told apart, all that was ordered.
    lines = [
        f"{line['sku'] or line['channel_sku'] or line['line_ref']}"
        f" x{line.get('units', line['ordered'])}"
        for line in row["lines"]
    ]
    return (
        row["ended_at"],
        row["channel"],
        row["kind"],
        row["order_ref"],
        (Extent.PART if row["part"] else Extent.WHOLE).value,
        "; ".join(lines),
        row["cause"],
        row["reason_code"],
        row["counts_against_metric"],
        row["weighs"],
        after.get("name"),
        after.get("unit"),
        before.get("value"),
        after.get("value"),
        after.get("limit"),
        before.get("headroom"),
        after.get("headroom"),
        after.get("as_of"),
        after.get("history_complete"),
        row["worth_yen"],
        entries.total_of(row["cost"]),
        "; ".join(f"{name} {yen}" for name, yen in sorted(parts.items()) if yen),
        (row["own_window"] or {}).get("said"),
        row["source"],
    )


def as_csv(heading: Sequence[str], rows: Sequence[Row]) -> str:
    """UTF-8 CSV with a heading, times in UTC; unknown is empty.

    An apostrophe stands before text that a spreadsheet would take for a formula.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heading)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, str):
        return f"'{value}" if value[:1] in FORMULA else value
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value


def sentences(channel: ChannelPenalties) -> list[str]:
    """What stands above a channel's days: the metric now, the room left, the cost."""
    said = [f"headroom: {channel.headroom}", f"cost: {costs.in_words(channel.cost)}"]
    said += channel.notes
    if channel.now is None:
        return said
    return [f"now: {standing(channel.now)}", *said]


def standing(metric: Metric) -> str:
    """A metric with its limit and as-of date."""
    limit = "no limit"
    if metric.limit is not None:
        limit = f"limit {words.amount(metric.limit, metric.unit)}"
    value = words.amount(metric.value, metric.unit)
    return f"{metric.name} {value}, {limit} (as of {metric.as_of}); {metric.detail}"
