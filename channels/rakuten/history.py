"""Orders of the past, for the metrics: page by page through windows of order dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from channels.base import History, Rejected
from channels.rakuten.mapping import MalformedOrder, order_from
from channels.rakuten.orders import HITS_MAX, SECOND, SPAN, OrderReader
from inventory.vocabulary import OrderSeen

HISTORY_DAYS_MAX = 89
READ_ORDERS_MAX = 100
# One call of ours is one search and up to five reads, some six seconds.
PAGE_ORDERS = 500


class Cursor(Struct, kw_only=True):
    """Where the reading stands: page `page` of `begin` to `end`, and it ends at `last`."""

    begin: datetime
    end: datetime
    last: datetime
    page: int = 1


async def read_history(
    orders: OrderReader,
    cursor: dict[str, Any],
    *,
    since: datetime,
    now: Callable[[], datetime],
) -> History:
    """The next orders placed since then (at most 89 days ago), of any state, oldest first.

    Past orders do not move between pages, which are by order date. Orders that cannot be read are
    left out: they move no stock. Raises `Rejected` for a cursor that is not ours.
    """
    place = _place(cursor, since, now())
    observed_at = now()
    page = await orders.page(place.begin, place.end, number=place.page, amount=PAGE_ORDERS)
    if page.total >= HITS_MAX and place.end - place.begin > SECOND:
        half = (place.end - place.begin) / 2
        following = msgspec.structs.replace(place, end=place.begin + half, page=1)
        return _history([], following, until=place.begin)
    found: list[OrderSeen] = []
    for start in range(0, len(page.refs), READ_ORDERS_MAX):
        for raw in await orders.read(page.refs[start : start + READ_ORDERS_MAX]):
            found += _order(raw, observed_at)
    found.sort(key=lambda order: (order.ordered_at, order.order_ref))
    if place.page < min(page.pages, HITS_MAX // PAGE_ORDERS):
        following = msgspec.structs.replace(place, page=place.page + 1)
        until = found[-1].ordered_at if found else place.begin
        return _history(found, following, until=until)
    if place.end >= place.last:
        return _history(found, None, until=place.last)
    following = msgspec.structs.replace(
        place, begin=place.end, end=min(place.end + SPAN, place.last), page=1
    )
    return _history(found, following, until=place.end)


def _place(cursor: dict[str, Any], since: datetime, now: datetime) -> Cursor:
    if not cursor:
        begin = max(since, now - timedelta(days=HISTORY_DAYS_MAX))
        last = max(now, begin)
        return Cursor(begin=begin, end=min(begin + SPAN, last), last=last)
    try:
        return msgspec.convert(cursor, Cursor)
    except msgspec.ValidationError as error:
        raise Rejected("read_history: not a cursor of ours") from error


def _history(orders: list[OrderSeen], place: Cursor | None, *, until: datetime) -> History:
    cursor = None if place is None else msgspec.to_builtins(place)
    return History(orders=tuple(orders), cursor=cursor, until=until)


def _order(raw: msgspec.Raw, observed_at: datetime) -> list[OrderSeen]:
    try:
        return [order_from(raw, observed_at=observed_at)]
    except MalformedOrder:
        return []
