"""What the cases of a night are judged by: their steps, their orders, the channels' settings."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.desk.case_figures import GivenUp
from inventory.vocabulary import Kind

_COVERING = text("SELECT DISTINCT kind FROM mitigation WHERE state = 'covering'")
_QUERIES = {
    "cases": "SELECT o.id, s.code AS sku, o.state, o.shortage_max FROM oversell o"
    " JOIN sku s ON s.id = o.sku_id ORDER BY o.id",
    "steps": "SELECT oversell_id, detail, done_at FROM oversell_step WHERE step = 'weighed'"
    " ORDER BY id",
    "mitigations": "SELECT oversell_id, kind, state, units, detail FROM mitigation ORDER BY id",
    "given_up": "SELECT x.oversell_id, c.code, o.order_ref, x.state, x.reason_code"
    " FROM cancellation x JOIN sales_order o ON o.id = x.order_id"
    " JOIN channel c ON c.id = x.channel_id WHERE x.oversell_id IS NOT NULL ORDER BY x.id",
    "channels": "SELECT id, code, kind, metrics, costs,"
    " coalesce(history_from, connected_at) AS known_from"
    " FROM channel WHERE kind <> 'house' ORDER BY id",
    "lines": "SELECT o.id AS order_id, o.channel_id, c.kind, o.order_ref, o.ordered_at,"
    " o.recorded_at, o.ship_by, s.code AS sku, l.listing_id, l.ordered, l.unit_price"
    " FROM sales_order o JOIN channel c ON c.id = o.channel_id"
    " JOIN order_line l ON l.order_id = o.id JOIN sku s ON s.id = l.sku_id"
    " WHERE NOT o.fulfilled_by_channel AND o.ordered_at IS NOT NULL ORDER BY o.id, l.line_ref",
}


class Weighing(Struct, frozen=True, kw_only=True):
    """One choice of the desk for a case: when, and what it put on record."""

    at: datetime
    detail: dict[str, Any]


class Case(Struct, frozen=True, kw_only=True):
    """A case as it stands on record. `mitigations`: (kind, state, units, detail) of each way."""

    sku: str
    state: str
    shortage: int
    weighed: tuple[Weighing, ...]
    mitigations: tuple[dict[str, Any], ...]
    given_up: tuple[GivenUp, ...]


class Selling(Struct, frozen=True, kw_only=True):
    """A channel with the rules and prices that it is set to."""

    channel_id: int
    code: str
    kind: Kind
    metrics: dict[str, Any]
    costs: dict[str, Any]
    known_from: datetime


class Line(Struct, frozen=True, kw_only=True):
    """One line of an order that the shop ships itself: units ordered, yen of one of them."""

    order_id: int
    channel_id: int
    kind: str
    order_ref: str
    ordered_at: datetime
    recorded_at: datetime
    ship_by: datetime | None
    sku: str
    listing_id: int | None
    ordered: int
    unit_price: int | None


class Cases(Struct, frozen=True, kw_only=True):
    """Everything about the cases of one night."""

    cases: tuple[Case, ...]
    channels: tuple[Selling, ...]
    lines: tuple[Line, ...]


async def covering(session: AsyncSession) -> frozenset[str]:
    """The ways that cover a part of some shortage just now."""
    return frozenset(await session.scalars(_COVERING))


async def read(session: AsyncSession) -> Cases:
    """Read it all. Raises nothing of its own."""
    rows = {
        name: list((await session.execute(text(query))).mappings())
        for name, query in _QUERIES.items()
    }
    by_case: dict[tuple[str, int], list[RowMapping]] = defaultdict(list)
    for name in ("steps", "mitigations", "given_up"):
        for row in rows[name]:
            by_case[name, row["oversell_id"]].append(row)
    return Cases(
        cases=tuple(_case(row, by_case) for row in rows["cases"]),
        channels=tuple(
            Selling(
                channel_id=row["id"],
                code=row["code"],
                kind=Kind(row["kind"]),
                metrics=row["metrics"],
                costs=row["costs"],
                known_from=row["known_from"],
            )
            for row in rows["channels"]
        ),
        lines=tuple(Line(**row) for row in rows["lines"]),
    )


def _case(row: RowMapping, by_case: dict[tuple[str, int], list[RowMapping]]) -> Case:
    return Case(
        sku=row["sku"],
        state=row["state"],
        shortage=row["shortage_max"],
        weighed=tuple(
            Weighing(at=step["done_at"], detail=step["detail"])
            for step in by_case["steps", row["id"]]
        ),
        mitigations=tuple(
            {"kind": each["kind"], "state": each["state"], "units": each["units"], **each["detail"]}
            for each in by_case["mitigations", row["id"]]
        ),
        given_up=tuple(
            GivenUp(
                channel=each["code"],
                order_ref=each["order_ref"],
                state=each["state"],
                reason_code=each["reason_code"],
            )
            for each in by_case["given_up", row["id"]]
        ),
    )
