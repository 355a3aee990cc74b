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


class CancellationExecution(Body):
    """A cancellation that has happened."""

    cancelled_by: str | None = None
    cancel_reason: str | None = None


class Cancellation(Body):
    """What became of an item's cancellation; the request is read by `mapping.buyer_asked`."""

    cancellation_request: object = None
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
    created_before: Moment | None = None


class OneOrder(Body):
    """An answer of getOrder."""

    order: object


class Availability(Body):
    """The number on one fulfilment channel of a listing."""

    fulfillment_channel_code: str
    quantity: int | None = None


class Summary(Body):
    """A listing's name in one marketplace, and when it was made (ISO 8601, as Amazon wrote it)."""

    created_date: str
    item_name: str = ""


class Item(Body):
    """One listing, asked for with fulfillmentAvailability and perhaps with summaries."""

    sku: str
    fulfillment_availability: list[Availability] = []
    summaries: list[Summary] = []


class ItemsPage(Body):
    """An answer of searchListingsItems; at most 1,000 of the results can be paged through."""

    items: list[Item]
    number_of_results: int | None = None
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


class FeedMessage(Body):
    """One message of a listings feed document, as far as it says what it was about."""

    message_id: int
    sku: str


class ListingsFeed(Body):
    """A listings feed document (listings feed schema v2)."""

    messages: list[FeedMessage]


class FeedIssue(Body):
    """What a listings feed's report says; without a number it is about the feed as a whole."""

    severity: str
    message: str = ""
    code: str = ""
    message_id: int | None = None


class ListingsSummary(Body):
    """The counts of a listings feed's report."""

    messages_accepted: int = 0


class ListingsReport(Body):
    """A listings feed's report (listings feed processing report schema v2)."""

    summary: ListingsSummary
    issues: list[FeedIssue] = []


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
