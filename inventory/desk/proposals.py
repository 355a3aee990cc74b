"""Orders that a case may give up, and the proposals to do so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import RowMapping, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import reasons
from inventory.desk import casework, deadlines
from inventory.desk.cancellations import lock
from inventory.desk.casework import DESK, POLICY, PROPOSED_ALERT
from inventory.models import Cancellation, Channel, SalesOrder
from inventory.penalty_record import standings
from inventory.reasons import Action, Asker, Rule
from inventory.vocabulary import Kind, Reason

CANDIDATES_MAX = 500


class Candidate(Struct, frozen=True, kw_only=True):
    """An order that holds units of the SKU, and what the table says about giving it up."""

    order_id: int
    channel_id: int
    order_ref: str
    ordered_at: datetime
    units: int
    buyer_asked: bool
    rule: Rule


_CANDIDATES = text("""
SELECT o.id AS order_id, o.channel_id, o.order_ref, o.ordered_at, o.cancellable,
  o.buyer_asked_to_cancel OR EXISTS (SELECT FROM buyer_request b WHERE b.order_id = o.id)
    AS buyer_asked,
  h.kind, sum(p.reserved) AS units, lines.open_units, lines.shipped_units
FROM order_part p
JOIN sales_order o ON o.id = p.order_id
JOIN channel h ON h.id = o.channel_id
LEFT JOIN cancellation x ON x.order_id = o.id
CROSS JOIN LATERAL (
  SELECT sum(greatest(l.ordered - l.cancelled - l.shipped, 0)) AS open_units,
    sum(l.shipped) AS shipped_units
  FROM order_line l WHERE l.order_id = o.id
) lines
WHERE p.sku_id = :sku AND p.reserved > 0 AND p.location_id = ANY(:pool)
  AND NOT o.cancelled AND NOT o.fulfilled_by_channel
  -- A shop that is only looked at: whoever kept its stock so far decides about its orders.
  AND NOT (h.frozen AND h.live_at IS NULL)
  AND o.ordered_at IS NOT NULL
  AND (x.id IS NULL OR x.state = 'refused' AND x.decided_by = :desk OR x.id = ANY(:own))
  AND NOT o.id = ANY(:waiting)
  AND (CAST(:orders AS bigint[]) IS NULL OR o.id = ANY(CAST(:orders AS bigint[])))
GROUP BY o.id, x.id, h.kind, lines.open_units, lines.shipped_units
ORDER BY coalesce(x.id = ANY(:own), false) DESC,
  o.cancellable AND h.kind = ANY(:kinds) AND lines.shipped_units = 0 DESC,
  o.ordered_at DESC, o.id DESC
LIMIT :most
""").bindparams(bindparam("pool"), bindparam("kinds"))


async def candidates(
    session: AsyncSession,
    sku_id: int,
    pool: Sequence[int],
    *,
    order_ids: Sequence[int] | None = None,
    waiting: Collection[int] = (),
    own: Collection[int] = (),
) -> list[Candidate]:
    """Live orders that hold units of the SKU, those that may be cancelled first, newest first.

    Orders that wait for supply are left out. A cancellation that the desk itself withdrew does not
    stand in the way, nor do those of the case that are named as its `own`, which come before all
    others; any other does. At most 500.
    """
    rows = await session.execute(
        _CANDIDATES,
        {
            "sku": sku_id,
            "pool": list(pool),
            "desk": DESK,
            "orders": None if order_ids is None else list(order_ids),
            "kinds": [kind.value for kind in reasons.cancels_out_of_stock()],
            "waiting": list(waiting),
            "own": list(own),
            "most": CANDIDATES_MAX,
        },
    )
    return [_candidate(row) for row in rows.mappings()]


def _candidate(row: RowMapping) -> Candidate:
    state = reasons.order_state(
        cancelled=False,
        cancellable=row["cancellable"],
        by_channel=False,
        open_units=row["open_units"],
        shipped_units=row["shipped_units"],
    )
    return Candidate(
        order_id=row["order_id"],
        channel_id=row["channel_id"],
        order_ref=row["order_ref"],
        ordered_at=row["ordered_at"],
        units=row["units"],
        buyer_asked=row["buyer_asked"],
        rule=reasons.decide(Kind(row["kind"]), state, Asker.SHOP_OUT_OF_STOCK),
    )


def may_be_cancelled(orders: Sequence[Candidate]) -> list[Candidate]:
    """Those that the shop may end now."""
    return [order for order in orders if order.rule.action is Action.CANCEL]


def may_become_open(order: Candidate) -> bool:
    """Whether the channel may take a cancellation later, as once a payment has gone through."""
    return order.rule.action is Action.WAIT


async def lock_orders(session: AsyncSession, order_ids: Sequence[int]) -> None:
    """Keep the ledger from changing these orders meanwhile; locked in its own order."""
    await session.execute(
        select(SalesOrder.id)
        .where(SalesOrder.id.in_(order_ids))
        .order_by(SalesOrder.channel_id, SalesOrder.order_ref)
        .with_for_update(read=True, key_share=True)
    )


async def propose(
    session: AsyncSession,
    oversell_id: int,
    order: Candidate,
    weighed: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Propose an order, hold its shipping, and approve it where the channel's policy says so.

    `weighed` has its `cost` and the `runner_up`. An order whose buyer has asked to cancel always
    waits for a person: it may end as the buyer's own request, which costs nothing, but that is not
    for the desk to claim.
    """
    channel = await session.get_one(Channel, order.channel_id)
    at_once = channel.desk_policy == "auto" and not order.buyer_asked
    row = await _insert(session, oversell_id, order, at_once=at_once, now=now)
    if row is None:
        return False
    row.cost, row.runner_up = weighed["cost"], weighed["runner_up"]
    ship_by = deadlines.promised(
        ship_by=(await session.get_one(SalesOrder, order.order_id)).ship_by,
        ordered_at=order.ordered_at,
        ship_days=channel.ship_days,
    )
    row.decide_by = deadlines.decide_by(
        Kind(channel.kind), ship_by, hours=channel.desk_hours, now=now
    )
    await standings.foresee(session, row, now)
    casework.note(session, oversell_id, "chosen", _chosen(row, order, channel.code), now=now)
    await casework.hold_shipping(session, row, now)
    if at_once:
        casework.note(
            session, oversell_id, "approved", {"cancellation": row.id}, now=now, by=POLICY
        )
    else:
        why = "the buyer has asked to cancel" if order.buyer_asked else "a person must decide"
        await casework.call_person(session, PROPOSED_ALERT, row, why, now)
    return True


async def price_anew(
    session: AsyncSession, cancellation_id: int, weighed: Mapping[str, Any]
) -> None:
    """Note what a proposal that stays costs now that it was weighed with others.

    One that somebody decides just now keeps the figures by which it is decided.
    """
    row = await lock(session, cancellation_id, "proposed")
    if row is not None:
        row.cost, row.runner_up = weighed["cost"], weighed["runner_up"]


def _chosen(row: Cancellation, order: Candidate, channel: str) -> dict[str, Any]:
    """The step of a proposal: which order, what it costs, and which would have gone instead."""
    return {
        "cancellation": row.id,
        "channel": channel,
        "order_ref": order.order_ref,
        "ordered_at": msgspec.to_builtins(order.ordered_at),
        "units": order.units,
        "why": "of the orders that cover the shortage, it goes with those that cost least together",
        "cost": row.cost,
        "runner_up": row.runner_up,
        "decide_by": msgspec.to_builtins(row.decide_by),
        "buyer_asked": order.buyer_asked,
        "reason_code": row.reason_code,
        "counts_against_metric": order.rule.counts.value,
        "metric_before": row.metric_before,
        "metric_after": row.metric_after,
    }


async def _insert(
    session: AsyncSession, oversell_id: int, order: Candidate, *, at_once: bool, now: datetime
) -> Cancellation | None:
    """The new cancellation, or one that the desk withdrew before; None where another one stands."""
    values = {
        "oversell_id": oversell_id,
        "state": "approved" if at_once else "proposed",
        "reason": Reason.OUT_OF_STOCK.value,
        "reason_code": order.rule.reason_code,
        "decided_by": POLICY if at_once else None,
        "due_at": now if at_once else None,
        "proposed_at": now,
        "escalated_at": None,
        "failure": None,
    }
    added = await session.scalar(
        insert(Cancellation)
        .values(channel_id=order.channel_id, order_id=order.order_id, **values)
        .on_conflict_do_update(
            index_elements=["order_id"],
            set_=values,
            where=(Cancellation.state == "refused") & (Cancellation.decided_by == DESK),
        )
        .returning(Cancellation.id)
    )
    if added is None:
        return None
    return await session.get_one(Cancellation, added, populate_existing=True)
