"""Giving Amazon orders up: whole by feed (or by cancelOrder), parts by payment adjustment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import quote

from channels.amazon import mapping, mapping_feeds
from channels.amazon.client import AmazonClient
from channels.amazon.feeds import ACKNOWLEDGEMENT, ADJUSTMENT, Feeds
from channels.amazon.mapping_feeds import Adjusted
from channels.amazon.settings import CANCEL_ORDER
from channels.base import BadAnswer, Rejected, RetryLater
from inventory.vocabulary import CancelRequest, CancelState, OrderLine, OrderSeen, Reason

REPORTS_MAX = 200
PENDING_SECONDS = 60.0
# How long to wait before looking again whether the rest of an order has been shipped.
UNSHIPPED_SECONDS = 600.0


class Cancels:
    """The cancellations of one shop. Each feed's report is read once: they are 45 s apart.

    References: a feedId for a whole order by feed, "" by cancelOrder, and for parts
    "feedId itemId=units …", so that reading back knows which units were given up.
    """

    def __init__(self, client: AmazonClient, feeds: Feeds) -> None:
        self._client = client
        self._feeds = feeds
        self._reports: OrderedDict[str, str | None] = OrderedDict()

    async def submit(self, order: OrderSeen, request: CancelRequest) -> str:
        """Send it off; returns the reference. Raises what `check` and `check_parts` raise."""
        settings = self._client.settings
        if request.units:
            if not settings.part_cancel:
                raise Rejected("Amazon cancels no part of an order")
            return await self._submit_parts(order, request)
        check(order, request)
        if settings.rest_cancel:
            return await self._submit_rest(order, request)
        document = mapping_feeds.cancellation_document(
            seller_id=settings.seller_id,
            order_ref=order.order_ref,
            item_codes=[line.line_ref for line in order.lines],
            reason=request.reason,
        )
        return (await self._feeds.submit(document, ACKNOWLEDGEMENT)).feed_id

    async def state(self, order: OrderSeen | None, reference: str) -> CancelState:
        """The order's own state decides; the feed's report only says why it did not happen."""
        feed_id, _, rest = reference.partition(" ")
        parts = rest.split()
        if order is None:
            return CancelState(refused="Amazon has no such order")
        if order.cancelled:
            return CancelState(confirmed=True)
        if parts:
            return await self._parts_state(order, feed_id, parts)
        if any(line.shipped for line in order.lines):
            return CancelState(refused="the order has been shipped")
        return CancelState(refused=await self._refusal(feed_id) if feed_id else None)

    async def _submit_rest(self, order: OrderSeen, request: CancelRequest) -> str:
        """By cancelOrder (Orders API 2026-01-01, 1 a second): the whole order, answered 202."""
        await self._client.call(
            "PUT",
            f"/orders/2026-01-01/orders/{quote(order.order_ref, safe='')}/cancellation",
            endpoint=CANCEL_ORDER,
            writes=True,
            json={"cancelReasonCode": mapping_feeds.REST_REASONS[request.reason]},
        )
        return ""

    async def _submit_parts(self, order: OrderSeen, request: CancelRequest) -> str:
        """Ship what there is, then adjust the rest (the marketplace's help on partial stock)."""
        check_parts(order, request)
        lines = {line.line_ref: line for line in order.lines}
        document = mapping_feeds.adjustment_document(
            seller_id=self._client.settings.seller_id,
            order_ref=order.order_ref,
            items=[_adjusted(lines[ref], units) for ref, units in request.units],
            reason=request.reason,
        )
        feed_id = (await self._feeds.submit(document, ADJUSTMENT)).feed_id
        return " ".join([feed_id, *(f"{ref}={units}" for ref, units in request.units)])

    async def _parts_state(self, order: OrderSeen, feed_id: str, parts: list[str]) -> CancelState:
        wanted = {ref: int(units) for ref, _, units in (part.rpartition("=") for part in parts)}
        ended = {line.line_ref: line.cancelled for line in order.lines}
        if all(ended.get(ref, 0) >= units for ref, units in wanted.items()):
            return CancelState(confirmed=True)
        return CancelState(refused=await self._refusal(feed_id))

    async def _refusal(self, feed_id: str) -> str | None:
        if feed_id in self._reports:
            return self._reports[feed_id]
        feed = await self._feeds.get(feed_id)
        if feed.processing_status in {"FATAL", "CANCELLED"}:
            return f"the feed ended {feed.processing_status}"
        if feed.processing_status != "DONE" or feed.result_feed_document_id is None:
            return None
        report = await self._feeds.document(feed.result_feed_document_id)
        try:
            refusal = mapping_feeds.refusal_in(report)
        except mapping.Unreadable as error:
            raise BadAnswer(f"feed {feed_id}: {error}") from error
        self._reports[feed_id] = refusal
        while len(self._reports) > REPORTS_MAX:
            self._reports.popitem(last=False)
        return refusal


def check(order: OrderSeen, request: CancelRequest) -> None:
    """What the feed would refuse, and what must not be claimed (L10), before anything is sent.

    Raises Rejected for an order that is cancelled, Amazon's own, shipped, or made of other items,
    and for a buyer's wish that Amazon does not show; RetryLater while the order is PENDING.
    """
    ref = order.order_ref
    _object(ref, {**_objections(order, request), **_shipped(order)})
    if not order.cancellable and mapping.is_pending(order):
        raise RetryLater(f"{ref}: the order is still pending", seconds=PENDING_SECONDS)
    if not order.cancellable:
        raise Rejected(f"{ref}: the order's state does not allow it")


def check_parts(order: OrderSeen, request: CancelRequest) -> None:
    """The same for parts of an order, of which everything else must have been shipped before.

    Raises Rejected also for units that are not open and for an item without a price in yen;
    RetryLater while the rest is not confirmed as shipped: a person does that, with a carrier.
    """
    ref, units = order.order_ref, dict(request.units)
    lines = {line.line_ref: line for line in order.lines}
    priced = all(line.unit_price is not None for line in lines.values() if line.line_ref in units)
    objections = {
        **_objections(order, request),
        "the request names no items of the order": not set(units) <= set(lines),
        "an item has no price in yen": not priced,
    }
    _object(ref, objections)
    still_open = {
        line.line_ref: line.quantity - line.cancelled - line.shipped for line in order.lines
    }
    if any(not 0 < given <= still_open[line] for line, given in units.items()):
        raise Rejected(f"{ref}: more units than are open")
    if any(count > units.get(line, 0) for line, count in still_open.items()):
        raise RetryLater(
            f"{ref}: the rest is not confirmed as shipped yet", seconds=UNSHIPPED_SECONDS
        )


def _objections(order: OrderSeen, request: CancelRequest) -> dict[str, bool]:
    return {
        "the order is cancelled already": order.cancelled,
        "the order is Amazon's to ship": order.fulfilled_by_channel,
        "Amazon shows no request of the buyer to cancel": (
            request.reason is Reason.BUYER_REQUEST and not order.buyer_asked_to_cancel
        ),
        "the order has other items than the request names": not (
            set(request.line_refs) <= {line.line_ref for line in order.lines}
        ),
    }


def _shipped(order: OrderSeen) -> dict[str, bool]:
    return {"the order has been shipped": any(line.shipped for line in order.lines)}


def _object(order_ref: str, objections: Mapping[str, bool]) -> None:
    for text, holds in objections.items():
        if holds:
            raise Rejected(f"{order_ref}: {text}")


def _adjusted(line: OrderLine, units: int) -> Adjusted:
    return Adjusted(item_code=line.line_ref, units=units, amount=(line.unit_price or 0) * units)
