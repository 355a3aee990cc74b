"""One Amazon shop behind the port: pull by searchOrders, push by patch, cancel by feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from channels.amazon import mapping
from channels.amazon.cancel import CancelFeeds
from channels.amazon.client import AmazonClient
from channels.amazon.pull import OrderPull
from channels.amazon.settings import BUDGETS, SEARCH_ORDERS, AmazonCredentials, AmazonSettings
from channels.amazon.stock import Stock
from channels.base import Adapter, BadAnswer, Cancels, Capabilities, Pulled, Rejected, Write
from channels.http import ChannelHttp
from channels.keep import Means
from channels.limits import Budgets
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Kind,
    OrderSeen,
    PushOutcome,
    QuantityPush,
    Reading,
)

__all__ = ["BUDGETS", "AmazonAdapter", "AmazonCredentials", "AmazonSettings", "build"]

CAPABILITIES = Capabilities(
    kind=Kind.AMAZON,
    write=Write.ABSOLUTE,
    writes=frozenset({Write.ABSOLUTE}),
    cancels=Cancels.WHOLE,
    push_batch_max=20,
    read_batch_max=20,
    pull_seconds=4.0,
    pull_seconds_quiet=179.0,
    pull_endpoint=SEARCH_ORDERS,
)


class AmazonAdapter(Adapter):
    """See `channels.base.Adapter`; made by `build`."""

    def __init__(self, *, client: AmazonClient, settings: AmazonSettings, budgets: Budgets) -> None:
        self._client = client
        self._budgets = budgets
        self._settings = settings
        self._stock = Stock(client)
        self._cancels = CancelFeeds(client, seller_id=settings.seller_id)

    @property
    def capabilities(self) -> Capabilities:
        """Absolute numbers, one call each; searches at 0.0056 a second with a burst of 20."""
        return CAPABILITIES

    @property
    def budgets(self) -> Budgets:
        """The usage plans' call budgets, shared with every other worker."""
        return self._budgets

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """Orders changed since the last watermark − overlap, in every state, items included.

        Orders whose hint has not changed are left out. The watermark is the `lastUpdatedBefore` of
        the first page (Orders API 2026-01-01, searchOrders) and moves only once the last page is
        in. An order's `observed_at` is that moment too, not the time of the call: the search shows
        orders as they stood then, and getOrder may know better already.
        """
        pull = OrderPull(cursor, seen=seen, settings=self._settings, now=datetime.now(UTC))
        return await pull.run(self._client)

    async def read_order(self, order_ref: str) -> OrderSeen | None:
        """One order as it stands now. Raises BadAnswer for one that cannot be read."""
        observed_at = datetime.now(UTC)
        payload = await self._client.get_order(order_ref)
        if payload is None:
            return None
        try:
            return mapping.order_from(
                payload,
                observed_at=observed_at,
                pending_cancellable=self._settings.pending_cancellable,
            )
        except mapping.Unreadable as error:
            raise BadAnswer(f"{order_ref}: {error}") from error

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
        """Read the order, check it, and queue its cancellation; returns the feedId.

        Raises Rejected where the feed would refuse it (see `channels.amazon.cancel.check`).
        """
        order = await self.read_order(request.order_ref)
        if order is None:
            raise Rejected(f"{request.order_ref}: Amazon has no such order")
        return await self._cancels.submit(order, request)

    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """Confirmed by the order itself, refused by the feed's report or by the order's state."""
        return await self._cancels.state(await self.read_order(order_ref), reference)

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
    """An adapter for one shop; `redis` is an asyncio client of redis-py (or Valkey's)."""
    budgets = Budgets(means.redis, channel_id=channel_id, budgets=BUDGETS)
    http = ChannelHttp(base_url=base_url, budgets=budgets)
    client = AmazonClient(http=http, settings=settings, credentials=credentials)
    return AmazonAdapter(client=client, settings=settings, budgets=budgets)
