"""Many numbers as one slow job: the JSON listings feed, its report, and whom it spoke of."""

from __future__ import annotations

import base64
import contextlib
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec
from redis.exceptions import RedisError

from channels.amazon import mapping_feeds as mapping
from channels.amazon import wire
from channels.amazon.feeds import LISTINGS, Feeds
from channels.amazon.mapping import Unreadable
from channels.amazon.owners import Owner, Owners
from channels.amazon.settings import LISTINGS_FEED, AmazonSettings
from channels.amazon.stock import not_ours, refused
from channels.base import BadAnswer, Rejected
from channels.limits import Budgets
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush

# Messages of one feed (listings feed schema v2, maxItems; raised from 10,000 on 2025-05-06).
BULK_MAX = 25_000
DOCUMENT_BYTES_MAX = 10_000_000
# How long one call may look at listings whose owner is not known, and wait for a feed's turn.
LOOK_SECONDS = 15.0
TURN_SECONDS = 2.0
# Amazon keeps a submitted document for 28 days; a job is over long before.
KEPT_SECONDS = 2 * 86_400
REPORTS_MAX = 4


class Job(msgspec.Struct, frozen=True):
    """What a job was about: the SKUs sent, in order, and those that were refused here."""

    sent: list[str]
    refused: list[PushOutcome] = []


class BulkFeeds:
    """The listings feeds of one shop.

    A job's reference names the feed and its document. The job itself is kept in Valkey; where that
    forgets, the SKUs sent are read from the document, which is still Amazon's to show.
    """

    def __init__(
        self,
        feeds: Feeds,
        owners: Owners,
        *,
        settings: AmazonSettings,
        budgets: Budgets,
        redis: Any,
        channel_id: int,
    ) -> None:
        self._feeds = feeds
        self._owners = owners
        self._settings = settings
        self._budgets = budgets
        self._redis = redis
        self._prefix = f"amazon:bulk:{channel_id}:"
        # Reports read, by document: getFeedDocument allows one call in 45 s.
        self._reports: OrderedDict[str, bytes] = OrderedDict()

    async def submit(self, pushes: Sequence[QuantityPush]) -> str:
        """Queue one feed; returns "feedId documentId".

        SKUs that are not the seller's to ship are not sent; the job's state tells them as refused.
        Raises `Rejected` for a zero, a repeated SKU, no number or too many; `Throttled` while
        listings are still to be looked at (asking again goes on), and while createFeed's last
        calls are kept for cancellations; `OutcomeUnknown` where the feed may have been queued.
        """
        check(pushes)
        owners = await self._owners.of([push.channel_sku for push in pushes], seconds=LOOK_SECONDS)
        ours = [push for push in pushes if owners[push.channel_sku] is Owner.SELLER]
        others = [
            not_ours(push.channel_sku, owner)
            for push in pushes
            if (owner := owners[push.channel_sku]) is not Owner.SELLER
        ]
        if not ours:
            raise Rejected("none of these listings is the seller's to ship")
        document = mapping.listings_document(seller_id=self._settings.seller_id, pushes=ours)
        if len(document) > DOCUMENT_BYTES_MAX:
            raise Rejected(f"a feed of {len(document)} bytes is too large: send fewer numbers")
        await self._budgets.take(LISTINGS_FEED, longest_wait_seconds=TURN_SECONDS)
        submitted = await self._feeds.submit(document, LISTINGS)
        job = Job(sent=[push.channel_sku for push in ours], refused=others)
        await self._keep(submitted.feed_id, job)
        return f"{submitted.feed_id} {submitted.document_id}"

    async def state(self, reference: str) -> list[PushOutcome] | None:
        """What became of each number, None while the feed is worked on.

        A feed that ended FATAL may have done some, none or all of its work (getFeed's model), so
        all of its numbers are in doubt; a cancelled one never began. Raises `Rejected` for a
        reference that is none of ours.
        """
        feed_id, _, document_id = reference.partition(" ")
        if not feed_id or not document_id:
            raise Rejected(f"{reference[:100]!r} names no bulk job")
        feed = await self._feeds.get(feed_id)
        if feed.processing_status in {"IN_QUEUE", "IN_PROGRESS"}:
            return None
        job = await self._job(feed_id, document_id)
        try:
            return [*await self._outcomes(feed, job.sent), *job.refused]
        except Unreadable as error:
            raise BadAnswer(f"feed {feed_id}: {error}") from error

    async def _outcomes(self, feed: wire.Feed, skus: Sequence[str]) -> list[PushOutcome]:
        status = feed.processing_status
        if status == "CANCELLED":
            return [refused(sku, status, "the feed was cancelled") for sku in skus]
        if status != "DONE" or feed.result_feed_document_id is None:
            return [_doubtful(sku, status) for sku in skus]
        report = await self._report(feed.result_feed_document_id)
        return mapping.outcomes_in(report, skus)

    async def _report(self, document_id: str) -> bytes:
        if document_id not in self._reports:
            self._reports[document_id] = await self._feeds.document(document_id)
            while len(self._reports) > REPORTS_MAX:
                self._reports.popitem(last=False)
        return self._reports[document_id]

    async def _keep(self, feed_id: str, job: Job) -> None:
        packed = base64.b64encode(zlib.compress(msgspec.json.encode(job)))
        with contextlib.suppress(RedisError):
            await self._redis.set(f"{self._prefix}{feed_id}", packed, ex=KEPT_SECONDS)

    async def _job(self, feed_id: str, document_id: str) -> Job:
        kept: bytes | str | None = None
        with contextlib.suppress(RedisError):
            kept = await self._redis.get(f"{self._prefix}{feed_id}")
        if kept is not None:
            return msgspec.json.decode(zlib.decompress(base64.b64decode(kept)), type=Job)
        try:
            return Job(sent=mapping.skus_in(await self._feeds.document(document_id)))
        except Unreadable as error:
            raise BadAnswer(f"feed {feed_id}: {error}") from error


def check(pushes: Sequence[QuantityPush]) -> None:
    """Raises `Rejected` for what a slow job must not carry: above all no zero, which is urgent."""
    skus = {push.channel_sku for push in pushes}
    if not 1 <= len(pushes) <= BULK_MAX:
        raise Rejected(f"a bulk job has from 1 to {BULK_MAX} numbers, not {len(pushes)}")
    if len(skus) < len(pushes):
        raise Rejected("a bulk job names each listing once")
    wrong = next((push for push in pushes if push.quantity < 1), None)
    if wrong is not None:
        raise Rejected(f"{wrong.channel_sku}: {wrong.quantity} does not go by bulk job")


def _doubtful(sku: str, status: str) -> PushOutcome:
    return PushOutcome(
        channel_sku=sku,
        status=PushStatus.UNKNOWN,
        code=status,
        detail="the feed ended without saying what was done",
    )
