"""What it costs in yen to give orders up: a pure model of every channel, for any set of orders.

The cost of a channel's limit depends on how many of its orders go, so costs do not add up order by
order; `price` is the one place where a set is priced, and every choice is judged by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction

from msgspec import Struct

from inventory import penalties
from inventory.desk.prices import (
    AmazonPrices,
    AnyPrices,
    LimitPrices,
    RakutenPrices,
    ShopifyPrices,
    YahooPrices,
)
from inventory.penalties import AnyRules, RakutenRules, RateRules, ShopifyRules, Standing
from inventory.vocabulary import Kind

DAY = timedelta(days=1)
# However long the promised date is over, the buyer loses no more by hearing of it late.
LATE_DAYS_MAX = 7


class Shop(Struct, frozen=True, kw_only=True):
    """A channel as the model sees it: its rules, its prices, and what is counted there already.

    `standing` holds what is on record and what is under way. `known_from` is where our history
    of it starts. `rules` None: its marketplace has no metric.
    """

    channel_id: int
    code: str
    kind: Kind
    rules: AnyRules | None
    prices: AnyPrices
    standing: Standing
    known_from: datetime


class Closing(Struct, frozen=True, kw_only=True):
    """A listing that its marketplace closes with the order: units sold a day, yen of one unit."""

    listing_id: int
    units_per_day: float
    unit_yen: int


class Offer(Struct, frozen=True, kw_only=True):
    """An order that may be given up, as the model sees it.

    `units` of the short SKU end with it. `value_yen` is what all its open units are worth, of
    which `part_yen` the lines of the short SKU; `unpriced` and `part_unpriced` are how many units
    have no known price. `weighs`: its end counts in the metric. `shelf` is the listing of the SKU
    that closes with it, paid for once however many of its orders go; `closes` are its others.
    """

    order_id: int
    channel_id: int
    order_ref: str
    ordered_at: datetime
    units: int
    value_yen: int
    unpriced: int = 0
    part_yen: int = 0
    part_unpriced: int = 0
    weighs: bool = False
    ship_by: datetime | None = None
    shelf: Closing | None = None
    closes: tuple[Closing, ...] = ()


class OrderCost(Struct, frozen=True, kw_only=True):
    """What giving one order up costs, whole yen, in its parts.

    `limit_yen` is what it adds to the way to the next limit, on top of the orders before it;
    `closed_yen` are sales lost while listings stay closed. `as_of` is the date of the prices that
    are assumed.
    """

    limit_yen: int = 0
    fee_yen: int = 0
    margin_yen: int = 0
    late_yen: int = 0
    closed_yen: int = 0
    handling_yen: int = 0
    as_of: date | None = None

    @property
    def total_yen(self) -> int:
        """The sum of the parts."""
        return sum(getattr(self, part) for part in PARTS)


PARTS = ("limit_yen", "fee_yen", "margin_yen", "late_yen", "closed_yen", "handling_yen")


class SetCost(Struct, frozen=True, kw_only=True):
    """What a set of orders costs: each order in the given sequence, and the limits it crosses."""

    orders: tuple[OrderCost, ...]
    limits_crossed: tuple[str, ...]

    @property
    def total_yen(self) -> int:
        """The sum over the orders."""
        return sum(order.total_yen for order in self.orders)

    def part(self, name: str) -> int:
        """The sum of one part over the orders."""
        return sum(getattr(order, name) for order in self.orders)


def of_percent(yen: int, percent: float) -> int:
    """So many percent of an amount, half a yen rounded up."""
    return int(yen * Fraction(str(percent)) / 100 + Fraction(1, 2))


def own_cost(offer: Offer, shop: Shop, now: datetime) -> OrderCost:
    """What an order costs by itself: all but the limit and the shelf of the short SKU."""
    prices = shop.prices
    value = offer.value_yen + offer.unpriced * prices.unpriced_yen
    return OrderCost(
        fee_yen=_fee(value, shop),
        margin_yen=of_percent(value, prices.margin_percent),
        late_yen=_days_missing(offer.ship_by, prices.notice_days, now) * prices.late_yen,
        closed_yen=sum(closed_cost(each, shop) for each in offer.closes),
        handling_yen=prices.order_yen,
        as_of=prices.as_of,
    )


def saved_by_part(offer: Offer, shop: Shop) -> int:
    """Yen of margin and fee that giving up only the short lines would save.

    A part needs the buyer's consent or a refund by hand: it is shown, and never chosen.
    """
    prices = shop.prices
    whole = offer.value_yen + offer.unpriced * prices.unpriced_yen
    rest = whole - offer.part_yen - offer.part_unpriced * prices.unpriced_yen
    return of_percent(rest, prices.margin_percent) + _fee(rest, shop)


def _fee(value: int, shop: Shop) -> int:
    """Card fees that Shopify Payments keeps on a refund; none before the payment is captured."""
    if not isinstance(shop.rules, ShopifyRules) or shop.rules.captured == "at_shipment":
        return 0
    percent = shop.rules.fee_percent
    if percent is None:
        percent = shop.prices.fee_percent if isinstance(shop.prices, ShopifyPrices) else 0.0
    return of_percent(value, percent)


def _days_missing(ship_by: datetime | None, notice_days: int, now: datetime) -> int:
    if ship_by is None:
        return 0
    left = (ship_by - now) // DAY
    return min(max(notice_days - left, 0), notice_days + LATE_DAYS_MAX)


def closed_cost(closing: Closing, shop: Shop) -> int:
    """Margin of the sales lost while a listing stays closed at Yahoo!."""
    if not isinstance(shop.prices, YahooPrices):
        return 0
    units = Fraction(str(closing.units_per_day)) * shop.prices.reopen_hours / 24
    return of_percent(round(units * closing.unit_yen), shop.prices.margin_percent)


def limit_yen(shop: Shop, most: int, now: datetime) -> tuple[int, ...]:
    """What 0, 1, … `most` more cancellations that weigh add to the way to limits; never falls."""
    counted = [_counted_yen(shop, more, now) for more in range(most + 1)]
    return tuple(yen - counted[0] for yen in counted)


def _counted_yen(shop: Shop, more: int, now: datetime) -> int:
    rules, prices = shop.rules, shop.prices
    if not isinstance(prices, LimitPrices):
        return 0
    counted = shop.standing.counted + more
    yen = prices.count_yen * counted
    if isinstance(rules, RakutenRules) and isinstance(prices, RakutenPrices):
        return yen + _points_yen(rules, prices, _points(shop, more, now))
    if isinstance(rules, RateRules) and isinstance(prices, (AmazonPrices, YahooPrices)):
        if rules.limit_percent is None:
            return yen
        orders = shop.standing.orders
        allowed = penalties.allowed_cancels(orders, limit_percent=rules.limit_percent)
        if counted > allowed:
            return yen + prices.breach_yen + prices.beyond_yen * (counted - allowed - 1)
        nearing = of_percent(prices.breach_yen, prices.approach_percent)
        return yen + nearing * counted // (allowed + 1)
    return yen


def _points(shop: Shop, more: int, now: datetime) -> float:
    """Rakuten's points with so many more cancellations, as the metric has them."""
    rules = shop.rules
    if rules is None:
        return 0.0
    standing = Standing(orders=shop.standing.orders, counted=shop.standing.counted + more)
    return penalties.metric(rules, standing, now=now, known_from=shop.known_from).value or 0.0


def _points_yen(rules: RakutenRules, prices: RakutenPrices, points: float) -> int:
    """Fines of the steps reached, and a share of the next one for the way to it."""
    yen, last = 0, 0
    for number, step in enumerate(rules.steps):
        fine = prices.fines_yen[min(number, len(prices.fines_yen) - 1)]
        if points < step:
            way = Fraction(str(points - last)) / (step - last)
            return yen + int(of_percent(fine, prices.approach_percent) * way)
        yen, last = yen + fine, step
    each = rules.points_per_cancel or 1
    return yen + int(prices.beyond_yen * Fraction(str(points - last)) / each)


def crossed(shop: Shop, more: int, now: datetime) -> list[str]:
    """The limits that so many more cancellations that weigh cross, in words."""
    rules = shop.rules
    if isinstance(rules, RakutenRules):
        before, after = _points(shop, 0, now), _points(shop, more, now)
        return [f"{shop.code}: {step} points" for step in rules.steps if before < step <= after]
    if isinstance(rules, RateRules) and rules.limit_percent is not None:
        allowed = penalties.allowed_cancels(shop.standing.orders, limit_percent=rules.limit_percent)
        if shop.standing.counted <= allowed < shop.standing.counted + more:
            return [f"{shop.code}: {rules.limit_percent:g} % in {rules.window_days} days"]
    return []


def price(offers: Sequence[Offer], shops: Mapping[int, Shop], now: datetime) -> SetCost:
    """What giving up this very set costs, order by order in the given sequence.

    The sum does not depend on the sequence; which order shows the crossing of a limit does.
    """
    weighing: dict[int, int] = {}
    closed: set[int] = set()
    costs = []
    for offer in offers:
        shop = shops[offer.channel_id]
        cost = own_cost(offer, shop, now)
        limit = shelf = 0
        if offer.weighs:
            already = weighing.get(shop.channel_id, 0)
            ways = limit_yen(shop, already + 1, now)
            limit, weighing[shop.channel_id] = ways[-1] - ways[-2], already + 1
        if offer.shelf is not None and offer.shelf.listing_id not in closed:
            closed.add(offer.shelf.listing_id)
            shelf = closed_cost(offer.shelf, shop)
        costs.append(_with(cost, limit=limit, shelf=shelf))
    limits = [
        words
        for channel_id, more in sorted(weighing.items())
        for words in crossed(shops[channel_id], more, now)
    ]
    return SetCost(orders=tuple(costs), limits_crossed=tuple(limits))


def _with(cost: OrderCost, *, limit: int, shelf: int) -> OrderCost:
    return OrderCost(
        limit_yen=limit,
        fee_yen=cost.fee_yen,
        margin_yen=cost.margin_yen,
        late_yen=cost.late_yen,
        closed_yen=cost.closed_yen + shelf,
        handling_yen=cost.handling_yen,
        as_of=cost.as_of,
    )
