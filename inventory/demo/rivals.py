"""The cases of a night decided again by simpler rules, on the same orders and prices. Pure.

Each rule plays the whole night by itself: what it gave up in one case counts in the next. A rule
may choose among all orders that were in the ledger when the desk chose last, but for those that
waited for supply; an order that was pending at Amazon just then may be among them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from inventory import penalties, reasons
from inventory.demo.case_evidence import Case, Cases, Line
from inventory.desk import choice, costs
from inventory.desk.case_figures import units_chosen
from inventory.desk.costs import Closing, Offer, SetCost, Shop
from inventory.desk.prices import prices_of
from inventory.desk.weighing import CLOSES, SALES_DAYS
from inventory.penalties import Standing
from inventory.reasons import Asker, OrderState

# (channel code, order reference)
Name = tuple[str, str]
Pick = Callable[[Case, Sequence[Offer], Mapping[int, Shop], int], Sequence[Offer]]


class Loss(Struct, frozen=True, kw_only=True):
    """What a rule gives up in one case, and what that costs on top of its earlier cases."""

    orders: tuple[Name, ...]
    offers: tuple[Offer, ...]
    cost: SetCost

    @property
    def margin_yen(self) -> int:
        """Margin lost with the orders."""
        return self.cost.part("margin_yen")


def weighed(found: Cases) -> list[Case]:
    """The cases in which the desk had to choose, in the order of its first choices."""
    return sorted(
        (case for case in found.cases if case.weighed), key=lambda case: case.weighed[0].at
    )


def replay(found: Cases, pick: Pick) -> list[Loss]:
    """Play the night by one rule: a loss for every case of `weighed`, in that order."""
    gone: dict[int, Offer] = {}
    ours: set[int] = set()
    losses = []
    for case in weighed(found):
        at = case.weighed[-1].at
        shops = _shops(found, gone.values(), at)
        units = _held(found, case, shops, at)
        offers = _offers(found, case, shops, at)
        # What the desk had to cover, were nothing of it covered by its own earlier cases.
        names = {"/".join(name) for name in given_up(case)}
        need = units_chosen([each.detail for each in case.weighed], names)
        need += sum(units.get(order, 0) for order in ours)
        need -= sum(units.get(order, 0) for order in gone)
        able = [offer for offer in offers if offer.order_id not in gone]
        chosen = pick(case, able, shops, max(need, 0))
        told = tuple((shops[offer.channel_id].code, offer.order_ref) for offer in chosen)
        cost = costs.price(chosen, shops, at)
        losses.append(Loss(orders=told, offers=tuple(chosen), cost=cost))
        gone |= {offer.order_id: offer for offer in chosen}
        ours |= {each.order_id for each in ours_of(case, offers, shops)}
    return losses


def ours_of(case: Case, offers: Sequence[Offer], shops: Mapping[int, Shop]) -> list[Offer]:
    """Those of the offers that the desk gave up for the case."""
    named = given_up(case)
    return [each for each in offers if (shops[each.channel_id].code, each.order_ref) in named]


def given_up(case: Case) -> set[Name]:
    """The orders that the desk gave up for the case, or is giving up."""
    return {
        (each.channel, each.order_ref)
        for each in case.given_up
        if each.state not in {"refused", "observed"}
    }


def desk(case: Case, offers: Sequence[Offer], shops: Mapping[int, Shop], _: int) -> list[Offer]:
    """What the desk did give up."""
    return ours_of(case, offers, shops)


def newest_first(_: Case, offers: Sequence[Offer], __: object, units: int) -> list[Offer]:
    """The newest order loses."""
    return choice.newest_first(offers, units)


def last_imported(_: Case, offers: Sequence[Offer], __: object, units: int) -> list[Offer]:
    """The order that was imported last loses."""
    return choice.last_imported(offers, units)


RULES: Mapping[str, Pick] = {
    "chosen": desk,
    "newest_first": newest_first,
    "last_imported": last_imported,
}


def _shops(found: Cases, gone: Collection[Offer], at: datetime) -> dict[int, Shop]:
    """The channels as they stood, with what this rule has given up so far."""
    orders: dict[int, set[int]] = defaultdict(set)
    for line in found.lines:
        if line.recorded_at <= at:
            orders[line.channel_id].add(line.order_id)
    return {
        each.channel_id: Shop(
            channel_id=each.channel_id,
            code=each.code,
            kind=each.kind,
            rules=penalties.rules_of(each.kind, each.metrics),
            prices=prices_of(each.kind, each.costs),
            standing=Standing(
                orders=len(orders[each.channel_id]),
                counted=sum(o.weighs for o in gone if o.channel_id == each.channel_id),
            ),
            known_from=each.known_from,
        )
        for each in found.channels
    }


def _held(found: Cases, case: Case, shops: Mapping[int, Shop], at: datetime) -> dict[int, int]:
    """Order → units of the case's SKU, of all orders that the desk could see.

    `at` is when its last round began: an order that came in during it and was chosen was seen.
    """
    named = given_up(case)
    units: dict[int, int] = defaultdict(int)
    for line in found.lines:
        seen = line.recorded_at <= at or (shops[line.channel_id].code, line.order_ref) in named
        if line.sku == case.sku and seen:
            units[line.order_id] += line.ordered
    return dict(units)


def _offers(found: Cases, case: Case, shops: Mapping[int, Shop], at: datetime) -> list[Offer]:
    """The orders that held the SKU when the desk chose last, as the cost model sees them."""
    units = _held(found, case, shops, at)
    waiting = {order["order_ref"] for way in case.mitigations for order in way.get("orders", ())}
    orders: dict[int, list[Line]] = defaultdict(list)
    for line in found.lines:
        if line.order_id in units and line.order_ref not in waiting:
            orders[line.order_id].append(line)
    closings = _closings(found.lines, shops, at)
    return [_offer(lines, case.sku, shops, closings) for lines in orders.values()]


def _offer(
    lines: Sequence[Line],
    sku: str,
    shops: Mapping[int, Shop],
    closings: Mapping[int | None, Closing],
) -> Offer:
    first = lines[0]
    kind = shops[first.channel_id].kind
    short = [line for line in lines if line.sku == sku]
    closing = {line.sku: closings[line.listing_id] for line in lines if line.listing_id in closings}
    rule = reasons.decide(kind, OrderState.OPEN, Asker.SHOP_OUT_OF_STOCK)
    return Offer(
        order_id=first.order_id,
        channel_id=first.channel_id,
        order_ref=first.order_ref,
        ordered_at=first.ordered_at,
        units=sum(line.ordered for line in short),
        value_yen=_value(lines),
        unpriced=_unpriced(lines),
        part_yen=_value(short),
        part_unpriced=_unpriced(short),
        weighs=rule.weighs,
        ship_by=first.ship_by,
        shelf=closing.pop(sku, None),
        closes=tuple(closing.values()),
    )


def _closings(
    lines: Sequence[Line], shops: Mapping[int, Shop], at: datetime
) -> dict[int | None, Closing]:
    """Listings that close with an order, and what they had sold by then."""
    sold: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        closes = shops[line.channel_id].kind in CLOSES and line.recorded_at <= at
        if closes and line.listing_id is not None:
            sold[line.listing_id].append(line)
    return {
        listing: Closing(
            listing_id=listing,
            units_per_day=round(sum(line.ordered for line in its) / SALES_DAYS, 3),
            unit_yen=max(
                (line.unit_price for line in its if line.unit_price is not None),
                default=shops[its[0].channel_id].prices.unpriced_yen,
            ),
        )
        for listing, its in sold.items()
    }


def _value(lines: Sequence[Line]) -> int:
    return sum(line.ordered * (line.unit_price or 0) for line in lines)


def _unpriced(lines: Sequence[Line]) -> int:
    return sum(line.ordered for line in lines if line.unit_price is None)
