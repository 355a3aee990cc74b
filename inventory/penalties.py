"""Each marketplace's metric as a pure model: where a shop stands, and what one more cancel does.

The thresholds stand in `inventory/penalty_record/rules.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import ceil, floor

from msgspec import Struct

from inventory.clock import JST, tokyo_midnight
from inventory.penalty_record.rules import (
    RULES,
    AmazonRules,
    AnyRules,
    RakutenRules,
    RateRules,
    ShopifyRules,
    YahooRules,
    rules_of,
)

__all__ = [
    "RULES",
    "AmazonRules",
    "AnyRules",
    "GivenUp",
    "Metric",
    "RakutenRules",
    "RateRules",
    "ShopifyRules",
    "Standing",
    "YahooRules",
    "allowed_cancels",
    "in_window",
    "metric",
    "own_window_end",
    "rules_of",
    "standing",
    "window_start",
]


_TICK = timedelta(microseconds=1)


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
    """An order given up, or a part of one: when placed, when ended, its yen (None: unknown).

    `order` names the order: its parts and its end count as one. None: an order of its own.
    """

    order: int | None = None
    ordered_at: datetime | None
    ended_at: datetime
    yen: int | None


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


def _moment(rules: AnyRules, end: GivenUp) -> datetime | None:
    """The date that puts an end into a window."""
    by_order_date = isinstance(rules, RateRules) and rules.count_by == "order_date"
    return end.ordered_at if by_order_date else end.ended_at


def own_window_end(rules: AnyRules, end: GivenUp, *, now: datetime) -> datetime | None:
    """Where the last window ends that holds this end; None if the one that ends now holds it.

    Of a year or a month that is its last moment. None, too, for an end without a date.
    """
    moment = _moment(rules, end)
    if moment is None or moment > now or in_window(rules, moment, now):
        return None
    if isinstance(rules, RateRules):
        return moment + timedelta(days=rules.window_days) - _TICK
    local = moment.astimezone(JST).replace(day=1)
    year = isinstance(rules, RakutenRules)
    last = local.replace(month=12) if year else local
    return tokyo_midnight((last + timedelta(days=31)).replace(day=1)) - _TICK


def standing(
    rules: AnyRules,
    orders: int,
    given_up: Sequence[GivenUp],
    *,
    now: datetime,
    known_at: datetime | None = None,
) -> Standing:
    """What lies in the window that ends now. `orders` were placed in it, given up or not.

    An end that comes after now, or after `known_at`, is not known yet, whichever date counts.
    """
    known, inside, start = known_at or now, [], window_start(rules, now)
    for each in given_up:
        moment = _moment(rules, each)
        if moment is not None and each.ended_at <= known and _within(rules, start, moment, now):
            inside.append(each)
    return Standing(
        orders=orders,
        counted=len({each.order for each in inside} - {None})
        + sum(each.order is None for each in inside),
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
