"""The parts of SP-API's answers that we read, typed; buyers' data has no field here (L13)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

Moment = Annotated[datetime, Meta(tz=True)]


class Body(Struct, rename="camel"):
    """A JSON object of SP-API; members that we do not name are dropped."""


class Money(Body):
    """An amount as text, with its currency."""

    amount: str
    currency_code: str


class Price(Body):
    """What one unit was sold for."""

    unit_price: Money | None = None


class Product(Body):
    """The listing that an order item names."""

    seller_sku: str | None = None
    price: Price | None = None


class ItemFulfillment(Body):
    """Units shipped, and units still to ship."""

    quantity_fulfilled: int = 0
    quantity_unfulfilled: int = 0


class CancellationRequest(Body):
    """A wish to cancel that waits for the seller."""

    requester: str | None = None


class CancellationExecution(Body):
    """A cancellation that has happened."""

    cancelled_by: str | None = None
    cancel_reason: str | None = None


class Cancellation(Body):
    """What became of an item's cancellation."""

    cancellation_request: CancellationRequest | None = None
    cancellation_execution: CancellationExecution | None = None


class OrderItem(Body):
    """One item of an order."""

    order_item_id: str
    quantity_ordered: int
    product: Product
    fulfillment: ItemFulfillment | None = None
    cancellation: Cancellation | None = None


class ShipByWindow(Body):
    """When the order must leave."""

    latest_date_time: Moment | None = None


class OrderFulfillment(Body):
    """The order's state, and who ships it."""

    fulfillment_status: str
    fulfilled_by: str | None = None
    ship_by_window: ShipByWindow | None = None


class Order(Body):
    """One order of Orders API 2026-01-01, asked for with FULFILLMENT and CANCELLATION."""

    order_id: str
    created_time: Moment
    last_updated_time: Moment
    order_items: list[OrderItem]
    fulfillment: OrderFulfillment


class Pagination(Body):
    """Where the next page begins."""

    next_token: str | None = None


class OrdersPage(Body):
    """An answer of searchOrders; the orders are decoded one by one, so that one may be bad."""

    orders: list[object]
    pagination: Pagination | None = None
    last_updated_before: Moment | None = None


class OneOrder(Body):
    """An answer of getOrder."""

    order: object


class Availability(Body):
    """The number on one fulfilment channel of a listing."""

    fulfillment_channel_code: str
    quantity: int | None = None


class Item(Body):
    """One listing, asked for with fulfillmentAvailability."""

    sku: str
    fulfillment_availability: list[Availability] = []


class ItemsPage(Body):
    """An answer of searchListingsItems."""

    items: list[Item]
    pagination: Pagination | None = None


class Issue(Body):
    """Why a submission was refused, or what is odd about it."""

    code: str
    message: str
    severity: str


class Submission(Body):
    """An answer of patchListingsItem: a refusal of the content is a 200 too."""

    sku: str
    status: str
    issues: list[Issue] = []


class FeedDocument(Body):
    """Where a feed document is, or is to be put."""

    feed_document_id: str
    url: str
    compression_algorithm: str | None = None


class CreatedFeed(Body):
    """An answer of createFeed."""

    feed_id: str


class Feed(Body):
    """How far a feed has come."""

    feed_id: str
    processing_status: str
    result_feed_document_id: str | None = None


class WireError(Body):
    """One entry of an error answer."""

    code: str
    message: str = ""


class ErrorList(Body):
    """The error answer that every operation shares."""

    errors: list[WireError]


class Login(Struct, frozen=True, kw_only=True):
    """An answer of Login with Amazon."""

    access_token: str
    expires_in: float

    def __repr__(self) -> str:
        return f"Login(expires_in={self.expires_in})"


class LoginError(Struct, frozen=True, kw_only=True):
    """A refusal of Login with Amazon."""

    error: str
