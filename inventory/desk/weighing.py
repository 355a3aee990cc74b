"""Reads what the cost model needs: orders with their lines, channels' prices and standings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import penalties
from inventory.desk import choice, costs, keeping
from inventory.desk.choice import Choice
from inventory.desk.costs import Closing, Offer, OrderCost, SetCost, Shop
from inventory.desk.keeping import Anew
from inventory.desk.prices import prices_of
from inventory.desk.proposals import Candidate
from inventory.models import Channel
from inventory.penalties import RateRules, Standing
from inventory.penalty_record import standings
from inventory.vocabulary import Kind

# Yahoo! closes an item after a cancellation as out of stock (zaiko close; one vendor's source).
CLOSES = frozenset({Kind.YAHOO})
SALES_DAYS = 30

_LINES = text("""
SELECT l.order_id, l.listing_id, l.unit_price,
  coalesce(o.ship_by, o.ordered_at + h.ship_days * interval '1 day') AS ship_by,
  greatest(l.ordered - l.cancelled - l.shipped, 0) AS units,
  EXISTS (SELECT FROM order_part p WHERE p.order_id = l.order_id AND p.line_ref = l.line_ref
    AND p.sku_id = :sku AND p.reserved > 0) AS short
FROM order_line l JOIN sales_order o ON o.id = l.order_id JOIN channel h ON h.id = o.channel_id
WHERE l.order_id = ANY(:orders) AND l.ordered > l.cancelled + l.shipped
ORDER BY l.order_id, l.line_ref
""")
_SOLD = text("""
SELECT l.id, coalesce(sum(s.ordered), 0) AS units, max(s.unit_price) AS unit_price
FROM listing l LEFT JOIN order_line s ON s.listing_id = l.id AND s.ordered_at > :since
WHERE l.id = ANY(:listings) AND NOT l.closed_by_channel
GROUP BY l.id
""")


class Weighed(Struct, frozen=True, kw_only=True):
    """Orders and channels as the cost model sees them, at one moment."""

    offers: tuple[Offer, ...]
    shops: Mapping[int, Shop]
    now: datetime

    def choose(self, units: int) -> Choice:
        """The least of all sets that cover so many units."""
        return choice.choose(self.offers, self.shops, units, self.now)

    def choose_anew(self, units: int, proposed: Collection[int]) -> Anew:
        """The least of all sets, where some of the orders are proposed already."""
        return keeping.choose_anew(self.offers, self.shops, units, self.now, proposed=proposed)

    def price(self, offers: Sequence[Offer]) -> SetCost:
        """What a set costs under the same model."""
        return costs.price(offers, self.shops, self.now)


async def weigh(
    session: AsyncSession,
    found: Sequence[Candidate],
    sku_id: int,
    now: datetime,
    *,
    without: Collection[int] = (),
) -> Weighed:
    """Weigh these orders; cancellations `without` are not counted as under way."""
    ids = [order.order_id for order in found]
    rows = await session.execute(_LINES, {"orders": ids, "sku": sku_id})
    lines: dict[int, list[RowMapping]] = defaultdict(list)
    for row in rows.mappings():
        lines[row["order_id"]].append(row)
    shops = await _shops(session, {order.channel_id for order in found}, now, without)
    closing = await _closings(session, found, lines, shops, now)
    offers = [_offer(order, lines[order.order_id], shops, closing, now) for order in found]
    return Weighed(offers=tuple(offers), shops=shops, now=now)


async def _shops(
    session: AsyncSession, ids: Collection[int], now: datetime, without: Collection[int]
) -> dict[int, Shop]:
    found = {}
    channels = select(Channel).where(Channel.id.in_(ids)).order_by(Channel.id)
    for channel in await session.scalars(channels):
        kind = Kind(channel.kind)
        rules = penalties.rules_of(kind, channel.metrics)
        standing = Standing()
        if rules is not None:
            standing = await standings.under_way(session, channel, rules, now, without=without)
        found[channel.id] = Shop(
            channel_id=channel.id,
            code=channel.code,
            kind=kind,
            rules=rules,
            prices=prices_of(kind, channel.costs),
            standing=standing,
            known_from=channel.history_from or channel.connected_at,
        )
    return found


async def _closings(
    session: AsyncSession,
    found: Sequence[Candidate],
    lines: Mapping[int, Sequence[RowMapping]],
    shops: Mapping[int, Shop],
    now: datetime,
) -> dict[int, Closing]:
    """Listings that close with one of these orders, and what they have sold in thirty days."""
    listings = {
        line["listing_id"]: shops[order.channel_id].prices.unpriced_yen
        for order in found
        if shops[order.channel_id].kind in CLOSES
        for line in lines[order.order_id]
        if line["listing_id"] is not None
    }
    if not listings:
        return {}
    values = {"listings": list(listings), "since": now - timedelta(days=SALES_DAYS)}
    return {
        row.id: Closing(
            listing_id=row.id,
            units_per_day=round(row.units / SALES_DAYS, 3),
            unit_yen=listings[row.id] if row.unit_price is None else row.unit_price,
        )
        for row in await session.execute(_SOLD, values)
    }


def _offer(
    order: Candidate,
    lines: Sequence[RowMapping],
    shops: Mapping[int, Shop],
    closing: Mapping[int, Closing],
    now: datetime,
) -> Offer:
    closes = shops[order.channel_id].kind in CLOSES
    shelves = {line["listing_id"]: line["short"] for line in lines if closes}
    # The listing of the SKU itself is closed for once; what else is in the order, with it.
    own = [listing for listing, short in sorted(shelves.items()) if short and listing in closing]
    rest = [listing for listing in sorted(shelves) if listing in closing and listing not in own[:1]]
    return Offer(
        order_id=order.order_id,
        channel_id=order.channel_id,
        order_ref=order.order_ref,
        ordered_at=order.ordered_at,
        units=order.units,
        value_yen=_value(lines),
        unpriced=_unpriced(lines),
        part_yen=_value([line for line in lines if line["short"]]),
        part_unpriced=_unpriced([line for line in lines if line["short"]]),
        weighs=order.rule.weighs and _in_window(order, shops[order.channel_id], now),
        ship_by=lines[0]["ship_by"] if lines else None,
        shelf=closing[own[0]] if own else None,
        closes=tuple(closing[listing] for listing in rest),
    )


def _in_window(order: Candidate, shop: Shop, now: datetime) -> bool:
    """Whether the metric sees the end of the order; where order dates decide, not of old ones."""
    rules = shop.rules
    if not isinstance(rules, RateRules) or rules.count_by != "order_date":
        return True
    return penalties.in_window(rules, order.ordered_at, now)


def _value(lines: Sequence[RowMapping]) -> int:
    return sum(line["units"] * (line["unit_price"] or 0) for line in lines)


def _unpriced(lines: Sequence[RowMapping]) -> int:
    return sum(line["units"] for line in lines if line["unit_price"] is None)


def cost_shown(cost: OrderCost, *, part_saves_yen: int) -> dict[str, Any]:
    """An order's cost as it is put on record."""
    shown: dict[str, Any] = msgspec.to_builtins(cost)
    return shown | {"total_yen": cost.total_yen, "part_saves_yen": part_saves_yen}


def set_shown(weighed: Weighed, offers: Sequence[Offer], cost: SetCost) -> dict[str, Any]:
    """A set of orders and its cost as it is put on record."""
    return {
        "orders": [
            {
                "channel": weighed.shops[offer.channel_id].code,
                "order_ref": offer.order_ref,
                "units": offer.units,
                "cost_yen": each.total_yen,
            }
            for offer, each in zip(offers, cost.orders, strict=True)
        ],
        "cost_yen": cost.total_yen,
        "cost": {part: cost.part(part) for part in costs.PARTS},
        "limits_crossed": list(cost.limits_crossed),
    }


def choice_shown(weighed: Weighed, chosen: Choice, *, units: int) -> dict[str, Any]:
    """The step that tells what was weighed, what was chosen, and what simpler rules would cost."""
    simpler = {
        "cost_yen_newest_first": choice.newest_first(weighed.offers, units),
        "cost_yen_last_imported": choice.last_imported(weighed.offers, units),
    }
    return {
        "units": units,
        "orders_weighed": len(weighed.offers),
        "method": chosen.method,
        **set_shown(weighed, chosen.orders, chosen.cost),
        "margin_lost_yen": chosen.cost.part("margin_yen"),
        "runner_up": runner_up_shown(weighed, chosen),
        **{name: weighed.price(offers).total_yen for name, offers in simpler.items()},
        "prices_as_of": {
            shop.code: shop.prices.as_of.isoformat() for shop in weighed.shops.values()
        },
    }


def runner_up_shown(weighed: Weighed, chosen: Choice) -> dict[str, Any] | None:
    """The best other set, and why it lost."""
    if chosen.runner_up_cost is None:
        return None
    shown = set_shown(weighed, chosen.runner_up, chosen.runner_up_cost)
    return shown | {"why": choice.why_lost(chosen)}
