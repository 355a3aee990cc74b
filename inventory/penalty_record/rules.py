"""The thresholds of each marketplace's metric, with their as-of dates. Pure data.

Every threshold is a setting: defaults stand here, `channel.metrics` overrides them. The
marketplaces publish little of this, and most pages carry no date.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

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
