"""Past orders of a Yahoo! store for the metrics, page by page, the oldest first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from channels.base import History, Rejected
from channels.yahoo.client import PAGE_ORDERS, YahooClient
from channels.yahoo.mapping import Listed, MalformedOrder, order_from, seen_from, state_of
from inventory.vocabulary import OrderSeen

DAYS_MAX = 89
# orderInfo calls in one part of the history: orders of today must not wait long for those gone by.
READ_MAX = 5


class Place(Struct, frozen=True, kw_only=True):
    """How far a history is read: everything placed from `begin` to `end`, from row `start` on."""

    begin: datetime
    end: datetime
    start: int = 1


async def read(
    client: YahooClient,
    cursor: dict[str, Any],
    *,
    since: datetime,
    now: Callable[[], datetime],
) -> History:
    """The next orders placed since, at most 89 days ago.

    orderList says how each of them ended. A cancelled one is read by orderInfo, for who cancelled
    it and why, and one that is still open, for what it holds. So the shipped ones carry no lines.
    Rows that cannot be read are left out.
    """
    asked_at = now()
    if cursor:
        place = msgspec.convert(cursor, Place)
    else:
        place = Place(begin=max(since, asked_at - timedelta(days=DAYS_MAX)), end=asked_at)
    page = await client.list_orders(place.begin, place.end, start=place.start)
    rows = _until_enough(page.rows)
    orders = [await _order(client, row, observed_at=now()) for row in rows]
    following = msgspec.structs.replace(place, start=place.start + _passed(page.rows, rows))
    ended = following.start > page.total
    return History(
        orders=tuple(orders),
        cursor=None if ended else msgspec.to_builtins(following),
        until=place.end if ended else _until(place, rows),
    )


def _until_enough(rows: list[Listed]) -> list[Listed]:
    taken: list[Listed] = []
    whole = 0
    for row in rows:
        whole += _is_read(row)
        if whole > READ_MAX:
            break
        taken.append(row)
    return taken


def _passed(rows: list[Listed], taken: list[Listed]) -> int:
    # Rows that cannot be read are in the page's count too: a page read whole is left whole.
    return len(taken) if len(taken) < len(rows) else PAGE_ORDERS


def _until(place: Place, rows: list[Listed]) -> datetime:
    # Times are whole seconds, and the second of the last row may hold more than that row.
    return max((row.ordered_at for row in rows), default=place.begin)


async def _order(client: YahooClient, row: Listed, *, observed_at: datetime) -> OrderSeen:
    if not _is_read(row):
        return seen_from(row, observed_at=observed_at)
    try:
        return order_from(await client.order_info(row.order_ref), observed_at=observed_at)
    except (MalformedOrder, Rejected):
        return seen_from(row, observed_at=observed_at)


def _is_read(row: Listed) -> bool:
    """Whether an order is read whole: of the shipped ones nothing more need be known."""
    return state_of(row.hint) != "shipped"
