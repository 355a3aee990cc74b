"""Each marketplace's metric as a pure model: where a shop stands, and what one more cancel does.

Every threshold is a setting with an as-of date: defaults stand here, `channel.metrics` overrides
them. The marketplaces publish little of this, and most pages carry no date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from inventory.clock import JST, tokyo_midnight
from inventory.errors import SettingWrong
from inventory.vocabulary import Kind

STEPS = (35, 55, 75, 80, 100)
Percent = Annotated[float, Meta(ge=0, le=100)]


class Rules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all metrics have: the day their thresholds were looked up, and our history's start.

    `history_from` None means that our history starts with the channel's connection.
    """

    name: ClassVar[str]
    as_of: date
    history_from: Annotated[datetime, Meta(tz=True)] | None = None


class RateRules(Rules, frozen=True, kw_only=True):
    """Cancelled orders in percent of all orders of the last `window_days` (24-hour days).

    The rate must stay below `limit_percent`; None means that the marketplace publishes no limit
    and the shop has set none. `count_by` says which date puts a cancellation into the window.
    """

    window_days: Annotated[int, Meta(ge=1, le=366)]
    limit_percent: Percent | None
    count_by: Literal["order_date", "cancel_date"]


class AmazonRules(RateRules, frozen=True, kw_only=True):
    """Seller Central help 200285210 (Japan): under 2.5 % in 7 days, orders that the shop ships.

    UNCONFIRMED: that the window holds orders placed in it (the page reads so), not cancellations.
    """

    as_of: date = date(2026, 11, 1)
    name: ClassVar[str] = "cancel_rate_7_days"
    window_days: Annotated[int, Meta(ge=1, le=366)] = 7
    limit_percent: Percent | None = 2.5
    count_by: Literal["order_date", "cancel_date"] = "order_date"


class YahooRules(RateRules, frozen=True, kw_only=True):
    """Yahoo! Shopping store rating page: cancellations by the store over orders of 30 days.

    The level at which it turns red is not published: the limit is the shop's own setting.
    UNCONFIRMED: that the date of the cancellation decides. Prank and split orders, which the page
    leaves out, cannot be told from others here.
    """

    as_of: date = date(2026, 11, 1)
    name: ClassVar[str] = "cancel_rate_30_days"
    window_days: Annotated[int, Meta(ge=1, le=366)] = 30
    limit_percent: Percent | None = None
    count_by: Literal["order_date", "cancel_date"] = "cancel_date"


class RakutenRules(Rules, frozen=True, kw_only=True):
    """RMS violation points of a year that starts on 1 January, Asia/Tokyo.

    UNCONFIRMED: that every cancellation for want of stock scores 15; `probability` 1.0 shows the
    worst case. `points_before` were scored earlier in the year in which our history starts; None
    means that nobody has said.
    """

    as_of: date = date(2024, 3, 1)
    name: ClassVar[str] = "violation_points"
    points_per_cancel: Annotated[int, Meta(ge=0, le=100)] = 15
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    steps: Annotated[tuple[Annotated[int, Meta(ge=1)], ...], Meta(min_length=1)] = STEPS
    points_before: Annotated[int, Meta(ge=0, le=1000)] | None = None


class ShopifyRules(Rules, frozen=True, kw_only=True):
    """Card fees that Shopify Payments keeps when an order is refunded, in yen and calendar month.

    The percentage differs by plan, so there is no default. `captured` "at_order" is the worst case;
    a payment that is only captured at shipment costs nothing to give up.
    """

    as_of: date = date(2026, 11, 1)
    name: ClassVar[str] = "card_fees_lost_this_month"
    fee_percent: Percent | None = None
    captured: Literal["at_order", "at_shipment"] = "at_order"


AnyRules = AmazonRules | YahooRules | RakutenRules | ShopifyRules
RULES: Mapping[Kind, type[AnyRules]] = {
    Kind.AMAZON: AmazonRules,
    Kind.YAHOO: YahooRules,
    Kind.RAKUTEN: RakutenRules,
    Kind.SHOPIFY: ShopifyRules,
}
# These say what our own books hold, not what a marketplace demands.
_UNDATED = {"history_from", "points_before", "fee_percent", "captured"}


class Metric(Struct, frozen=True, kw_only=True):
    """Where a shop stands. `value` None: it cannot be known from what we have.

    `history_complete` False: the window began before our history did, so the value may be too low.
    `headroom` is how many more cancellations leave the value below `limit`; None without a limit.
    """

    name: str
    value: float | None
    unit: str
    limit: float | None
    as_of: date
    history_complete: bool
    detail: str = ""
    headroom: int | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """What our books hold for the window: orders placed, cancellations that weigh, their money.

    `yen` is the sum of what those orders were worth; `unpriced` how many have no known worth.
    """

    orders: int = 0
    counted: int = 0
    yen: int = 0
    unpriced: int = 0


class GivenUp(Struct, frozen=True, kw_only=True):
    """One order given up: when placed, when cancelled, and worth how many yen (None: unknown)."""

    ordered_at: datetime | None
    ended_at: datetime
    yen: int | None


def rules_of(kind: Kind, metrics: Mapping[str, Any]) -> AnyRules | None:
    """The rules of a channel: defaults with `channel.metrics` over them. None: no metric.

    Raises `SettingWrong`, also when a threshold is given without its `as_of` date.
    """
    shape = RULES.get(kind)
    if shape is None:
        return None
    if metrics.keys() - _UNDATED and "as_of" not in metrics:
        raise SettingWrong("metrics", expected="as_of, the date of the thresholds", found="others")
    try:
        rules = msgspec.convert(dict(metrics), type=shape)
    except msgspec.ValidationError as error:
        raise SettingWrong("metrics", expected=str(error), found="other") from error
    if isinstance(rules, RakutenRules) and list(rules.steps) != sorted(set(rules.steps)):
        raise SettingWrong("metrics", expected="steps in rising order", found="others")
    return rules


def window_start(rules: AnyRules, now: datetime) -> datetime:
    """Where the metric's window begins; rates hold what came after it, the others also it."""
    if isinstance(rules, RateRules):
        return now - timedelta(days=rules.window_days)
    first = now.astimezone(JST).replace(day=1)
    return tokyo_midnight(first.replace(month=1) if isinstance(rules, RakutenRules) else first)


def in_window(rules: AnyRules, moment: datetime, now: datetime) -> bool:
    """Whether a moment lies in the window that ends now."""
    return _within(rules, window_start(rules, now), moment, now)


def _within(rules: AnyRules, start: datetime, moment: datetime, now: datetime) -> bool:
    return (start < moment if isinstance(rules, RateRules) else start <= moment) and moment <= now


def standing(
    rules: AnyRules, orders: int, given_up: Sequence[GivenUp], *, now: datetime
) -> Standing:
    """What lies in the window that ends now. `orders` were placed in it, given up or not.

    An end that comes after now is not known yet, whichever date counts.
    """
    by_order_date = isinstance(rules, RateRules) and rules.count_by == "order_date"
    inside, start = [], window_start(rules, now)
    for each in given_up:
        moment = each.ordered_at if by_order_date else each.ended_at
        if moment is not None and each.ended_at <= now and _within(rules, start, moment, now):
            inside.append(each)
    return Standing(
        orders=orders,
        counted=len(inside),
        yen=sum(each.yen or 0 for each in inside),
        unpriced=sum(each.yen is None for each in inside),
    )


def metric(
    rules: AnyRules,
    standing: Standing,
    *,
    now: datetime,
    known_from: datetime,
    seen_from: Standing | None = None,
) -> Metric:
    """The metric of a standing. `known_from` is where our history starts if no rule says so.

    `seen_from` is the standing before: the limit shown is then the one that lay ahead there, so
    that a step that is crossed can be seen.
    """
    start, history_from = window_start(rules, now), rules.history_from or known_from
    complete = history_from <= start
    if isinstance(rules, RateRules):
        value, limit, unit, detail = _rate(rules, standing)
        room = None if limit is None else _left(rules, standing)
    elif isinstance(rules, RakutenRules):
        earlier = rules.points_before if history_from >= start else 0
        complete = complete or earlier is not None
        value, limit, unit, detail = _points(rules, standing, seen_from or standing, earlier or 0)
        room = _below(rules, value, limit)
    else:
        value, limit, unit, detail = _fees(rules, standing)
        room = None
    return Metric(
        name=rules.name,
        value=value,
        unit=unit,
        limit=limit,
        as_of=rules.as_of,
        history_complete=complete,
        detail=detail,
        headroom=room,
    )


Figures = tuple[float | None, float | None, str, str]


def _rate(rules: RateRules, standing: Standing) -> Figures:
    detail = f"{standing.counted} of {standing.orders} orders in {rules.window_days} days"
    limit = rules.limit_percent
    if limit is not None:
        detail += f", {_left(rules, standing)} more may be cancelled below {limit:g} %"
    value = 100 * standing.counted / standing.orders if standing.orders else None
    return value, limit, "percent", detail


def _left(rules: RateRules, standing: Standing) -> int:
    """How many more of the window's orders may be cancelled below the limit; 0 without one."""
    allowed = allowed_cancels(standing.orders, limit_percent=rules.limit_percent or 0)
    return max(allowed - standing.counted, 0)


def _below(rules: RakutenRules, value: float | None, limit: float | None) -> int | None:
    """How many more cancellations stay below a step; None where one scores nothing."""
    each = rules.points_per_cancel * Fraction(str(rules.probability))
    if value is None or limit is None or not each:
        return None
    return max(ceil((Fraction(str(limit)) - Fraction(str(value))) / each) - 1, 0)


def allowed_cancels(orders: int, *, limit_percent: float) -> int:
    """The most cancelled orders that keep the rate below the limit; reaching it is a breach."""
    return max(ceil(orders * Fraction(str(limit_percent)) / 100) - 1, 0)


def _points(rules: RakutenRules, standing: Standing, before: Standing, earlier: int) -> Figures:
    each = rules.points_per_cancel * Fraction(str(rules.probability))
    value, seen = float(earlier + each * standing.counted), earlier + each * before.counted
    ahead = [step for step in rules.steps if step > seen]
    detail = f"{standing.counted} cancellations this year, {float(each):g} points assumed for each"
    if earlier:
        detail += f", {earlier} points before our history"
    return value, ahead[0] if ahead else rules.steps[-1], "points", detail


def _fees(rules: ShopifyRules, standing: Standing) -> Figures:
    detail = f"{standing.counted} cancellations this month"
    if rules.captured == "at_shipment" or not standing.counted:
        return 0.0, None, "yen", detail + ", nothing captured"
    if standing.unpriced:
        return None, None, "yen", detail + f", {standing.unpriced} of unknown amount"
    if rules.fee_percent is None:
        return None, None, "yen", detail + ", fee_percent is not set"
    lost = standing.yen * Fraction(str(rules.fee_percent)) / 100
    return float(floor(lost + Fraction(1, 2))), None, "yen", detail + f", {standing.yen} yen in all"
