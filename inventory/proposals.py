"""Which orders a case would give up: what is short, what covers it already, who is the newest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import Integer, RowMapping, bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import casework, reasons, standings
from inventory.casework import DESK, POLICY, PROPOSED_ALERT
from inventory.models import Cancellation, Channel, Location, SalesOrder
from inventory.reasons import Action, Asker, Rule
from inventory.vocabulary import Kind, Reason

CANDIDATES_MAX = 500


class Cover(Struct, frozen=True, kw_only=True):
    """A live cancellation and the units of the SKU that its order still holds in the pool."""

    cancellation_id: int
    own: bool
    unsent: bool
    units: int


class Need(Struct, frozen=True, kw_only=True):
    """A shortage in units, the locations that are short, and what covers it already.

    Covers are ordered from the oldest order to the newest; those of other cases count as well.
    """

    shortage: int
    pool: tuple[int, ...]
    covers: tuple[Cover, ...]

    @property
    def covered(self) -> int:
        """Units that end with cancellations under way."""
        return sum(cover.units for cover in self.covers)

    @property
    def missing(self) -> int:
        """Units for which an order must still be chosen."""
        return self.shortage - self.covered

    @property
    def own_unsent(self) -> list[Cover]:
        """Cancellations of the case itself that nobody has sent yet."""
        return [cover for cover in self.covers if cover.own and cover.unsent]


class Candidate(Struct, frozen=True, kw_only=True):
    """An order that holds units of the SKU, and what the table says about giving it up."""

    order_id: int
    channel_id: int
    order_ref: str
    ordered_at: datetime
    units: int
    buyer_asked: bool
    rule: Rule


# One statement, so that shortage and covers are seen at one moment: a cancellation that is booked
# between two looks would leave the shortage and its cover apart, and one order too many would go.
_LOOK = text("""
SELECT c.shortage,
  (SELECT coalesce(jsonb_agg(jsonb_build_array(v.location_id, v.on_hand - v.reserved)), '[]')
   FROM stock_level v WHERE v.sku_id = c.sku_id) AS levels,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'id', x.id, 'own', x.oversell_id = c.id, 'unsent', x.state <> 'submitted' AND NOT o.cancelled,
      'location', p.location_id, 'reserved', coalesce(p.reserved, 0)
    ) ORDER BY o.ordered_at, o.id), '[]')
   FROM cancellation x JOIN sales_order o ON o.id = x.order_id
   LEFT JOIN order_part p ON p.order_id = o.id AND p.sku_id = c.sku_id AND p.reserved > 0
   WHERE x.state IN ('proposed', 'approved', 'submitted')
     AND (x.oversell_id = c.id OR p.order_id IS NOT NULL)) AS live
FROM oversell c WHERE c.id = :case
""").columns(shortage=Integer, levels=JSONB, live=JSONB)

_CANDIDATES = text("""
SELECT o.id AS order_id, o.channel_id, o.order_ref, o.ordered_at, o.cancellable,
  o.buyer_asked_to_cancel AS buyer_asked, h.kind, sum(p.reserved) AS units,
  lines.open_units, lines.shipped_units
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
  AND (x.id IS NULL OR x.state = 'refused' AND x.decided_by = :desk)
  AND (CAST(:orders AS bigint[]) IS NULL OR o.id = ANY(CAST(:orders AS bigint[])))
GROUP BY o.id, h.kind, lines.open_units, lines.shipped_units
ORDER BY o.cancellable AND h.kind = ANY(:kinds) AND lines.shipped_units = 0 DESC,
  o.ordered_at DESC, o.id DESC
LIMIT :most
""").bindparams(bindparam("pool"), bindparam("kinds"))


async def look(session: AsyncSession, oversell_id: int) -> Need:
    """What the case still needs. The pool is the one whose shortage is the greatest."""
    pools = await _pools(session)
    row = (await session.execute(_LOOK, {"case": oversell_id})).one()
    available = dict(row.levels)
    pool = min(pools, key=lambda each: sum(available.get(location, 0) for location in each))
    covers: dict[int, Cover] = {}
    for live in row.live:
        before = covers.get(live["id"])
        units = live["reserved"] if live["location"] in pool else 0
        covers[live["id"]] = Cover(
            cancellation_id=live["id"],
            own=live["own"],
            unsent=live["unsent"],
            units=units + (before.units if before else 0),
        )
    return Need(shortage=row.shortage, pool=pool, covers=tuple(covers.values()))


async def _pools(session: AsyncSession) -> list[tuple[int, ...]]:
    sellable = await session.scalars(
        select(Location.id).where(Location.sellable.is_(True)).order_by(Location.id)
    )
    own = await session.scalars(
        select(Channel.location_ids).where(Channel.location_ids.is_not(None)).distinct()
    )
    return [tuple(sellable), *(tuple(ids) for ids in own if ids)]


async def candidates(
    session: AsyncSession,
    sku_id: int,
    pool: Sequence[int],
    *,
    order_ids: Sequence[int] | None = None,
) -> list[Candidate]:
    """Live orders that hold units of the SKU, those that may be cancelled first, newest first.

    A cancellation that the desk itself withdrew does not stand in the way; any other does.
    """
    rows = await session.execute(
        _CANDIDATES,
        {
            "sku": sku_id,
            "pool": list(pool),
            "desk": DESK,
            "orders": None if order_ids is None else list(order_ids),
            "kinds": [kind.value for kind in reasons.cancels_out_of_stock()],
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


def newest_first(orders: Sequence[Candidate], missing: int) -> list[Candidate]:
    """Whole orders that may be cancelled, the newest first, until `missing` units are covered."""
    chosen: list[Candidate] = []
    able = [order for order in orders if order.rule.action is Action.CANCEL]
    for order in sorted(able, key=lambda each: (each.ordered_at, each.order_id), reverse=True):
        if sum(each.units for each in chosen) >= missing:
            break
        chosen.append(order)
    return chosen


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


async def propose(session: AsyncSession, oversell_id: int, order: Candidate, now: datetime) -> bool:
    """Propose an order, hold its shipping, and approve it where the channel's policy says so.

    An order whose buyer has asked to cancel always waits for a person: it may end as the buyer's
    own request, which costs nothing, but that is not for the desk to claim.
    """
    channel = await session.get_one(Channel, order.channel_id)
    at_once = channel.desk_policy == "auto" and not order.buyer_asked
    row = await _insert(session, oversell_id, order, at_once=at_once, now=now)
    if row is None:
        return False
    await standings.foresee(session, row, now)
    detail = {
        "cancellation": row.id,
        "channel": channel.code,
        "order_ref": order.order_ref,
        "ordered_at": msgspec.to_builtins(order.ordered_at),
        "units": order.units,
        "why": "the newest order that may still be cancelled",
        "buyer_asked": order.buyer_asked,
        "reason_code": row.reason_code,
        "counts_against_metric": order.rule.counts.value,
        "metric_before": row.metric_before,
        "metric_after": row.metric_after,
    }
    casework.note(session, oversell_id, "chosen", detail, now=now)
    await casework.hold_shipping(session, row, now)
    if at_once:
        casework.note(
            session, oversell_id, "approved", {"cancellation": row.id}, now=now, by=POLICY
        )
    else:
        why = "the buyer has asked to cancel" if order.buyer_asked else "a person must decide"
        await casework.call_person(session, PROPOSED_ALERT, row, why, now)
    return True


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
