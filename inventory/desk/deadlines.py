"""By when a proposal must be decided: escalated before, and what the channel's policy does then.

Waiting is no way out: Amazon ends an order by itself seven days after its ship-by date, and that
counts as well (Seller Central help 201722390).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts, reasons
from inventory.desk import casework
from inventory.desk.casework import OVERDUE_ALERT, POLICY, PROPOSED_ALERT
from inventory.models import BuyerRequest, Cancellation, Channel, SalesOrder
from inventory.vocabulary import Kind

# A proposal made after its order's deadline still leaves a person this long.
GRACE = timedelta(hours=1)
# How long before its deadline a proposal is escalated; half of the time it has, if that is less.
ESCALATE_BEFORE = timedelta(hours=4)
# The marketplaces that end an order which lies unshipped, and how long after its ship-by date.
LAPSES = {Kind.AMAZON: reasons.LAPSES_AFTER}
LAPSE_WARNING = timedelta(hours=48)
LAPSE_ALERT = "order_lapses"
DUE_MAX = 200

# Orders of open cases that lie unshipped for so long; one row for each, by its oldest case.
_LAPSING = """
WITH lapsing AS (
  SELECT DISTINCT ON (o.id) o.id, 'order:' || h.code || '/' || o.order_ref AS subject, o.order_ref,
    o.ship_by, h.code AS channel, h.kind, s.code AS sku, c.id AS oversell
  FROM oversell c JOIN sku s ON s.id = c.sku_id
  JOIN order_part p ON p.sku_id = c.sku_id AND p.reserved > 0
  JOIN sales_order o ON o.id = p.order_id JOIN channel h ON h.id = o.channel_id
  JOIN unnest(CAST(:kinds AS text[]), CAST(:before AS timestamptz[])) AS late(kind, before)
    ON late.kind = h.kind AND o.ship_by <= late.before
  WHERE c.state = 'open' AND c.shortage > 0 AND NOT o.cancelled AND NOT o.fulfilled_by_channel
  ORDER BY o.id, c.id
)
"""
_TO_FIRE = text(f"""{_LAPSING}
SELECT * FROM lapsing l WHERE NOT EXISTS (SELECT FROM alert a
  WHERE a.kind = :alert AND a.subject = l.subject AND a.rule_id IS NULL AND a.state = 'open')
ORDER BY l.ship_by, l.id LIMIT :most
""")  # noqa: S608 -- constants
_TO_CLOSE = text(f"""{_LAPSING}
SELECT a.subject FROM alert a WHERE a.kind = :alert AND a.rule_id IS NULL AND a.state = 'open'
  AND NOT EXISTS (SELECT FROM lapsing l WHERE l.subject = a.subject)
ORDER BY a.subject LIMIT :most
""")  # noqa: S608 -- constants
_ASKED = or_(
    SalesOrder.buyer_asked_to_cancel.is_(True),
    exists().where(BuyerRequest.order_id == Cancellation.order_id),
)


def decide_by(kind: Kind, ship_by: datetime | None, *, hours: int, now: datetime) -> datetime:
    """When a proposal made now must be decided: so many hours before the order's ship-by date.

    Without a date, so many hours from now. Where that is over, in an hour, and on Amazon an hour
    before it would end the order by itself.
    """
    if ship_by is None:
        return now + timedelta(hours=hours)
    wanted = ship_by - timedelta(hours=hours)
    if wanted > now:
        return wanted
    lapse = LAPSES.get(kind)
    soon = now + GRACE
    return soon if lapse is None else min(soon, max(ship_by + lapse - GRACE, now))


def promised(
    *, ship_by: datetime | None, ordered_at: datetime | None, ship_days: int | None
) -> datetime | None:
    """The ship-by date that a channel tells of an order, or the shop's own promise, if any."""
    if ship_by is None and ordered_at is not None and ship_days is not None:
        return ordered_at + timedelta(days=ship_days)
    return ship_by


def escalate_at(proposed_at: datetime, decide_by: datetime) -> datetime:
    """When a proposal that nobody has decided is escalated."""
    return decide_by - min(ESCALATE_BEFORE, (decide_by - proposed_at) / 2)


async def tend(session: AsyncSession, now: datetime) -> int:
    """Escalate proposals before their deadline, and approve those whose policy says so at it.

    At most 200 of each kind of work a call; what is done makes room for the rest.
    """
    # `escalate_at`, given that the deadline is near: half of the time is over.
    calls = Cancellation.decide_by - now <= now - Cancellation.proposed_at
    ends = (Cancellation.decide_by <= now) & (Channel.desk_policy != "review") & ~_ASKED
    rows = await session.scalars(
        select(Cancellation)
        .join(Channel, Channel.id == Cancellation.channel_id)
        .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
        .where(
            Cancellation.state == "proposed",
            Cancellation.decide_by <= now + ESCALATE_BEFORE,
            ends | Cancellation.escalated_at.is_(None) & calls,
        )
        .order_by(Cancellation.decide_by, Cancellation.id)
        .limit(DUE_MAX)
        .with_for_update(skip_locked=True, of=Cancellation)
        .execution_options(populate_existing=True)
    )
    done = 0
    for row in rows.all():
        if row.decide_by is not None:
            done += await _tend(session, row, row.decide_by, now)
    return done + await _lapsing(session, now)


async def _tend(
    session: AsyncSession, row: Cancellation, deadline: datetime, now: datetime
) -> bool:
    channel = await session.get_one(Channel, row.channel_id)
    order = await session.get_one(SalesOrder, row.order_id)
    wish = exists().where(BuyerRequest.order_id == row.order_id)
    asked = order.buyer_asked_to_cancel or await session.scalar(select(wish))
    by_policy = channel.desk_policy != "review" and not asked
    if deadline <= now and by_policy:
        row.state, row.decided_by, row.due_at = "approved", POLICY, now
        detail = {"cancellation": row.id, "why": "nobody decided by the deadline"}
        casework.note(session, row.oversell_id, "approved", detail, now=now, by=POLICY)
        await casework.answered(session, PROPOSED_ALERT, row, now)
        await casework.answered(session, OVERDUE_ALERT, row, now)
        return True
    if row.escalated_at is not None or escalate_at(row.proposed_at, deadline) > now:
        return False
    row.escalated_at = now
    then = "it is given up by policy then" if by_policy else "nothing happens by itself then"
    why = f"to be decided by {deadline.isoformat()}: {then}"
    detail = {"cancellation": row.id, "decide_by": deadline.isoformat(), "why": why}
    casework.note(session, row.oversell_id, "escalated", detail, now=now)
    await casework.call_person(session, OVERDUE_ALERT, row, why, now)
    return True


async def _lapsing(session: AsyncSession, now: datetime) -> int:
    """Call a person for orders of open cases that their marketplace is about to end by itself."""
    values = {
        "kinds": [kind.value for kind in LAPSES],
        "before": [now - after + LAPSE_WARNING for after in LAPSES.values()],
        "alert": LAPSE_ALERT,
        "most": DUE_MAX,
    }
    done = 0
    for row in (await session.execute(_TO_FIRE, values)).all():
        detail: dict[str, Any] = {
            "oversell": row.oversell,
            "channel": row.channel,
            "order_ref": row.order_ref,
            "sku": row.sku,
            "ends_at": (row.ship_by + LAPSES[Kind(row.kind)]).isoformat(),
            "why": "the marketplace ends it by itself then, and that counts: ship it or decide",
        }
        if await alerts.fire(
            session, kind=LAPSE_ALERT, subject=row.subject, detail=detail, now=now
        ):
            casework.note(session, row.oversell, "escalated", detail, now=now)
            done += 1
    for subject in (await session.scalars(_TO_CLOSE, values)).all():
        done += await alerts.close(session, kind=LAPSE_ALERT, subject=subject, now=now)
    return done
