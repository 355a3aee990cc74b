"""ORDER_CHANGE notices from the queue: each names an order, which is then read (SP-API, v1.0)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from channels.amazon.cursor import Cursor, Told
from channels.amazon.mapping import buyer_asked
from channels.amazon.orders import OrdersReader
from channels.amazon.queue import BATCH_MAX, Message, NoticeQueue
from channels.amazon.wire import Moment
from channels.base import RetryLater
from channels.limits import Budgets
from inventory.vocabulary import OrderSeen

ORDER_CHANGE = "ORDER_CHANGE"
RECEIVES_MAX = 5
# Notices that may wait in the cursor for their orders to be read; no more are received.
PENDING_MAX = 50
NAMES_MAX = 200
# Times come in whole seconds, so a change and a watermark of the same second say nothing.
TRUNCATED = timedelta(seconds=2)


class Body(msgspec.Struct, rename="pascal"):
    """A JSON object of a notice; members that we do not name are dropped (L13)."""


class NoticeItem(Body):
    """One item: all that is read of it is the buyer's wish, a boolean here."""

    is_buyer_requested_cancel: object = None


class Summary(Body):
    """The order as the notice tells it."""

    order_items: list[NoticeItem] = []


class OrderChange(Body):
    """Which order changed."""

    amazon_order_id: str
    summary: Summary | None = None


class Payload(Body):
    """What an ORDER_CHANGE notice carries."""

    order_change_notification: OrderChange | None = None


class Metadata(Body):
    """The notice's own name."""

    notification_id: str


class Notification(Body):
    """A notice of SP-API. Delivered at least once, in any order."""

    notification_type: str
    event_time: Moment
    notification_metadata: Metadata
    payload: Payload | None = None


class Noticed(msgspec.Struct, frozen=True, kw_only=True):
    """What a visit brought: orders as they stand now, and what it leaves to the next one."""

    orders: tuple[OrderSeen, ...]
    cursor: Cursor


class Intake:
    """One visit to the queue. Nothing is deleted but what an earlier pull has stored."""

    def __init__(
        self,
        queue: NoticeQueue,
        reader: OrdersReader,
        *,
        budgets: Budgets,
        seen: Mapping[str, str],
    ) -> None:
        self._queue = queue
        self._reader = reader
        self._budgets = budgets
        self._seen = seen
        self._receipts: list[str] = []
        self._names: list[str] = []
        self._pending: dict[str, list[Told]] = {}

    async def visit(self, at: Cursor) -> Noticed:
        """Delete what the last pull stored, receive, and read the orders named.

        A message that nobody can read stays in the queue, for the queue's own dead letters. What
        changed before the search's watermark needs no reading: the search has shown it. Orders
        for which there is no budget now wait in the cursor.
        """
        await self._queue.delete(at.receipts)
        for told in at.pending:
            self._keep(told, at)
        for _ in range(RECEIVES_MAX):
            if sum(map(len, self._pending.values())) >= PENDING_MAX:
                break
            messages = await self._queue.receive()
            for message in messages:
                self._sort(message, at)
            if len(messages) < BATCH_MAX:
                break
        orders = await self._read()
        rest = msgspec.structs.replace(
            at,
            receipts=tuple(self._receipts),
            pending=tuple(told for about in self._pending.values() for told in about),
            noticed=(*at.noticed, *self._names)[-NAMES_MAX:],
        )
        return Noticed(orders=orders, cursor=rest)

    def _sort(self, message: Message, at: Cursor) -> None:
        notice = _notice(message.body)
        if notice is None:
            return
        change = notice.payload.order_change_notification if notice.payload else None
        if notice.notification_type != ORDER_CHANGE or change is None:
            self._receipts.append(message.receipt_handle)
            return
        items = change.summary.order_items if change.summary else []
        told = Told(
            order_ref=change.amazon_order_id,
            receipt=message.receipt_handle,
            name=notice.notification_metadata.notification_id,
            at=notice.event_time,
            asked=any(buyer_asked(item.is_buyer_requested_cancel) for item in items),
        )
        self._keep(told, at)

    def _keep(self, told: Told, at: Cursor) -> None:
        shown = at.watermark is not None and told.at <= at.watermark - TRUNCATED
        if shown or told.name in at.noticed:
            self._receipts.append(told.receipt)
            return
        self._pending.setdefault(told.order_ref, []).append(told)

    async def _read(self) -> tuple[OrderSeen, ...]:
        orders: list[OrderSeen] = []
        for order_ref in list(self._pending):
            if await self._budgets.level(self._reader.one_endpoint) < 1:
                break
            try:
                order = await self._reader.one(order_ref)
            except RetryLater:
                break
            about = self._pending.pop(order_ref)
            self._receipts += [told.receipt for told in about]
            self._names += [told.name for told in about]
            if order is None:
                continue
            if any(told.asked for told in about):
                order = with_wish(order)
            if self._seen.get(order_ref) != order.hint:
                orders.append(order)
        return tuple(orders)


def with_wish(order: OrderSeen) -> OrderSeen:
    """The order with the buyer's wish, where the notice tells it before the order itself does."""
    if order.buyer_asked_to_cancel or order.cancelled:
        return order
    return msgspec.structs.replace(order, buyer_asked_to_cancel=True, hint=f"{order.hint} asked")


def _notice(text: str) -> Notification | None:
    try:
        return msgspec.json.decode(text, type=Notification)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
