"""Where the delay was: why a listing could still sell what was gone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from inventory.story.listings import ListingTold, Moment
from inventory.story.sales import Sale, over

ACCEPTED, REFUSED, UNKNOWN = "accepted", "refused", "unknown"


class Where(StrEnum):
    """What took the time in which a sale could still happen, in the order of the way it goes.

    `arrival`: the sale of the last unit had not reached us. `our_side`: we knew, and had not sent
    the new number. `on_the_way`: it was sent and not answered. `refused` and `in_doubt`: the
    channel did not take it, or nobody knows. `channel`: it had accepted, and sold all the same.
    `same_listing`: one listing sold more than there was. `same_moment`: nothing could have helped.
    `not_told`: that listing was told nothing. `stock_fell`: no sale was late, stock was less than
    thought. `no_stock`: there was nothing before the first sale. `unknown`: not on record.
    """

    ARRIVAL = "arrival"
    OUR_SIDE = "our_side"
    ON_THE_WAY = "on_the_way"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    CHANNEL = "channel"
    SAME_LISTING = "same_listing"
    SAME_MOMENT = "same_moment"
    NOT_TOLD = "not_told"
    STOCK_FELL = "stock_fell"
    NO_STOCK = "no_stock"
    UNKNOWN = "unknown"


class Delay(Struct, frozen=True, kw_only=True):
    """Why one sale went beyond stock. `seconds` is what that part of the way took.

    The last unit was gone at `gone_at` by `gone_by`; we knew at `known_at`; this sale's listing was
    told `told_quantity` at `told_at` and answered at `answered_at`; it sold at `sold_at`.
    `too_late_seconds` is how long after the sale the number was taken, below zero: before it.
    """

    channel: str
    order_ref: str
    units: int
    where: Where
    seconds: float | None
    sold_at: datetime
    gone_by: str | None = None
    gone_at: datetime | None = None
    known_at: datetime | None = None
    told_at: datetime | None = None
    told_quantity: int | None = None
    answered_at: datetime | None = None
    too_late_seconds: float | None = None


def delays(
    sales: Sequence[Sale],
    listings: Sequence[ListingTold],
    *,
    opened_at: datetime,
    stock_fell: bool,
) -> list[Delay]:
    """One for each sale beyond stock, oldest first.

    `stock_fell`: the case was opened by a count, damage or the like, and not by a sale. The sale
    that took the last unit is the newest of those that still had stock.
    """
    beyond = [sale for sale in sales if sale.beyond_stock]
    within = [sale for sale in sales if not sale.beyond_stock and not over(sale, opened_at)]
    last = within[-1] if within else None
    by_id = {listing.listing: listing for listing in listings}
    if stock_fell:
        return [_simple(sale, Where.STOCK_FELL) for sale in beyond]
    return [_delay(sale, last, by_id.get(sale.listing or 0)) for sale in beyond]


def _simple(sale: Sale, where: Where) -> Delay:
    return Delay(
        channel=sale.channel,
        order_ref=sale.order_ref,
        units=sale.units,
        where=where,
        seconds=None,
        sold_at=sale.sold_at,
    )


def _delay(sale: Sale, last: Sale | None, listing: ListingTold | None) -> Delay:
    if last is None:
        return _simple(sale, Where.NO_STOCK)
    told = _first_told(listing, last.reached_at)
    where, seconds = _where(sale, last, listing, told)
    answered = told.answered_at if told else None
    late = (answered - sale.sold_at).total_seconds() if answered else None
    return Delay(
        channel=sale.channel,
        order_ref=sale.order_ref,
        units=sale.units,
        where=where,
        seconds=seconds,
        sold_at=sale.sold_at,
        gone_by=f"{last.channel} {last.order_ref}",
        gone_at=last.sold_at,
        known_at=last.reached_at,
        told_at=told.at if told else None,
        told_quantity=told.quantity if told else None,
        answered_at=answered,
        too_late_seconds=late,
    )


def _first_told(listing: ListingTold | None, known_at: datetime) -> Moment | None:
    """The first number that this listing was told once the last unit was known to be gone."""
    moments = listing.moments if listing else ()
    told = (each for each in moments if each.what == "told" and each.at >= known_at)
    return next(told, None)


def _where(
    sale: Sale, last: Sale, listing: ListingTold | None, told: Moment | None
) -> tuple[Where, float | None]:
    """The first part of the way on which the number still was when the sale happened."""
    known = last.reached_at
    if listing is None or sale.listing == last.listing:
        return Where.SAME_LISTING if listing else Where.UNKNOWN, None
    if sale.sold_at <= last.sold_at:
        return Where.SAME_MOMENT, 0.0
    if known > sale.sold_at:
        return Where.ARRIVAL, (known - last.sold_at).total_seconds()
    if told is None:
        return Where.NOT_TOLD, (sale.sold_at - known).total_seconds()
    if told.at > sale.sold_at:
        return Where.OUR_SIDE, (told.at - known).total_seconds()
    return _answer(sale, told)


def _answer(sale: Sale, told: Moment) -> tuple[Where, float | None]:
    if told.answered_at is None or told.answered_at > sale.sold_at:
        ended = told.answered_at
        return Where.ON_THE_WAY, (ended - told.at).total_seconds() if ended else None
    since = (sale.sold_at - told.answered_at).total_seconds()
    if told.status == REFUSED:
        return Where.REFUSED, since
    return (Where.CHANNEL if told.status == ACCEPTED else Where.IN_DOUBT), since
