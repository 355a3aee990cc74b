"""One EC-CUBE 4 shop behind the port: absolute numbers, orders by last change, no cancel API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from channels.base import (
    Adapter,
    Cancels,
    Capabilities,
    Discovered,
    History,
    Notice,
    Pulled,
    Rejected,
    Write,
)
from channels.eccube import documents
from channels.eccube.client import EccubeClient
from channels.eccube.notices import Notices
from channels.eccube.orders import Orders
from channels.eccube.settings import (
    API,
    BUDGETS,
    EccubeCredentials,
    EccubeSettings,
    budgets_for,
)
from channels.eccube.stock import Stock
from channels.http import ChannelHttp
from channels.keep import Means
from channels.limits import Budgets
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Expiry,
    Kind,
    OrderSeen,
    PushOutcome,
    QuantityPush,
    Reading,
    Standing,
)

__all__ = ["BUDGETS", "EccubeAdapter", "EccubeCredentials", "EccubeSettings", "build"]

CAPABILITIES = Capabilities(
    kind=Kind.ECCUBE,
    write=Write.ABSOLUTE,
    writes=frozenset({Write.ABSOLUTE}),
    cancels=Cancels.NONE,
    push_batch_max=20,
    read_batch_max=20,
    pull_seconds=3.0,
    pull_seconds_quiet=20.0,
    pull_endpoint=API,
    notices=True,
    discovers=True,
    restocks=True,
)


class EccubeAdapter(Adapter):
    """See `channels.base.Adapter`; made by `build`."""

    def __init__(
        self,
        *,
        client: EccubeClient,
        settings: EccubeSettings,
        budgets: Budgets,
        notices: Notices,
    ) -> None:
        self._client = client
        self._settings = settings
        self._budgets = budgets
        self._notices = notices
        self._orders = Orders(client, settings)
        self._stock = Stock(client)

    @property
    def capabilities(self) -> Capabilities:
        """Absolute numbers only; giving an order up is a person's work in the shop's admin."""
        return CAPABILITIES

    @property
    def budgets(self) -> Budgets:
        """Our own bounds, shared with every other worker."""
        return self._budgets

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """Orders changed since the last watermark − overlap whose hint differs from the one seen.

        The watermark is the start of the pull − `order_visible_lag_seconds`, once all is in.
        """
        return await self._orders.pull(cursor, seen=seen)

    async def read_order(self, order_ref: str) -> OrderSeen | None:
        """One order as it stands now; None where there is none, or none that lists anything."""
        return await self._orders.read(order_ref)

    async def push_quantities(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """Set numbers of 0 and more (updateProductStock); a code must be one item's only."""
        return await self._stock.push(pushes)

    async def read_stock(self, channel_skus: Sequence[str]) -> list[Reading]:
        """The numbers; 1,000,000 for an item whose stock has no limit."""
        return await self._stock.read(channel_skus)

    async def cancel_order(self, request: CancelRequest) -> str:
        """Raises Rejected: the plugin has no such mutation."""
        raise Rejected(f"{request.order_ref}: EC-CUBE orders are cancelled in the shop's admin")

    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """Whether a person has cancelled the order; `reference` says nothing here."""
        del reference
        order = await self.read_order(order_ref)
        if order is None:
            return CancelState(refused="EC-CUBE has no such order")
        if order.cancelled:
            return CancelState(confirmed=True)
        if any(line.shipped for line in order.lines):
            return CancelState(refused="the order has been shipped")
        return CancelState()

    async def standing(self) -> Standing:
        """Until when the refresh token lasts, by the setting; the shop's name cannot be asked."""
        await self._client.run(documents.STANDING, values={})
        kept = await self._client.tokens.kept()
        if kept is None:
            return Standing()
        lasts = timedelta(days=self._settings.refresh_token_days)
        return Standing(expiries=(Expiry(name="refresh token", ends_at=kept.refreshed_at + lasts),))

    async def discover(self, cursor: dict[str, Any]) -> Discovered:
        """What can be bought of the next 50 products."""
        return await self._stock.discover(cursor)

    async def read_history(self, cursor: dict[str, Any], *, since: datetime) -> History:
        """The next orders placed since, one day after another."""
        return await self._orders.history(cursor, since=since)

    async def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verify and read a webhook (see `Notices`)."""
        return self._notices.read(headers, body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def build(
    *,
    channel_id: int,
    base_url: str,
    settings: EccubeSettings,
    credentials: EccubeCredentials,
    means: Means,
) -> Adapter:
    """An adapter for one shop; `base_url` is the shop's own address."""
    budgets = Budgets(means.redis, channel_id=channel_id, budgets=budgets_for(settings))
    http = ChannelHttp(base_url=base_url, budgets=budgets)
    client = EccubeClient(http=http, settings=settings, credentials=credentials, keep=means.keep)
    return EccubeAdapter(
        client=client, settings=settings, budgets=budgets, notices=Notices(credentials)
    )
