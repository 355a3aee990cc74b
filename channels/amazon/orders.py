"""Reading orders: one face for Orders API 2026-01-01 and for v0, which ends on 2027-03-27."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from channels.amazon import mapping, mapping_v0, wire, wire_v0
from channels.amazon import settings as names
from channels.amazon.client import AmazonClient, read
from channels.base import BadAnswer
from inventory.vocabulary import OrderSeen

ORDER_DATA = "FULFILLMENT,CANCELLATION"
PAGE_ORDERS = 100
# Pages of items of one order (v0), against an answer that never ends.
ITEM_PAGES_MAX = 20


class Question(Struct, frozen=True, kw_only=True):
    """Which orders: changed (or, with `created`, placed) from `after` to `before` (ISO 8601)."""

    after: str
    before: str | None = None
    created: bool = False

    def params(self) -> dict[str, str]:
        """The window's parameters as 2026-01-01 spells them."""
        kind = "created" if self.created else "lastUpdated"
        window = {f"{kind}After": self.after}
        return window if self.before is None else {**window, f"{kind}Before": self.before}


class Page(Struct, frozen=True, kw_only=True):
    """One page. `until`: the search shows everything up to this moment (None: it does not say)."""

    orders: list[object]
    next_token: str | None
    until: datetime | None


class OrdersReader(Protocol):
    """How orders are found and read. `search_endpoint` and `one_endpoint` name the budgets.

    Every method may raise any `ChannelError`; what cannot be read raises `Unreadable`.
    """

    search_endpoint: str
    search_seconds: float
    one_endpoint: str

    async def page(self, question: Question, token: str | None) -> Page:
        """One page of orders; a next page repeats the question of the first."""
        ...

    def look(self, payload: object) -> tuple[str, str]:
        """The number and the hint of a listed order, without a call."""
        ...

    def ref_of(self, payload: object) -> str:
        """The number of a listed order even where the rest cannot be read."""
        ...

    def least(self, payload: object) -> dict[str, Any]:
        """What `whole` needs of a listed order, to be kept for later: no buyer data (L13)."""
        ...

    async def whole(self, payload: object, as_of: datetime) -> OrderSeen:
        """A listed order with its items, as it stood at `as_of`."""
        ...

    async def one(self, order_ref: str) -> OrderSeen | None:
        """One order as it stands now, None where there is none. Raises `BadAnswer`."""
        ...


def reader_of(client: AmazonClient) -> OrdersReader:
    """The reader that the shop's settings ask for."""
    return OrdersV0(client) if client.settings.orders_api == "v0" else Orders2026(client)


class Orders2026:
    """Orders API 2026-01-01: items come with the order."""

    search_endpoint = names.SEARCH_ORDERS
    search_seconds = 179.0
    one_endpoint = names.GET_ORDER

    def __init__(self, client: AmazonClient) -> None:
        self._client = client

    async def page(self, question: Question, token: str | None) -> Page:
        """One page of searchOrders, 100 orders."""
        params = {
            "marketplaceIds": self._client.settings.marketplace_id,
            **question.params(),
            "maxResultsPerPage": str(PAGE_ORDERS),
            "includedData": ORDER_DATA,
        }
        if token is not None:
            params["paginationToken"] = token
        response = await self._client.call(
            "GET", "/orders/2026-01-01/orders", endpoint=names.SEARCH_ORDERS, params=params
        )
        page = read(response, wire.OrdersPage, names.SEARCH_ORDERS)
        return Page(
            orders=page.orders,
            next_token=(page.pagination.next_token or None) if page.pagination else None,
            until=page.created_before if question.created else page.last_updated_before,
        )

    def look(self, payload: object) -> tuple[str, str]:
        """See `OrdersReader`."""
        order = mapping.order_from(payload, observed_at=datetime.now(UTC))
        return order.order_ref, order.hint

    def ref_of(self, payload: object) -> str:
        """See `OrdersReader`."""
        return mapping.order_ref_of(payload)

    def least(self, payload: object) -> dict[str, Any]:
        """See `OrdersReader`."""
        return dict(msgspec.to_builtins(mapping.wire_order(payload)))

    async def whole(self, payload: object, as_of: datetime) -> OrderSeen:
        """See `OrdersReader`; needs no call."""
        return mapping.order_from(
            payload,
            observed_at=as_of,
            pending_cancellable=self._client.settings.pending_cancellable,
            listed=True,
        )

    async def one(self, order_ref: str) -> OrderSeen | None:
        """See `OrdersReader`; getOrder, which does not lag."""
        observed_at = datetime.now(UTC)
        response = await self._client.call(
            "GET",
            f"/orders/2026-01-01/orders/{quote(order_ref, safe='')}",
            endpoint=names.GET_ORDER,
            params={"includedData": ORDER_DATA},
            missing_is_none=True,
        )
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        payload = read(response, wire.OneOrder, names.GET_ORDER).order
        try:
            return mapping.order_from(
                payload,
                observed_at=observed_at,
                pending_cancellable=self._client.settings.pending_cancellable,
            )
        except mapping.Unreadable as error:
            raise BadAnswer(f"{order_ref}: {error}") from error


class OrdersV0:
    """Orders API v0: one more call for the items of each order, two seconds apart."""

    search_endpoint = names.V0_ORDERS
    search_seconds = 60.0
    one_endpoint = names.V0_ITEMS

    def __init__(self, client: AmazonClient) -> None:
        self._client = client

    async def page(self, question: Question, token: str | None) -> Page:
        """One page of getOrders, 100 orders without their items."""
        window = {name[0].upper() + name[1:]: at for name, at in question.params().items()}
        params = {
            "MarketplaceIds": self._client.settings.marketplace_id,
            **window,
            "MaxResultsPerPage": str(PAGE_ORDERS),
        }
        if token is not None:
            params["NextToken"] = token
        response = await self._client.call(
            "GET", "/orders/v0/orders", endpoint=names.V0_ORDERS, params=params
        )
        found = read(response, wire_v0.OrdersAnswerV0, names.V0_ORDERS).payload
        return Page(
            orders=found.orders,
            next_token=found.next_token or None,
            until=found.created_before if question.created else found.last_updated_before,
        )

    def look(self, payload: object) -> tuple[str, str]:
        """See `OrdersReader`."""
        header = mapping_v0.header_from(payload)
        return header.amazon_order_id, mapping_v0.hint_of(header)

    def ref_of(self, payload: object) -> str:
        """See `OrdersReader`."""
        return mapping_v0.order_ref_of(payload)

    def least(self, payload: object) -> dict[str, Any]:
        """See `OrdersReader`."""
        return dict(msgspec.to_builtins(mapping_v0.header_from(payload)))

    async def whole(self, payload: object, as_of: datetime) -> OrderSeen:
        """See `OrdersReader`; one call of getOrderItems."""
        return await self._seen(mapping_v0.header_from(payload), as_of, listed=True)

    async def one(self, order_ref: str) -> OrderSeen | None:
        """See `OrdersReader`; getOrder and getOrderItems."""
        observed_at = datetime.now(UTC)
        response = await self._client.call(
            "GET",
            f"/orders/v0/orders/{quote(order_ref, safe='')}",
            endpoint=names.V0_ORDER,
            missing_is_none=True,
        )
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        payload = read(response, wire_v0.OrderAnswerV0, names.V0_ORDER).payload
        try:
            return await self._seen(mapping_v0.header_from(payload), observed_at, listed=False)
        except mapping.Unreadable as error:
            raise BadAnswer(f"{order_ref}: {error}") from error

    async def _seen(
        self, header: wire_v0.HeaderV0, observed_at: datetime, *, listed: bool
    ) -> OrderSeen:
        items = await self._items(header.amazon_order_id)
        return mapping.seen_from(
            mapping_v0.order_from(header, items),
            observed_at=observed_at,
            pending_cancellable=self._client.settings.pending_cancellable,
            listed=listed,
            hint=mapping_v0.hint_of(header),
        )

    async def _items(self, order_ref: str) -> list[wire_v0.ItemV0]:
        path = f"/orders/v0/orders/{quote(order_ref, safe='')}/orderItems"
        items: list[wire_v0.ItemV0] = []
        params: dict[str, str] = {}
        for _ in range(ITEM_PAGES_MAX):
            response = await self._client.call("GET", path, endpoint=names.V0_ITEMS, params=params)
            found = read(response, wire_v0.ItemsAnswerV0, names.V0_ITEMS).payload
            items += found.order_items
            if not found.next_token:
                return items
            params = {"NextToken": found.next_token}
        raise BadAnswer(f"{order_ref}: more than {ITEM_PAGES_MAX} pages of items")
