"""What giving orders up is worth in yen where nobody publishes a price: settings with a date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from inventory.errors import SettingWrong
from inventory.vocabulary import Kind

YEN_MAX = 1_000_000_000
Yen = Annotated[int, Meta(ge=0, le=YEN_MAX)]
Percent = Annotated[float, Meta(ge=0, le=100)]
# These say what the shop knows of itself, not what a marketplace might do.
_UNDATED = frozenset({"margin_percent", "order_yen", "reopen_hours"})


class Prices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Assumed prices of a channel, whole yen, and the day on which somebody thought of them.

    `margin_percent` of an order's value is lost with it; `unpriced_yen` is the value of a unit
    whose price the channel does not tell; `order_yen` is the work and the apology for one order;
    `late_yen` is for each day of the `notice_days` before the promised date that the buyer does
    not get to find the thing elsewhere.
    """

    as_of: date = date(2026, 11, 1)
    margin_percent: Percent = 30.0
    unpriced_yen: Yen = 3_000
    order_yen: Yen = 500
    late_yen: Yen = 200
    notice_days: Annotated[int, Meta(ge=0, le=30)] = 3


class LimitPrices(Prices, frozen=True, kw_only=True):
    """Of a channel with a limit: what crossing it costs, and each cancellation beyond it.

    `approach_percent` of the price is spread over the headroom, so that nearing it is not free;
    `count_yen` is for each cancellation that counts, however much headroom there is.
    """

    approach_percent: Percent = 10.0
    count_yen: Yen = 300
    beyond_yen: Yen = 30_000


class AmazonPrices(LimitPrices, frozen=True, kw_only=True):
    """Amazon publishes no price of a breach: offers or the account may be deactivated.

    `breach_yen` is the shop's own guess: how likely a suspension is times what its days cost.
    """

    breach_yen: Yen = 300_000


class YahooPrices(LimitPrices, frozen=True, kw_only=True):
    """Yahoo! publishes neither limit nor consequence; the rate is public on the store's page.

    `reopen_hours` is how long a listing stays closed after a cancellation as out of stock, until
    a person opens it in Store Creator Pro.
    """

    breach_yen: Yen = 100_000
    reopen_hours: Annotated[int, Meta(ge=0, le=24 * 31)] = 24


class RakutenPrices(LimitPrices, frozen=True, kw_only=True):
    """Fines of the five levels of violation points, in the order of the rules' `steps`.

    From one source of 2022, not from RMS: UNCONFIRMED. What search and ranking limits of a level
    cost the shop may be added to its fine.
    """

    as_of: date = date(2022, 2, 16)
    fines_yen: Annotated[tuple[Yen, ...], Meta(min_length=1, max_length=20)] = (
        100_000,
        400_000,
        700_000,
        1_000_000,
        3_000_000,
    )


class ShopifyPrices(Prices, frozen=True, kw_only=True):
    """`fee_percent` is taken where the channel's metric rules do not name the plan's card fee."""

    fee_percent: Percent = 3.9


AnyPrices = AmazonPrices | YahooPrices | RakutenPrices | ShopifyPrices | Prices
PRICES: Mapping[Kind, type[AnyPrices]] = {
    Kind.AMAZON: AmazonPrices,
    Kind.YAHOO: YahooPrices,
    Kind.RAKUTEN: RakutenPrices,
    Kind.SHOPIFY: ShopifyPrices,
}


def prices_of(kind: Kind, costs: Mapping[str, Any]) -> AnyPrices:
    """The prices of a channel: defaults with `channel.costs` over them.

    Raises `SettingWrong`, also when an assumed price is given without its `as_of` date.
    """
    shape = PRICES.get(kind, Prices)
    if costs.keys() - _UNDATED and "as_of" not in costs:
        raise SettingWrong("costs", expected="as_of, the date of the prices", found="others")
    try:
        return msgspec.convert(dict(costs), type=shape)
    except msgspec.ValidationError as error:
        raise SettingWrong("costs", expected=str(error), found="other") from error
