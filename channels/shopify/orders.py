"""Pulling Shopify's orders by their last change, and reading one whole order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from channels.base import BadAnswer, Pulled, Rejected, RetryLater
from channels.shopify import documents, mapping, wire
from channels.shopify.client import ShopifyClient
from channels.shopify.settings import ShopifySettings
from inventory.vocabulary import OrderSeen

PAGES_MAX = 40
# What one pull reads is booked before more is read: about two seconds' worth of a plan's points.
READ_MAX = 30
LINE_PAGES_MAX = 20
# How long a list cursor is trusted; no life of one is stated.
CURSOR_LIFE = timedelta(hours=1)
# Times are whole seconds: an order changed so lately may have changed again within that second.
FRESH = timedelta(seconds=5)


class Cursor(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where the next pull goes on: complete up to `watermark`.

    The rest belongs to a question that is still being answered, by one pull after the other: what
    was asked, when, and the list's cursor; `waiting` are the ids of orders that were listed and are
    still to be read, `listed` says that the last page was listed.
    """

    watermark: datetime | None = None
    after: str | None = None
    since: str | None = None
    asked_at: datetime | None = None
    waiting: list[str] = []
    listed: bool = False


class Found(msgspec.Struct):
    """What a pull has brought so far."""

    orders: dict[str, OrderSeen] = {}
    problems: dict[str, str] = {}


class Orders:
    """The orders of one shop."""

    def __init__(self, client: ShopifyClient, settings: ShopifySettings) -> None:
        self._client = client
        self._settings = settings

    async def pull(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """Orders changed since the watermark − overlap, oldest change first.

        An order that changes while pages are read moves to the end and is met there. At most
        `READ_MAX` orders are read; the next pull goes on where this one stopped, and the watermark
        moves once all are in: an order placed long ago may be the last in the list. A failure ends
        the pull early with what came in so far, and is raised when that is nothing.
        """
        now = datetime.now(UTC)
        at = _cursor(cursor, now)
        watermark = at.watermark or now - timedelta(days=self._settings.first_pull_days)
        at.asked_at = at.asked_at or now
        at.since = at.since or self._since(watermark, first=at.watermark is None)
        found, before = Found(), (at.after, at.listed)
        try:
            await self._go_on(at, found, seen)
        except RetryLater:
            if before == (at.after, at.listed) and not (found.orders or found.problems):
                raise
        except Rejected:
            if at.after is None or at.waiting:
                raise
            # The list cursor is no longer good: the whole question has to be asked again.
            return _pulled(found, Cursor(watermark=at.watermark), watermark)
        if at.listed and not at.waiting:
            lag = timedelta(seconds=self._settings.order_visible_lag_seconds)
            watermark = max(at.asked_at - lag, watermark)
            at = Cursor(watermark=watermark)
        return _pulled(found, at, watermark)

    async def _go_on(self, at: Cursor, found: Found, seen: Mapping[str, str]) -> None:
        left = READ_MAX
        for _ in range(PAGES_MAX):
            while at.waiting and left > 0:
                ids = at.waiting[: min(documents.CHANGED_AT_ONCE, left)]
                await self._read_changed(ids, found)
                at.waiting = at.waiting[len(ids) :]
                left -= len(ids)
            if at.waiting or at.listed or left <= 0:
                return
            await self._page(at, found, seen)

    async def read(self, order_ref: str) -> OrderSeen | None:
        """One order with all of its lines; None where there is none or it lists nothing.

        Raises BadAnswer for an order that cannot be read.
        """
        observed_at = datetime.now(UTC)
        try:
            return await self._whole(order_ref, observed_at)
        except mapping.Unreadable as error:
            raise BadAnswer(f"{order_ref}: {error}") from error

    def _since(self, watermark: datetime, *, first: bool) -> str:
        overlap = timedelta(seconds=0 if first else self._settings.overlap_seconds)
        return (watermark - overlap).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def _page(self, at: Cursor, found: Found, seen: Mapping[str, str]) -> None:
        observed_at = datetime.now(UTC)
        answer = await self._client.ask(
            documents.ORDERS,
            wire.OrdersAnswer,
            points=documents.ORDERS_POINTS,
            query=f"updated_at:>='{at.since}'",
            after=at.after,
        )
        changed: list[str] = []
        for payload in answer.orders.nodes:
            try:
                listed = mapping.listed_order(payload)
            except mapping.Unreadable as error:
                found.problems[mapping.order_ref_of(payload)] = str(error)
                continue
            same = seen.get(mapping.order_ref_of(payload)) == mapping.hint_of(listed)
            if not same or listed.updated_at > observed_at - FRESH:
                changed.append(listed.id)
        page = answer.orders.page_info
        at.waiting = list(dict.fromkeys(changed))
        at.listed = not page.has_next_page or page.end_cursor is None
        at.after = None if at.listed else page.end_cursor

    async def _read_changed(self, ids: Sequence[str], found: Found) -> None:
        observed_at = datetime.now(UTC)
        answer = await self._client.ask(
            documents.CHANGED,
            wire.ChangedAnswer,
            points=documents.CHANGED_POINTS_EACH * len(ids),
            ids=list(ids),
        )
        for payload in answer.nodes:
            if payload is None:
                continue
            try:
                order = await self.seen(payload, observed_at)
            except mapping.Unreadable as error:
                found.problems[mapping.order_ref_of(payload)] = str(error)
                continue
            if order is not None:
                found.orders[order.order_ref] = order

    async def seen(self, payload: object, observed_at: datetime) -> OrderSeen | None:
        """An order that came with its first lines, read whole where it has more to tell.

        Raises `mapping.Unreadable`.
        """
        order = mapping.wire_order(payload)
        if order.line_items.page_info.has_next_page or mapping.needs_shipments(order):
            return await self._whole(mapping.order_ref_of(payload), datetime.now(UTC))
        return mapping.order_from(order, order.line_items.nodes, observed_at=observed_at)

    async def _whole(self, order_ref: str, observed_at: datetime) -> OrderSeen | None:
        gid, lines, after = mapping.order_gid(order_ref), list[wire.LineItem](), None
        for _ in range(LINE_PAGES_MAX):
            answer = await self._client.ask(
                documents.ORDER,
                wire.OrderAnswer,
                points=documents.ORDER_POINTS,
                id=gid,
                after=after,
            )
            if answer.order is None:
                return None
            order = mapping.wire_order(answer.order)
            lines += order.line_items.nodes
            if not order.line_items.page_info.has_next_page:
                order.line_items.nodes = lines
                shipped = await self._shipped(gid) if mapping.needs_shipments(order) else None
                return mapping.order_from(order, lines, observed_at=observed_at, shipped=shipped)
            after = order.line_items.page_info.end_cursor
        raise mapping.Unreadable(f"the order has more than {len(lines)} lines")

    async def _shipped(self, gid: str) -> dict[str, int]:
        answer = await self._client.ask(
            documents.SHIPPED, wire.ShippedAnswer, points=documents.SHIPPED_POINTS, id=gid
        )
        return mapping.shipped_units(answer)


def _cursor(cursor: dict[str, Any], now: datetime) -> Cursor:
    at = msgspec.convert(cursor, Cursor)
    unfinished = at.after is not None or at.waiting
    if not unfinished or at.asked_at is None or now - at.asked_at > CURSOR_LIFE:
        return Cursor(watermark=at.watermark)
    return at


def _pulled(found: Found, cursor: Cursor, watermark: datetime) -> Pulled:
    return Pulled(
        orders=tuple(found.orders.values()),
        cursor=msgspec.to_builtins(cursor),
        watermark=watermark,
        problems=tuple(found.problems.items()),
    )
