"""Giving an Amazon order up by the order acknowledgement feed, and reading back what came of it."""

from __future__ import annotations

from collections import OrderedDict

from channels.amazon import mapping
from channels.amazon.client import AmazonClient
from channels.base import BadAnswer, Rejected, RetryLater
from inventory.vocabulary import CancelRequest, CancelState, OrderSeen, Reason

REPORTS_MAX = 200
PENDING_SECONDS = 60.0


class CancelFeeds:
    """The cancellations of one shop. Each feed's report is read once: they are 45 s apart."""

    def __init__(self, client: AmazonClient, *, seller_id: str) -> None:
        self._client = client
        self._seller_id = seller_id
        self._reports: OrderedDict[str, str | None] = OrderedDict()

    async def submit(self, order: OrderSeen, request: CancelRequest) -> str:
        """Queue the feed; returns its feedId. Raises what `check` raises."""
        check(order, request)
        document = mapping.cancellation_document(
            seller_id=self._seller_id,
            order_ref=order.order_ref,
            item_codes=[line.line_ref for line in order.lines],
            reason=request.reason,
        )
        return await self._client.submit_feed(document)

    async def state(self, order: OrderSeen | None, feed_id: str) -> CancelState:
        """The order's own state decides; the feed's report only says why it did not happen."""
        if order is None:
            return CancelState(refused="Amazon has no such order")
        if order.cancelled:
            return CancelState(confirmed=True)
        if any(line.shipped for line in order.lines):
            return CancelState(refused="the order has been shipped")
        return CancelState(refused=await self._refusal(feed_id) if feed_id else None)

    async def _refusal(self, feed_id: str) -> str | None:
        if feed_id in self._reports:
            return self._reports[feed_id]
        feed = await self._client.get_feed(feed_id)
        if feed.processing_status in {"FATAL", "CANCELLED"}:
            return f"the feed ended {feed.processing_status}"
        if feed.processing_status != "DONE" or feed.result_feed_document_id is None:
            return None
        report = await self._client.get_report(feed.result_feed_document_id)
        try:
            refusal = mapping.refusal_in(report)
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
    objections = {
        "the order is cancelled already": order.cancelled,
        "the order is Amazon's to ship": order.fulfilled_by_channel,
        "the order has been shipped": any(line.shipped for line in order.lines),
        "Amazon shows no request of the buyer to cancel": (
            request.reason is Reason.BUYER_REQUEST and not order.buyer_asked_to_cancel
        ),
        "the order has other items than the request names": not (
            set(request.line_refs) <= {line.line_ref for line in order.lines}
        ),
    }
    for text, holds in objections.items():
        if holds:
            raise Rejected(f"{ref}: {text}")
    if not order.cancellable and mapping.is_pending(order):
        raise RetryLater(f"{ref}: the order is still pending", seconds=PENDING_SECONDS)
    if not order.cancellable:
        raise Rejected(f"{ref}: the order's state does not allow it")
