"""Reads of what waits for people: events, oversell cases, cancellations, penalties, alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct, convert
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.errors import NotFound


class EventRow(Struct, frozen=True, kw_only=True):
    """An event as a channel told it: new, handled, parked (`code` says why) or conflict."""

    id: int
    channel: str
    event_id: str
    kind: str
    subject: str
    state: str
    code: str
    detail: str
    attempts: int
    received_at: datetime
    handled_at: datetime | None


class Event(EventRow, frozen=True, kw_only=True):
    """An event with what was told and what became of it."""

    body: dict[str, Any]
    outcome: dict[str, Any] | None


class OversellRow(Struct, frozen=True, kw_only=True):
    """One shortage of one SKU, in units: now and at its worst."""

    id: int
    sku: str
    state: str
    shortage: int
    shortage_max: int
    cause: str | None
    opened_at: datetime
    closed_at: datetime | None


class StepRow(Struct, frozen=True, kw_only=True):
    """One thing that was found, decided or done about a case."""

    step: str
    detail: dict[str, Any]
    done_by: str
    done_at: datetime


class CancellationRow(Struct, frozen=True, kw_only=True):
    """An order that ends without being shipped, and where giving it up stands.

    `metric_before`, `metric_after`, `cost` (whole yen, in parts; some prices are assumed, as of its
    date) and `runner_up` are what was foreseen when it was proposed. Decided by `decide_by`.
    """

    id: int
    channel: str
    order_ref: str
    oversell_id: int | None
    state: str
    reason: str
    reason_code: str
    decided_by: str | None
    failure: str | None
    metric_before: dict[str, Any] | None
    metric_after: dict[str, Any] | None
    cost: dict[str, Any] | None
    runner_up: dict[str, Any] | None
    decide_by: datetime | None
    proposed_at: datetime
    submitted_at: datetime | None
    confirmed_at: datetime | None


class Oversell(OversellRow, frozen=True, kw_only=True):
    """A case with its steps in order, and the cancellations that it led to."""

    steps: tuple[StepRow, ...]
    cancellations: tuple[CancellationRow, ...]


class PenaltyRow(Struct, frozen=True, kw_only=True):
    """What an order's end, or that of a part, did to the metric; both null where there is none.

    `part` is 0 for the whole order, whose cancellation is named; else the number of the part of it
    that ended while the rest lived on, with the case of the shortage that it was for, if any. Each
    line has the `units` of it that ended so. `own_window` has the metric of the window that the end
    belongs to, in words too, where it lies outside of the one that ended then.

    A metric has its value, unit, limit, headroom (how many more stay below) and as-of date.
    `thresholds` are the rules it was computed by. `weighs`: the metric is computed with it.
    `cause` is who asked for the end and why, `lines` the order as it was then. `worth_yen` is what
    was ordered, `cost` what giving it up costs, part by part; null where it is not known.
    """

    id: int
    cancellation_id: int | None
    part: int
    oversell_id: int | None
    channel: str
    order_ref: str
    reason_code: str
    cause: str
    source: str
    lines: list[dict[str, Any]]
    counts_against_metric: str
    weighs: bool
    metric_before: dict[str, Any] | None
    metric_after: dict[str, Any] | None
    own_window: dict[str, Any] | None
    thresholds: dict[str, Any] | None
    worth_yen: int | None
    cost: dict[str, Any] | None
    ended_at: datetime
    recorded_at: datetime


_EVENTS = """
SELECT e.id, c.code AS channel, e.event_id, e.kind, e.subject, e.state, e.code, e.detail,
  e.attempts, e.received_at, e.handled_at, e.body, e.outcome
FROM inbound_event e JOIN channel c ON c.id = e.channel_id
"""

_CASES = """
SELECT o.id, s.code AS sku, o.state, o.shortage, o.shortage_max, f.fact_ref AS cause, o.opened_at,
  o.closed_at
FROM oversell o JOIN sku s ON s.id = o.sku_id LEFT JOIN fact f ON f.id = o.cause_fact_id
"""

_CANCELLATIONS = """
SELECT x.id, c.code AS channel, o.order_ref, x.oversell_id, x.state, x.reason, x.reason_code,
  x.decided_by, x.failure, x.metric_before, x.metric_after, x.cost, x.runner_up,
  x.decide_by, x.proposed_at, x.submitted_at, x.confirmed_at
FROM cancellation x JOIN channel c ON c.id = x.channel_id JOIN sales_order o ON o.id = x.order_id
"""

_PENALTIES = """
SELECT p.id, p.cancellation_id, p.part, p.oversell_id, c.code AS channel, p.order_ref,
  p.reason_code, p.cause, p.source, p.lines, p.counts_against_metric, p.weighs, p.metric_before,
  p.metric_after, p.own_window, p.thresholds, p.worth_yen, p.cost, p.ended_at, p.recorded_at
FROM penalty_entry p JOIN channel c ON c.id = p.channel_id
"""

_STEPS = text(
    "SELECT step, detail, done_by, done_at FROM oversell_step WHERE oversell_id = :id ORDER BY id"
)


async def events(
    session: AsyncSession,
    *,
    state: str | None,
    channel: str | None,
    before_id: int,
    limit: int,
) -> list[EventRow]:
    """Events, newest first, of one state or channel if given."""
    query = text(
        _EVENTS + " WHERE e.id < :before AND (cast(:state AS text) IS NULL OR e.state = :state)"
        " AND (cast(:channel AS text) IS NULL OR c.code = :channel) ORDER BY e.id DESC LIMIT :most"
    )
    values = {"before": before_id, "state": state, "channel": channel, "most": limit}
    rows = await session.execute(query, values)
    return [convert(dict(row), EventRow) for row in rows.mappings()]


async def event(session: AsyncSession, event_id: int) -> Event:
    """One event. Raises `NotFound`."""
    rows = await session.execute(text(_EVENTS + " WHERE e.id = :id"), {"id": event_id})
    row = rows.mappings().one_or_none()
    if row is None:
        raise NotFound(f"no event {event_id}")
    return convert(dict(row), Event)


async def oversells(
    session: AsyncSession, *, state: str | None, before_id: int, limit: int
) -> list[OversellRow]:
    """Oversell cases, newest first, of one state if given."""
    query = text(
        _CASES + " WHERE o.id < :before AND (cast(:state AS text) IS NULL OR o.state = :state)"
        " ORDER BY o.id DESC LIMIT :most"
    )
    rows = await session.execute(query, {"before": before_id, "state": state, "most": limit})
    return [convert(dict(row), OversellRow) for row in rows.mappings()]


async def oversell(session: AsyncSession, oversell_id: int) -> Oversell:
    """One case with its story. Raises `NotFound`."""
    rows = await session.execute(text(_CASES + " WHERE o.id = :id"), {"id": oversell_id})
    row = rows.mappings().one_or_none()
    if row is None:
        raise NotFound(f"no oversell {oversell_id}")
    steps = (await session.execute(_STEPS, {"id": oversell_id})).mappings().all()
    query = text(_CANCELLATIONS + " WHERE x.oversell_id = :id ORDER BY x.id")
    given_up = (await session.execute(query, {"id": oversell_id})).mappings().all()
    return convert(
        dict(row)
        | {"steps": [dict(step) for step in steps]}
        | {"cancellations": [dict(each) for each in given_up]},
        Oversell,
    )


async def cancellations(
    session: AsyncSession, *, state: str | None, before_id: int, limit: int
) -> list[CancellationRow]:
    """Cancellations, newest first, of one state if given."""
    query = text(
        _CANCELLATIONS
        + " WHERE x.id < :before AND (cast(:state AS text) IS NULL OR x.state = :state)"
        " ORDER BY x.id DESC LIMIT :most"
    )
    rows = await session.execute(query, {"before": before_id, "state": state, "most": limit})
    return [convert(dict(row), CancellationRow) for row in rows.mappings()]


async def cancellation(session: AsyncSession, cancellation_id: int) -> CancellationRow:
    """One cancellation. Raises `NotFound`."""
    rows = await session.execute(
        text(_CANCELLATIONS + " WHERE x.id = :id"), {"id": cancellation_id}
    )
    row = rows.mappings().one_or_none()
    if row is None:
        raise NotFound(f"no cancellation {cancellation_id}")
    return convert(dict(row), CancellationRow)


async def penalties(
    session: AsyncSession, *, channel: str | None, before_id: int, limit: int
) -> list[PenaltyRow]:
    """Penalty entries, newest first, of one channel if given."""
    query = text(
        _PENALTIES
        + " WHERE p.id < :before AND (cast(:channel AS text) IS NULL OR c.code = :channel)"
        " ORDER BY p.id DESC LIMIT :most"
    )
    rows = await session.execute(query, {"before": before_id, "channel": channel, "most": limit})
    return [convert(dict(row), PenaltyRow) for row in rows.mappings()]
