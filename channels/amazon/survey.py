"""A shop seen from afar: its listings for onboarding, and its past orders for the metrics."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from channels.amazon import mapping, wire
from channels.amazon.listings import Listings
from channels.amazon.orders import OrdersReader, Page, Question
from channels.amazon.owners import Owners, owner_of
from channels.base import Discovered, History, Rejected, RetryLater, Throttled
from channels.limits import Budgets
from inventory.vocabulary import ListingSeen, OrderSeen

# Results of one search that can be paged through (searchListingsItems, numberOfResults).
PAGED_MAX = 1000
# Days of past orders asked for at once; a page token lives for 24 hours.
WINDOW = timedelta(days=7)
# `createdBefore` must be this old (searchOrders, getOrders: two minutes).
SETTLED = timedelta(minutes=3)
# Past orders leave so many searches alone: the night's polling comes first.
CALLS_KEPT = 10


class _Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where discovery goes on: a page of the listings made from `after` on.

    `edge` are the listings seen that were made at the last moment seen, `last`.
    """

    after: str | None = None
    token: str | None = None
    paged: int = 0
    total: int | None = None
    last: str | None = None
    edge: tuple[str, ...] = ()


async def discover(listings: Listings, owners: Owners, cursor: dict[str, Any]) -> Discovered:
    """The next listings, 20 a call, in the order in which they were made.

    One search shows its first 1,000 results; the next one then begins at the last moment seen.
    Raises `Rejected` where more than 1,000 listings were made at the same moment.
    """
    at = msgspec.convert(cursor, _Place)
    page = await listings.page(created_after=at.after, token=at.token)
    await owners.remember({item.sku: owner_of(item) for item in page.items})
    new = [item for item in page.items if item.sku not in at.edge]
    total = at.total if at.total is not None else page.number_of_results
    return Discovered(
        listings=tuple(_listing(item) for item in new),
        cursor=_onwards(at, page, total),
        total=total,
    )


def _onwards(at: _Place, page: wire.ItemsPage, total: int | None) -> dict[str, Any] | None:
    made = [(_made(item), item.sku) for item in page.items]
    last = made[-1][0] if made else at.last
    edge = tuple(sku for moment, sku in made if moment == last)
    if last == at.last:
        edge = tuple(dict.fromkeys((*at.edge, *edge)))
    paged = at.paged + len(page.items)
    token = page.pagination.next_token if page.pagination else None
    onwards = _Place(after=at.after, token=token, paged=paged, total=total, last=last, edge=edge)
    if token is None and paged < PAGED_MAX:
        return None
    if token is None or paged >= PAGED_MAX:
        if last == at.after:
            raise Rejected(
                f"more than {PAGED_MAX} listings were made at {last}: import Amazon's own file"
            )
        onwards = _Place(after=last, total=total, last=last, edge=edge)
    told: dict[str, Any] = msgspec.to_builtins(onwards)
    return told


def _made(item: wire.Item) -> str | None:
    return item.summaries[0].created_date if item.summaries else None


def _listing(item: wire.Item) -> ListingSeen:
    ours = mapping.sold_by_us(item)
    return ListingSeen(
        channel_sku=item.sku,
        codes=(item.sku,),
        title=item.summaries[0].item_name if item.summaries else "",
        quantity=mapping.reading_from(item.sku, item).quantity,
        fulfilled_by_channel=bool(item.fulfillment_availability) and not ours,
    )


class _Past(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where history goes on: a page of the orders placed from `start` to `end`.

    `waiting` are listed orders whose items could not be read yet (Orders API v0).
    """

    start: datetime
    end: datetime
    token: str | None = None
    waiting: tuple[dict[str, Any], ...] = ()


async def read_history(
    reader: OrdersReader,
    budgets: Budgets,
    cursor: dict[str, Any],
    *,
    since: datetime,
    now: datetime,
) -> History:
    """One page of past orders, window after window of seven days, the oldest window first.

    Spends a search each; raises `Throttled` while half of the searches' burst is needed for the
    shop's new orders. A page token that has died begins its window anew. An order that cannot be
    read is left out of the metrics.
    """
    at = msgspec.convert(cursor, _Past) if cursor else _window(since, now)
    payloads: Sequence[Any] = at.waiting
    token = at.token
    if not payloads:
        page = await _page(reader, budgets, at)
        payloads, token = page.orders, page.next_token
    orders, waiting = await _whole(reader, payloads, now)
    if waiting or token is not None:
        rest = msgspec.structs.replace(at, token=token, waiting=tuple(waiting))
        return History(orders=orders, cursor=msgspec.to_builtins(rest), until=at.start)
    ended = now - at.end < 2 * SETTLED
    following = None if ended else msgspec.to_builtins(_window(at.end, now))
    return History(orders=orders, cursor=following, until=at.end)


async def _page(reader: OrdersReader, budgets: Budgets, at: _Past) -> Page:
    level = await budgets.level(reader.search_endpoint)
    if level < CALLS_KEPT + 1:
        wait = (CALLS_KEPT + 1 - level) * reader.search_seconds
        raise Throttled("past orders wait for calls that new ones do not need", seconds=wait)
    question = Question(after=_text(at.start), before=_text(at.end), created=True)
    try:
        return await reader.page(question, at.token)
    except Rejected:
        if at.token is None:
            raise
        return await reader.page(question, None)


async def _whole(
    reader: OrdersReader, payloads: Sequence[Any], now: datetime
) -> tuple[tuple[OrderSeen, ...], list[dict[str, Any]]]:
    """The orders with their items, and those that have to wait for a call."""
    orders: list[OrderSeen] = []
    for number, payload in enumerate(payloads):
        try:
            orders.append(await reader.whole(payload, now))
        except mapping.Unreadable:
            continue
        except RetryLater:
            if not orders:
                raise
            return tuple(orders), _least(reader, payloads[number:])
    return tuple(orders), []


def _least(reader: OrdersReader, payloads: Sequence[Any]) -> list[dict[str, Any]]:
    waiting: list[dict[str, Any]] = []
    for payload in payloads:
        with contextlib.suppress(mapping.Unreadable):
            waiting.append(reader.least(payload))
    return waiting


def _window(start: datetime, now: datetime) -> _Past:
    end = min(start + WINDOW, now - SETTLED)
    return _Past(start=start, end=end.replace(microsecond=0))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
