"""Shopify's webhooks: proven by HMAC over the raw body, and read without asking Shopify."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from channels.base import Notice, NoticeForged, Rejected
from channels.shopify.settings import ShopifyCredentials
from inventory.vocabulary import OrderLine, OrderSeen

CREATED, EDITED, REFUNDED = "orders/create", "orders/edited", "refunds/create"
ORDERS = "orders/"
NAME_CHARACTERS_MAX = 100

Moment = Annotated[datetime, Meta(tz=True)]


class ToldLine(Struct, frozen=True):
    """One line of an order, in the names of the webhook's body; no buyer data (L13)."""

    id: int
    quantity: int
    sku: str | None = None
    variant_id: int | None = None
    current_quantity: int | None = None
    price: str | None = None


class ToldOrder(Struct, frozen=True):
    """An order as `orders/create` tells it."""

    id: int
    created_at: Moment
    updated_at: Moment
    line_items: list[ToldLine]
    cancelled_at: Moment | None = None
    fulfillment_status: str | None = None
    currency: str = ""


class Named(Struct, frozen=True):
    """An order that has changed."""

    id: int


class NamedInside(Struct, frozen=True):
    """Something of an order: a refund, or an edit."""

    order_id: int


class Edited(Struct, frozen=True):
    """The body of `orders/edited`."""

    order_edit: NamedInside


class Notices:
    """Reads the webhooks of one shop. `domain` is the shop's, "" where it is not looked at."""

    def __init__(self, credentials: ShopifyCredentials, *, domain: str) -> None:
        secrets = (credentials.client_secret, credentials.previous_client_secret)
        self._secrets = [secret.encode() for secret in secrets if secret]
        self._domain = domain.lower()

    def read(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """What a webhook tells. Raises `NoticeForged`, `Rejected`.

        Its name is `X-Shopify-Webhook-Id`, the same at each of its up to 8 retries. A new order is
        told whole, so that a sale is known without a call; any other topic names the order, as
        webhooks may come in any order (Webhooks, delivery structure).
        """
        given = {name.lower(): value for name, value in headers.items()}
        self._prove(given.get("x-shopify-hmac-sha256", ""), body)
        domain = given.get("x-shopify-shop-domain", "").lower()
        if self._domain and domain != self._domain:
            raise Rejected("the notice is about another shop")
        name, topic = given.get("x-shopify-webhook-id", ""), given.get("x-shopify-topic", "")
        if not 0 < len(name) <= NAME_CHARACTERS_MAX or not topic:
            raise Rejected("the notice has no id or no topic")
        try:
            return _told(name, topic, body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Rejected(f"{topic}: the body cannot be read") from error

    def _prove(self, given: str, body: bytes) -> None:
        signature = given.encode("utf-8", "replace")
        right = [
            hmac.compare_digest(b64encode(hmac.digest(secret, body, "sha256")), signature)
            for secret in self._secrets
        ]
        if not any(right):
            raise NoticeForged("the signature is not the app's")


def _told(name: str, topic: str, body: bytes) -> Notice:
    if topic == CREATED:
        told = msgspec.json.decode(body, type=ToldOrder)
        return Notice(name=name, order_refs=(str(told.id),), order=order_from(told))
    if topic == EDITED:
        edited = msgspec.json.decode(body, type=Edited)
        return Notice(name=name, order_refs=(str(edited.order_edit.order_id),))
    if topic == REFUNDED:
        refund = msgspec.json.decode(body, type=NamedInside)
        return Notice(name=name, order_refs=(str(refund.order_id),))
    if topic.startswith(ORDERS):
        named = msgspec.json.decode(body, type=Named)
        return Notice(name=name, order_refs=(str(named.id),))
    return Notice(name=name)


def order_from(told: ToldOrder) -> OrderSeen | None:
    """A new order as it was placed; None for one that has to be read to be understood.

    It has no hint, so that the next pull reads it all the same.
    """
    lines = [line for line in told.line_items if line.sku or line.variant_id]
    begun = told.cancelled_at is not None or told.fulfillment_status is not None
    if begun or not lines or not all(_is_plain(line) for line in lines):
        return None
    return OrderSeen(
        order_ref=str(told.id),
        ordered_at=told.created_at,
        observed_at=told.updated_at,
        lines=tuple(
            OrderLine(
                line_ref=str(line.id),
                channel_sku=line.sku or "",
                quantity=line.quantity,
                unit_price=_yen(line.price, told.currency),
            )
            for line in lines
        ),
    )


def _is_plain(line: ToldLine) -> bool:
    whole = line.current_quantity in {None, line.quantity}
    return bool(line.sku) and line.quantity > 0 and whole


def _yen(price: str | None, currency: str) -> int | None:
    if price is None or currency != "JPY":
        return None
    try:
        amount = Decimal(price)
    except InvalidOperation:
        return None
    return int(amount) if amount.is_finite() else None
