"""The choice where orders are proposed already: they stay where no other set costs less. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from inventory.desk import choice, costs
from inventory.desk.choice import Choice
from inventory.desk.costs import Offer, Shop


class Anew(Struct, frozen=True, kw_only=True):
    """A choice, and in yen what the proposals cost with the least that must be added to them."""

    choice: Choice
    as_proposed_yen: int


def choose_anew(
    offers: Sequence[Offer],
    shops: Mapping[int, Shop],
    units: int,
    now: datetime,
    *,
    proposed: Collection[int],
) -> Anew:
    """The least of all sets that cover `units`, those that are proposed among the offers.

    Of sets that cost the same the one that keeps the proposals is chosen, as far as each of them is
    needed. Proposals that cover more than `units` are kept as the least set of them.
    """
    least = choice.choose(offers, shops, units, now)
    held = [offer for offer in offers if offer.order_id in proposed]
    if not held:
        return Anew(choice=least, as_proposed_yen=least.cost.total_yen)
    others = [offer for offer in offers if offer.order_id not in proposed]
    more = units - sum(offer.units for offer in held)
    added = _added(held, others, shops, more, now) if more > 0 else ()
    as_proposed = costs.price([*held, *added], shops, now).total_yen
    kept = [*held, *added] if more >= 0 else choice.choose(held, shops, units, now).orders
    return Anew(
        choice=_of(kept, least, shops, units, now) or least,
        as_proposed_yen=as_proposed,
    )


def _of(
    kept: Sequence[Offer],
    least: Choice,
    shops: Mapping[int, Shop],
    units: int,
    now: datetime,
) -> Choice | None:
    """The choice of the set that is kept; None where it is the least one, dearer or too large."""
    orders = tuple(sorted(kept, key=lambda each: (each.ordered_at, each.order_id), reverse=True))
    cost = costs.price(orders, shops, now)
    if orders == least.orders or cost.total_yen > least.cost.total_yen:
        return None
    beyond = sum(offer.units for offer in orders) - units
    if any(offer.units <= beyond for offer in orders):
        return None
    return Choice(
        orders=orders,
        cost=cost,
        runner_up=least.orders,
        runner_up_cost=least.cost,
        method=least.method,
        kept=True,
    )


def _added(
    held: Sequence[Offer],
    others: Sequence[Offer],
    shops: Mapping[int, Shop],
    units: int,
    now: datetime,
) -> tuple[Offer, ...]:
    """The least of the others that must go as well, on top of the ones that are held.

    On top of means: they count at their channels, and the listings that they close are closed.
    """
    counted: dict[int, int] = {}
    for offer in held:
        counted[offer.channel_id] = counted.get(offer.channel_id, 0) + offer.weighs
    closed = {offer.shelf.listing_id for offer in held if offer.shelf is not None}
    by_id = {offer.order_id: offer for offer in others}
    found = choice.choose(
        [_paid(offer, closed) for offer in others],
        {
            channel_id: _with_counted(shop, counted.get(channel_id, 0))
            for channel_id, shop in shops.items()
        },
        units,
        now,
    )
    return tuple(by_id[offer.order_id] for offer in found.orders)


def _paid(offer: Offer, closed: Collection[int]) -> Offer:
    if offer.shelf is None or offer.shelf.listing_id not in closed:
        return offer
    return msgspec.structs.replace(offer, shelf=None)


def _with_counted(shop: Shop, more: int) -> Shop:
    standing = msgspec.structs.replace(shop.standing, counted=shop.standing.counted + more)
    return msgspec.structs.replace(shop, standing=standing)
