"""What a case needs: what is short, what covers it already, and what could before an order goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Integer, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.desk.casework import BY_HAND
from inventory.desk.mitigation_plan import Elsewhere, Plan, Seen, Supply, UnderWay, Waiter, plan
from inventory.models import Channel, Location

WAITERS_MAX = 500


class Cover(Struct, frozen=True, kw_only=True):
    """A live cancellation and the units of the SKU that its order still holds in the pool.

    `unsent`: nothing was sent for it, or only a person was asked, so that it can be taken back.
    `undecided`: only proposed so far; neither the channel nor the buyer has heard of it.
    """

    cancellation_id: int
    order_id: int
    own: bool
    unsent: bool
    undecided: bool
    units: int


class Need(Struct, frozen=True, kw_only=True):
    """A shortage in units, the locations that are short, and what covers it already.

    Covers are ordered from the oldest order to the newest; those of other cases count as well.
    """

    shortage: int
    pool: tuple[int, ...]
    covers: tuple[Cover, ...]
    plan: Plan

    @property
    def own_unsent(self) -> list[Cover]:
        """Cancellations of the case itself that can be taken back."""
        return [cover for cover in self.covers if cover.own and cover.unsent]

    @property
    def undecided(self) -> list[Cover]:
        """Proposals of the case that may give way to others; those that must go are not among them.

        Not those whose orders hold no units any more, or wait for supply.
        """
        waiting = self.plan.waiting
        return [
            cover
            for cover in self.own_unsent
            if cover.undecided and cover.units and cover.order_id not in waiting
        ]

    @property
    def fixed(self) -> int:
        """Units that end with cancellations which are sent, or belong to other cases."""
        return sum(cover.units for cover in self.covers if not (cover.own and cover.unsent))

    @property
    def to_give_up(self) -> int:
        """Units that proposals of the case must cover: what nothing else does."""
        return max(self.shortage - self.fixed - self.plan.units, 0)

    @property
    def missing(self) -> int:
        """Units for which an order must still be chosen."""
        return self.to_give_up - sum(
            cover.units for cover in self.own_unsent if cover.order_id not in self.plan.waiting
        )


# One statement, so that shortage, covers and what could come are seen at one moment: units that
# move between two looks would be counted twice or not at all, and one order too many would go.
_LOOK = text("""
SELECT c.shortage,
  (SELECT coalesce(jsonb_agg(jsonb_build_array(
      v.location_id, l.code, l.sellable, v.on_hand - v.reserved) ORDER BY l.id), '[]')
   FROM stock_level v JOIN location l ON l.id = v.location_id
   WHERE v.sku_id = c.sku_id) AS levels,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'id', x.id, 'order', o.id, 'own', x.oversell_id = c.id,
      'unsent', (x.state <> 'submitted' OR x.reference = :by_hand) AND NOT o.cancelled,
      'undecided', x.state = 'proposed' AND x.attempts = 0 AND NOT EXISTS (
        SELECT FROM buyer_message m WHERE m.cancellation_id = x.id AND m.sent_at IS NOT NULL),
      'location', p.location_id, 'reserved', coalesce(p.reserved, 0)
    ) ORDER BY o.ordered_at, o.id), '[]')
   FROM cancellation x JOIN sales_order o ON o.id = x.order_id
   LEFT JOIN order_part p ON p.order_id = o.id AND p.sku_id = c.sku_id AND p.reserved > 0
   WHERE x.state IN ('proposed', 'approved', 'submitted')
     AND (x.oversell_id = c.id OR p.order_id IS NOT NULL)) AS live,
  (SELECT coalesce(jsonb_agg(jsonb_build_array(t.from_location_id, t.to_location_id,
      t.transfer_ref, t.quantity - t.arrived - t.missing, t.sent_at) ORDER BY t.id), '[]')
   FROM transfer t WHERE t.sku_id = c.sku_id AND t.arrived + t.missing < t.quantity) AS transfers,
  (SELECT coalesce(jsonb_agg(jsonb_build_array(i.location_id, i.supply_ref,
      i.expected - i.received, i.due_on) ORDER BY i.due_on, i.id), '[]')
   FROM inbound_supply i
   WHERE i.sku_id = c.sku_id AND NOT i.ended AND i.received < i.expected) AS supplies,
  (SELECT coalesce(max(l.preorder_units), 0) FROM listing l WHERE l.sku_id = c.sku_id) AS ahead,
  NOT EXISTS (SELECT FROM mitigation m WHERE m.oversell_id = c.id AND m.kind = 'other_location'
    AND m.state = 'undone') AS asked,
  (SELECT coalesce(jsonb_agg(jsonb_build_array(w.id, w.order_ref, w.location_id, w.reserved,
      w.ship_by, w.state, w.own, w.cancellable)), '[]')
   FROM (
     SELECT o.id, o.order_ref, promised.ship_by, o.cancellable, p.location_id, p.reserved,
       coalesce(x.state, '') AS state, x.oversell_id IS NOT DISTINCT FROM c.id AS own
     FROM order_part p JOIN sales_order o ON o.id = p.order_id
     JOIN channel h ON h.id = o.channel_id
     CROSS JOIN LATERAL (SELECT coalesce(o.ship_by, o.ordered_at + h.ship_days * interval '1 day')
       AS ship_by) promised
     LEFT JOIN cancellation x ON x.order_id = o.id
     WHERE p.sku_id = c.sku_id AND p.reserved > 0 AND promised.ship_by > :now AND NOT o.cancelled
       AND NOT o.fulfilled_by_channel AND EXISTS (SELECT FROM inbound_supply i
         WHERE i.sku_id = c.sku_id AND NOT i.ended AND i.received < i.expected)
     ORDER BY promised.ship_by DESC, o.id LIMIT :most
   ) w) AS waiters
FROM oversell c WHERE c.id = :case
""").columns(
    shortage=Integer,
    levels=JSONB,
    live=JSONB,
    transfers=JSONB,
    supplies=JSONB,
    ahead=Integer,
    waiters=JSONB,
)


async def look(session: AsyncSession, oversell_id: int, now: datetime) -> Need:
    """What the case still needs. The pool is the one whose shortage is the greatest.

    Of pools that are as short, the one of the fewest locations: an order elsewhere frees it none.
    """
    pools = await _pools(session)
    values = {"case": oversell_id, "by_hand": BY_HAND, "now": now, "most": WAITERS_MAX}
    row = (await session.execute(_LOOK, values)).mappings().one()
    available = {location: units for location, _, _, units in row["levels"]}
    held = {each: sum(available.get(location, 0) for location in each) for each in pools}
    pool = min(pools, key=lambda each: (held[each], len(each)))
    covers = _covers(row["live"], pool)
    fixed = sum(cover.units for cover in covers if not (cover.own and cover.unsent))
    return Need(
        shortage=row["shortage"],
        pool=pool,
        covers=covers,
        plan=plan(_seen(dict(row), pool, pools), max(row["shortage"] - fixed, 0), now),
    )


async def _pools(session: AsyncSession) -> list[tuple[int, ...]]:
    """All sellable locations, and every pool that feeds a channel."""
    sellable = await session.scalars(
        select(Location.id).where(Location.sellable.is_(True)).order_by(Location.id)
    )
    own = await session.scalars(
        select(Channel.location_ids).where(Channel.location_ids.is_not(None)).distinct()
    )
    return [tuple(sellable), *(tuple(ids) for ids in own if ids)]


def _covers(live: Sequence[Mapping[str, Any]], pool: Sequence[int]) -> tuple[Cover, ...]:
    covers: dict[int, Cover] = {}
    for each in live:
        before = covers.get(each["id"])
        units = each["reserved"] if each["location"] in pool else 0
        covers[each["id"]] = Cover(
            cancellation_id=each["id"],
            order_id=each["order"],
            own=each["own"],
            unsent=each["unsent"],
            undecided=each["undecided"],
            units=units + (before.units if before else 0),
        )
    return tuple(covers.values())


def _seen(row: Mapping[str, Any], pool: Sequence[int], pools: Sequence[Sequence[int]]) -> Seen:
    """What could cover the shortage of this pool."""
    supplies = [
        Supply(name, units, date.fromisoformat(due_on))
        for location, name, units, due_on in row["supplies"]
        if location in pool
    ]
    return Seen(
        elsewhere=_elsewhere(row["levels"], pool, pools),
        under_way=tuple(
            UnderWay(name, units, datetime.fromisoformat(sent_at))
            for start, end, name, units, sent_at in row["transfers"]
            if end in pool and start not in pool
        ),
        supplies=tuple(supplies),
        waiters=_waiters(row["waiters"], pool),
        ahead=row["ahead"],
        asked=row["asked"],
    )


def _elsewhere(
    levels: Sequence[Sequence[Any]], pool: Sequence[int], pools: Sequence[Sequence[int]]
) -> tuple[Elsewhere, ...]:
    """Units that other sellable locations can spare without making another pool short."""
    sellable = pools[0]
    left = {location: units for location, _, _, units in levels}
    found = []
    for location, code, _, _ in levels:
        if location not in sellable or location in pool:
            continue
        others = [each for each in pools[1:] if location in each and not set(each) & set(pool)]
        spare = min([left[location]] + [sum(left.get(i, 0) for i in each) for each in others])
        if spare > 0:
            found.append(Elsewhere(code, spare))
            left[location] -= spare
    return tuple(found)


def _waiters(rows: Sequence[Sequence[Any]], pool: Sequence[int]) -> tuple[Waiter, ...]:
    """Orders that are nobody's to end, or that the case has only proposed to end."""
    found: dict[int, Waiter] = {}
    for order_id, ref, location, units, ship_by, state, own, cancellable in rows:
        proposed = state in {"proposed", "approved"} and own
        if location not in pool or (state not in {"", "refused", "failed"} and not proposed):
            continue
        before = found.get(order_id)
        total = units + (before.units if before else 0)
        moment = datetime.fromisoformat(ship_by)
        found[order_id] = Waiter(order_id, ref, total, moment, proposed, cancellable)
    return tuple(found.values())
