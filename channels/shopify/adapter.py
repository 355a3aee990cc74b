"""One Shopify shop behind the port: changes of numbers, orders by last change, cancel jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from channels.base import (
    Adapter,
    Cancels,
    Capabilities,
    Discovered,
    History,
    Notice,
    OutcomeUnknown,
    Pulled,
    Rejected,
    Write,
)
from channels.http import ChannelHttp
from channels.keep import Means
from channels.limits import Budgets
from channels.shopify import documents, mapping, wire
from channels.shopify.client import ShopifyClient
from channels.shopify.history import Past
from channels.shopify.notices import Notices
from channels.shopify.orders import Orders
from channels.shopify.settings import (
    BUDGETS,
    POINTS,
    ShopifyCredentials,
    ShopifySettings,
    budgets_for,
)
from channels.shopify.shop import Shop
from channels.shopify.stock import Stock
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Kind,
    OrderSeen,
    PushOutcome,
    QuantityPush,
    Reading,
    Standing,
)

__all__ = ["BUDGETS", "ShopifyAdapter", "ShopifyCredentials", "ShopifySettings", "build"]

CAPABILITIES = Capabilities(
    kind=Kind.SHOPIFY,
    write=Write.RELATIVE,
    writes=frozenset({Write.RELATIVE, Write.COMPARE_AND_SET}),
    cancels=Cancels.WHOLE,
    push_batch_max=25,
    read_batch_max=40,
    pull_seconds=1.0,
    pull_seconds_quiet=10.0,
    pull_endpoint=POINTS,
    repeatable=True,
    notices=True,
    discovers=True,
)
NOTE_CHARACTERS_MAX = 255
RESULT = "gid://shopify/OrderCancelJobResult/"


class ShopifyAdapter(Adapter):
    """See `channels.base.Adapter`; made by `build`."""

    def __init__(
        self,
        *,
        client: ShopifyClient,
        settings: ShopifySettings,
        budgets: Budgets,
        notices: Notices,
        channel_id: int,
    ) -> None:
        self._client = client
        self._settings = settings
        self._budgets = budgets
        self._notices = notices
        self._orders = Orders(client, settings)
        self._past = Past(client, settings, self._orders)
        self._stock = Stock(client, settings, channel_id=channel_id)
        self._shop = Shop(client, settings, self._stock)

    @property
    def capabilities(self) -> Capabilities:
        """Changes that may be repeated with the same key; calls cost points, not calls."""
        return CAPABILITIES

    @property
    def budgets(self) -> Budgets:
        """The plan's points, shared with every other worker."""
        return self._budgets

    async def pull_orders(self, cursor: dict[str, Any], *, seen: Mapping[str, str]) -> Pulled:
        """Orders changed since the last watermark − overlap, in every state.

        Orders whose hint has not changed are left out. The watermark is the start of the pull −
        `order_visible_lag_seconds` and moves only once the last page is in.
        """
        return await self._orders.pull(cursor, seen=seen)

    async def read_order(self, order_ref: str) -> OrderSeen | None:
        """One order as it stands now; None where there is none, or none that lists anything."""
        return await self._orders.read(order_ref)

    async def push_quantities(self, pushes: Sequence[QuantityPush]) -> list[PushOutcome]:
        """Change numbers by `change`; where it is None, set what a reading of now is compared with.

        A zero alone is set without a look. A SKU that no item or that several items have is
        refused, and a number that changes all the time (`CHANGE_FROM_QUANTITY_STALE`).
        """
        return await self._stock.push(pushes)

    async def read_stock(self, channel_skus: Sequence[str]) -> list[Reading]:
        """The `available` numbers at the location; below 0 where more was sold than there was."""
        return await self._stock.read(channel_skus)

    async def cancel_order(self, request: CancelRequest) -> str:
        """Read the order, check it, and start its cancel job; nothing is put back on display.

        Raises Rejected for an order that is unknown, cancelled or (partly) shipped, that has other
        lines than the request names, and where Shopify refuses. Returns the job's global id.
        """
        order = await self.read_order(request.order_ref)
        if order is None:
            raise Rejected(f"{request.order_ref}: Shopify has no such order")
        _check(order, request)
        answer = await self._client.ask(
            documents.CANCEL,
            wire.CancelAnswer,
            points=documents.MUTATION_POINTS,
            writes=True,
            id=mapping.order_gid(order.order_ref),
            reason=mapping.CANCEL_REASONS[request.reason],
            notify=self._settings.notify_customer,
            refund=self._settings.refund_original_payment,
            note=request.note[:NOTE_CHARACTERS_MAX] or None,
        )
        payload = answer.order_cancel
        if payload is None:
            raise OutcomeUnknown(f"{order.order_ref}: orderCancel has no answer")
        if payload.order_cancel_user_errors:
            raise Rejected(f"{order.order_ref}: {mapping.told(payload.order_cancel_user_errors)}")
        job = payload.job_result or payload.job
        return job.id if job else ""

    async def cancel_state(self, order_ref: str, reference: str) -> CancelState:
        """Confirmed by the order itself; refused by its shipment or by the job's failure.

        The job is read before the order, so that what it did can be seen there.
        """
        failure = await self._failure(reference) if reference.startswith(RESULT) else None
        order = await self.read_order(order_ref)
        if order is None:
            return CancelState(refused="Shopify has no such order")
        if order.cancelled:
            return CancelState(confirmed=True)
        if any(line.shipped for line in order.lines):
            return CancelState(refused="the order has been shipped")
        return CancelState(refused=failure)

    async def standing(self) -> Standing:
        """Whose shop it is, and until when the API version is kept (see `Shop`)."""
        return await self._shop.standing()

    async def discover(self, cursor: dict[str, Any]) -> Discovered:
        """The next 50 variants that have a SKU."""
        return await self._shop.discover(cursor)

    async def read_history(self, cursor: dict[str, Any], *, since: datetime) -> History:
        """The next 10 orders placed since; see `Past` about those older than 60 days."""
        return await self._past.read(cursor, since=since)

    async def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verify and read a webhook (see `Notices`)."""
        return self._notices.read(headers, body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _failure(self, result_id: str) -> str | None:
        answer = await self._client.ask(
            documents.CANCEL_RESULT,
            wire.CancelResultAnswer,
            points=documents.CANCEL_RESULT_POINTS,
            id=result_id,
        )
        if answer.node is None or answer.node.status != "FAILED":
            return None
        return mapping.told(answer.node.errors) or "the cancel job failed"


def _check(order: OrderSeen, request: CancelRequest) -> None:
    ref = order.order_ref
    if order.cancelled:
        raise Rejected(f"{ref}: the order is cancelled already")
    if not order.cancellable:
        raise Rejected(f"{ref}: the order has been shipped, or is with a fulfilment service")
    if not set(request.line_refs) <= {line.line_ref for line in order.lines}:
        raise Rejected(f"{ref}: the order has other lines than the request names")


def build(
    *,
    channel_id: int,
    base_url: str,
    settings: ShopifySettings,
    credentials: ShopifyCredentials,
    means: Means,
) -> Adapter:
    """An adapter for one shop; `base_url` is https://{shop}.myshopify.com."""
    budgets = Budgets(means.redis, channel_id=channel_id, budgets=budgets_for(settings))
    http = ChannelHttp(base_url=base_url, budgets=budgets)
    client = ShopifyClient(http=http, settings=settings, credentials=credentials)
    return ShopifyAdapter(
        client=client,
        settings=settings,
        budgets=budgets,
        notices=Notices(credentials, domain=settings.shop_domain or _domain(base_url)),
        channel_id=channel_id,
    )


def _domain(base_url: str) -> str:
    host = urlsplit(base_url).hostname or ""
    return host if host.endswith(".myshopify.com") else ""
