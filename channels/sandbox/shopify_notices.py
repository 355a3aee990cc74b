"""Shopify's webhooks about orders: the REST body, the headers, and the HMAC over the raw body."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from channels.sandbox.hooks import Message
from channels.sandbox.market import Line, NotAllowed, Order

if TYPE_CHECKING:
    from channels.sandbox.shopify_base import ShopifyMarket

DOMAIN = "hikiate-sandbox.myshopify.com"
# A buyer's data, which whoever receives it has to drop.
BUYER = {"name": "山田 花子", "email": "hanako@example.com", "phone": "03-0000-0000"}


class Webhooks:
    """Says what happened to orders. Every delivery of one message has the same webhook id."""

    def __init__(self, market: ShopifyMarket, *, api_version: str) -> None:
        self._market = market
        self._api_version = api_version

    def placed(self, order: Order) -> None:
        """A buyer has ordered."""
        self._tell("orders/create", body_of(order))

    def changed(self, order: Order) -> None:
        """Anything about an order has changed."""
        self._tell("orders/updated", body_of(order))

    def cancelled(self, order: Order) -> None:
        """An order has ended."""
        self._tell("orders/cancelled", body_of(order))
        self.changed(order)

    def edited(self, order: Order, line: Line, units: int) -> None:
        """Staff have taken units out of an order."""
        edit = {
            "id": self._market.rng.getrandbits(40),
            "order_id": int(order.ref),
            "notify_customer": False,
            "line_items": {
                "additions": [],
                "removals": [{"id": int(line.line_ref), "delta": -units}],
            },
        }
        self._tell("orders/edited", {"order_edit": edit})
        self.changed(order)

    def _tell(self, topic: str, body: Any) -> None:
        hooks = self._market.hooks
        if hooks is None:
            return
        about = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": DOMAIN,
            "X-Shopify-API-Version": self._api_version,
            "X-Shopify-Webhook-Id": str(UUID(int=self._market.rng.getrandbits(128))),
            "X-Shopify-Event-Id": str(UUID(int=self._market.rng.getrandbits(128))),
            "X-Shopify-Triggered-At": self._market.clock.now().isoformat(),
            "Content-Type": "application/json",
        }
        hooks.tell(
            Message(
                topic=topic,
                body=msgspec.json.encode(body),
                secret=self._market.credentials["client_secret"],
                headers=partial(_signed, about),
            )
        )


def _signed(about: Mapping[str, str], secret: str, body: bytes) -> dict[str, str]:
    signature = b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return {**about, "X-Shopify-Hmac-Sha256": signature}


def drop_unit(market: ShopifyMarket, webhooks: Webhooks, ref: str) -> Order:
    """Staff take one unit out of the first line of a live order and put it back on sale.

    Raises NotAllowed when there is nothing to take.
    """
    order = market.orders[ref]
    line = order.lines[0]
    if order.state != "live" or line.cancelled >= line.quantity:
        raise NotAllowed(f"{ref} has no unit that could be taken out")
    line.cancelled += 1
    order.changed_at = market.clock.now()
    market.add_displayed(line.key, 1, "order-restock")
    webhooks.edited(order, line, 1)
    return order


def body_of(order: Order) -> dict[str, Any]:
    """An order as the REST Admin API words it."""
    ended = order.cancelled_at is not None
    shipped = order.shipped_at is not None
    return {
        "id": int(order.ref),
        "admin_graphql_api_id": f"gid://shopify/Order/{order.ref}",
        "cancel_reason": (order.cancel_code or "other").lower() if ended else None,
        "cancelled_at": order.cancelled_at.isoformat() if order.cancelled_at else None,
        "created_at": order.placed_at.isoformat(timespec="seconds"),
        "updated_at": order.changed_at.isoformat(timespec="seconds"),
        "currency": "JPY",
        "customer": BUYER,
        "email": BUYER["email"],
        "shipping_address": {**BUYER, "zip": "100-0001", "address1": "千代田1-1"},
        "financial_status": "paid",
        "fulfillment_status": "fulfilled" if shipped else None,
        "line_items": [
            {
                "id": int(line.line_ref),
                "admin_graphql_api_id": f"gid://shopify/LineItem/{line.line_ref}",
                "sku": line.key,
                "variant_id": 1,
                "quantity": line.quantity,
                "current_quantity": line.quantity - line.cancelled,
                "fulfillable_quantity": line.quantity - line.cancelled - line.shipped,
                "price": str(line.price),
                "requires_shipping": True,
            }
            for line in order.lines
        ],
    }
