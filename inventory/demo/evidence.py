"""What the night is judged by: rows of the database and the sandbox's own books, nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

_QUERIES = {
    "channels": "SELECT id, code, kind, watermark FROM channel WHERE kind <> 'house'",
    "levels": "SELECT s.code AS sku, sum(v.on_hand) AS on_hand, sum(v.reserved) AS reserved,"
    " sum(v.revision)::bigint AS revision"
    " FROM stock_level v JOIN sku s ON s.id = v.sku_id GROUP BY s.code",
    "unbalanced": "SELECT s.code AS sku, v.location_id, v.on_hand, v.reserved,"
    " coalesce(sum(m.on_hand_delta), 0) AS moved, coalesce(sum(m.reserved_delta), 0) AS held,"
    " v.revision, count(m.fact_id) AS entries"
    " FROM stock_level v JOIN sku s ON s.id = v.sku_id"
    " LEFT JOIN movement m ON m.sku_id = v.sku_id AND m.location_id = v.location_id"
    " GROUP BY s.code, v.sku_id, v.location_id, v.on_hand, v.reserved, v.revision"
    " HAVING v.on_hand <> coalesce(sum(m.on_hand_delta), 0)"
    " OR v.reserved <> coalesce(sum(m.reserved_delta), 0) OR v.revision <> count(m.fact_id)",
    "orders": "SELECT c.kind, o.order_ref, o.cancelled, o.fulfilled_by_channel, o.seen_at,"
    " o.recorded_at, l.line_ref, s.code AS sku, l.ordered, l.cancelled AS line_cancelled,"
    " l.shipped FROM sales_order o JOIN channel c ON c.id = o.channel_id"
    " LEFT JOIN order_line l ON l.order_id = o.id LEFT JOIN sku s ON s.id = l.sku_id",
    # `wanted`: what the ledger allowed every listing to show once the sale was in it.
    "sales": "SELECT c.kind, split_part(f.fact_ref, '@', 1) AS order_ref, s.code AS sku,"
    " min(m.revision) AS revision, min(m.recorded_at) AS recorded_at,"
    " greatest(min(m.left_after) - min(s.safety_stock), 0) AS wanted"
    " FROM (SELECT *, sum(on_hand_delta - reserved_delta) OVER ("
    "  PARTITION BY sku_id, location_id ORDER BY revision) AS left_after FROM movement) m"
    " JOIN fact f ON f.id = m.fact_id JOIN channel c ON c.id = f.channel_id"
    " JOIN sku s ON s.id = m.sku_id WHERE m.kind IN ('reserve', 'ship') AND f.kind = 'observe'"
    " GROUP BY 1, 2, 3",
    "listings": "SELECT l.id, c.kind, l.channel_sku, s.code AS sku, l.quantity_wanted, l.lane,"
    " l.revision_wanted, l.revision_published, l.closed_by_channel, l.fulfilled_by_channel,"
    " l.quantity_known, l.failure, greatest(coalesce((SELECT sum(v.on_hand - v.reserved)"
    "  FROM stock_level v WHERE v.sku_id = s.id), 0) - s.safety_stock, 0) AS allowed"
    " FROM listing l JOIN channel c ON c.id = l.channel_id JOIN sku s ON s.id = l.sku_id",
    "pushes": "SELECT p.id, c.kind, l.id AS listing_id, l.channel_sku, s.code AS sku, p.sent_at,"
    " p.ended_at, r.quantity, r.change, r.lane, r.revision, r.stock_revision, r.decided_at,"
    " r.watermark, r.known_low, r.unseen, r.status, r.code"
    " FROM push_row r JOIN push p ON p.id = r.push_id JOIN listing l ON l.id = r.listing_id"
    " JOIN channel c ON c.id = l.channel_id JOIN sku s ON s.id = l.sku_id ORDER BY p.id",
    "readings": "SELECT listing_id, read_at, quantity FROM reading ORDER BY id",
    "events": "SELECT state, code, count(*) AS events FROM inbound_event GROUP BY 1, 2",
    "cases": "SELECT o.id, s.code AS sku, o.state, o.shortage, o.shortage_max, f.kind AS cause"
    " FROM oversell o JOIN sku s ON s.id = o.sku_id LEFT JOIN fact f ON f.id = o.cause_fact_id"
    " ORDER BY o.id",
    "cancellations": "SELECT c.kind, o.order_ref, x.state, x.reason, x.reason_code, x.oversell_id,"
    " p.counts_against_metric, p.metric_before, p.metric_after"
    " FROM cancellation x JOIN sales_order o ON o.id = x.order_id"
    " JOIN channel c ON c.id = x.channel_id LEFT JOIN penalty_entry p ON p.cancellation_id = x.id"
    " ORDER BY x.id",
    "alerts": "SELECT kind, subject, state FROM alert",
    "deliveries": "SELECT event, state, count(*) AS messages FROM delivery GROUP BY 1, 2",
    "stale_marks": "SELECT count(*) AS marks FROM stale_sku",
}


class Evidence(Struct, frozen=True, kw_only=True):
    """Rows by query name, and the books of the sandbox as it served them."""

    rows: dict[str, list[RowMapping]]
    books: dict[str, Any]

    def market(self, kind: str) -> dict[str, Any]:
        """One marketplace's books."""
        market: dict[str, Any] = self.books["markets"][kind]
        return market

    def placed(self) -> list[tuple[str, dict[str, Any]]]:
        """Every order of the sandbox that our stock has to serve, with its marketplace."""
        return [
            (kind, order)
            for kind, market in self.books["markets"].items()
            for order in market["orders"]
            if not order["by_channel"]
        ]

    def sku_of(self) -> dict[tuple[str, str], str]:
        """(kind, channel SKU) → SKU."""
        return {(row["kind"], row["channel_sku"]): row["sku"] for row in self.rows["listings"]}


async def gather(session: AsyncSession, books: dict[str, Any]) -> Evidence:
    """Read everything that the audit needs, at one moment."""
    rows = {}
    for name, query in _QUERIES.items():
        rows[name] = list((await session.execute(text(query))).mappings())
    return Evidence(rows=rows, books=books)


def moment(stamp: str) -> datetime:
    """A time as the sandbox's books write it."""
    return datetime.fromisoformat(stamp)
