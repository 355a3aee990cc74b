"""One Amazon shop behind the port: pull by search and queue, push by patch, cancel by feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import msgspec

from channels.amazon import intake, survey
from channels.amazon.bulk import BULK_MAX, BulkFeeds
from channels.amazon.cancel import Cancels as AmazonCancels
from channels.amazon.client import AmazonClient, code_of
from channels.amazon.feeds import Feeds
from channels.amazon.intake import OrderIntake
from channels.amazon.listings import Listings
from channels.amazon.orders import OrdersReader, reader_of
from channels.amazon.owners import Owners
from channels.amazon.queue import NoticeQueue
from channels.amazon.settings import (
    BUDGETS,
    QUEUE,
    SEARCH_ORDERS,
    AmazonCredentials,
    AmazonSettings,
)
from channels.amazon.stock import Stock
from channels.base import (
    Adapter,
    Cancels,
    Capabilities,
    ChannelError,
    Discovered,
    History,
    Pulled,
    Rejected,
    Write,
)
from channels.http import ChannelHttp
from channels.keep import Means
from channels.limits import Budgets, Purpose, asking
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Danger,
    Expiry,
    Kind,
    OrderSeen,
    PushOutcome,
    QuantityPush,
    Reading,
    Standing,
)

__all__ = ["BUDGETS", "AmazonAdapter", "AmazonCredentials", "AmazonSettings", "build"]

CAPABILITIES = Capabilities(
    kind=Kind.AMAZON,
    write=Write.ABSOLUTE,
    writes=frozenset({Write.ABSOLUTE}),
    cancels=Cancels.WHOLE,
    push_batch_max=20,
    read_batch_max=100,
    pull_seconds=intake.SEARCH_SECONDS,
    pull_seconds_quiet=179.0,
    pull_endpoint=SEARCH_ORDERS,
    bulk_max=BULK_MAX,
    discovers=True,
)
SECRET_LASTS = timedelta(days=180)
# Orders API v0 is removed on this day (announced 2026-01-28 with Orders API 2026-01-01).
V0_ENDS_AT = datetime(2027, 3, 27, tzinfo=UTC)
# No order has this number; asking for it shows whether orders may be read at all.
NO_ORDER = "000-0000000-0000000"
# The calls a second that an operation permits, in most answers of SP-API.
RATE_HEADER = "x-amzn-RateLimit-Limit"


class AmazonAdapter(Adapter):
    """See `channels.base.Adapter`; made by `build`."""

    def __init__(
        self,
        *,
        client: AmazonClient,
        means: Means,
        channel_id: int,
        queue: NoticeQueue | None,
    ) -> None:
        self._client = client
        self._settings = client.settings
        self._queue = queue
        self._reader: OrdersReader = reader_of(client)
        self._intake = OrderIntake(
            self._reader, settings=client.settings, budgets=self.budgets, queue=queue
        )
        self._listings = Listings(client)
        self._owners = Owners(self._listings, redis=means.redis, channel_id=channel_id)
        self._stock = Stock(self._listings, self._owners)
        self._feeds = Feeds(client)
        self._bulk = BulkFeeds(
            self._feeds,
            self._owners,
            settings=client.settings,
            budgets=self.budgets,
            redis=means.redis,
            channel_id=channel_id,
        )
        self._cancels = AmazonCancels(client, self._feeds)

    @property
    def capabilities(self) -> Capabilities:
        """Absolute numbers, one call each; the order search sets the pace, or the queue does."""
        told = msgspec.structs.replace(
            CAPABILITIES,
            pull_endpoint=self._reader.search_endpoint,
            pull_seconds_quiet=self._reader.search_seconds,
            cancels=Cancels.PARTS if self._settings.part_cancel else Cancels.WHOLE,
        )
        if self._queue is None:
            return told
        return msgspec.structs.replace(
            told,
            pull_endpoint=QUEUE,
            pull_seconds=intake.QUEUE_SECONDS,
            pull_seconds_quiet=intake.QUEUE_SECONDS_QUIET,
        )

    @property
    def budgets(self) -> Budgets:
        """The usage plans' call budgets, shared with every other worker."""
        return self._client.http.budgets

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """Orders changed since the last watermark − overlap, in every state, items included.

        Orders whose hint has not changed are left out. The watermark is the `lastUpdatedBefore` of
        the first page (Orders API, searchOrders and getOrders) and moves only once the last page
        is in. A listed order's `observed_at` is that moment too, not the time of the call: the
        search shows orders as they stood then, and getOrder may know better already. With a
        queue, the orders that its ORDER_CHANGE notices name are read too.
        """
        return await self._intake.pull(cursor, seen=seen, now=datetime.now(UTC))

    async def read_order(self, order_ref: str) -> OrderSeen | None:
        """One order as it stands now. Raises BadAnswer for one that cannot be read."""
        return await self._reader.one(order_ref)

    async def push_quantities(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """Set numbers, one call for each SKU, as many at once as the budget allows.

        A SKU that Amazon stocks is refused (`fulfilled_by_channel`): a quantity would make it the
        seller's to ship. Pushes that were surely not applied are left out of the answer.
        """
        return await self._stock.push(pushes)

    async def read_stock(self, channel_skus: Sequence[str]) -> list[Reading]:
        """The numbers displayed for the seller's own stock; None where Amazon stocks the SKU."""
        return await self._stock.read(channel_skus)

    async def cancel_order(self, request: CancelRequest) -> str:
        """Read the order, check it, and queue its cancellation; returns the reference.

        Raises Rejected where the feed would refuse it (see `channels.amazon.cancel.check`).
        """
        with asking(Purpose.CANCEL):
            order = await self.read_order(request.order_ref)
            if order is None:
                raise Rejected(f"{request.order_ref}: Amazon has no such order")
            return await self._cancels.submit(order, request)

    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """Confirmed by the order itself, refused by the feed's report or by the order's state."""
        with asking(Purpose.CANCEL):
            return await self._cancels.state(await self.read_order(order_ref), reference)

    async def push_bulk(self, pushes: Sequence[QuantityPush]) -> str:
        """Up to 25,000 numbers as one JSON_LISTINGS_FEED. See `channels.amazon.bulk`."""
        with asking(Purpose.BACKGROUND):
            return await self._bulk.submit(pushes)

    async def bulk_state(self, reference: str) -> list[PushOutcome] | None:
        """What the feed's report says of each number, None while it is worked on."""
        with asking(Purpose.BACKGROUND):
            return await self._bulk.state(reference)

    async def standing(self) -> Standing:
        """Try listings, orders and the queue; count down what ends.

        The secret's end is known only where `client_secret_made_on` is told (180 days, SP-API
        guide, "Rotating your app's LWA credentials").
        """
        await self._listings.page(created_after=None, token=None)
        await self.read_order(NO_ORDER)
        expiries = []
        made_on = self._settings.client_secret_made_on
        if made_on is not None:
            ends_at = datetime.combine(made_on, time(), tzinfo=UTC) + SECRET_LASTS
            expiries.append(Expiry(name="LWA client secret", ends_at=ends_at))
        if self._settings.orders_api == "v0":
            expiries.append(Expiry(name="Orders API v0", ends_at=V0_ENDS_AT))
        return Standing(
            account=self._settings.seller_id,
            expiries=tuple(expiries),
            dangers=await self._queue_dangers(),
        )

    async def _queue_dangers(self) -> tuple[Danger, ...]:
        if self._queue is None:
            return ()
        try:
            await self._queue.check()
        except ChannelError as error:
            told = f"the queue of order notices does not answer ({error})"
            return (Danger(code="notices_stopped", detail=told),)
        return ()

    async def discover(self, cursor: dict[str, Any]) -> Discovered:
        """The next listings, 20 a call, oldest first; also those that Amazon ships."""
        with asking(Purpose.BACKGROUND):
            return await survey.discover(self._listings, self._owners, cursor)

    async def read_history(self, cursor: dict[str, Any], *, since: datetime) -> History:
        """One page of past orders, while the searches' burst is not needed for new ones."""
        with asking(Purpose.BACKGROUND):
            return await survey.read_history(
                self._reader, self.budgets, cursor, since=since, now=datetime.now(UTC)
            )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def build(
    *,
    channel_id: int,
    base_url: str,
    settings: AmazonSettings,
    credentials: AmazonCredentials,
    means: Means,
) -> Adapter:
    """An adapter for one shop. Raises `Rejected` for a queue without AWS keys."""
    budgets = Budgets(
        means.redis,
        channel_id=channel_id,
        budgets=BUDGETS,
        credential=f"{credentials.client_id} {settings.seller_id}",
    )
    http = ChannelHttp(base_url=base_url, budgets=budgets, rate_header=RATE_HEADER, words=code_of)
    client = AmazonClient(http=http, settings=settings, credentials=credentials)
    queue = None
    if settings.queue_url:
        if not credentials.aws_access_key_id or not credentials.aws_secret_access_key:
            raise Rejected("credentials: a queue needs aws_access_key_id and its secret")
        queue = NoticeQueue(http, settings, credentials)
    return AmazonAdapter(client=client, means=means, channel_id=channel_id, queue=queue)
