"""The parts of Shopify's answers that we read, typed; buyers' data has no field here (L13)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct, field

Moment = Annotated[datetime, Meta(tz=True)]
Node = TypeVar("Node")


class Body(Struct, rename="camel"):
    """A GraphQL object of Shopify."""


class PageInfo(Body):
    """Whether there is more, and where it begins."""

    has_next_page: bool = False
    end_cursor: str | None = None


class Page(Body, Generic[Node]):
    """One page of a connection."""

    nodes: list[Node]
    page_info: PageInfo = field(default_factory=PageInfo)


class Money(Body):
    """An amount as text, with its currency."""

    amount: str
    currency_code: str


class MoneyBag(Body):
    """A price in the shop's own currency."""

    shop_money: Money


class HasId(Body):
    """Any object of which only the id matters."""

    id: str


class LineItem(Body):
    """One line: `current_quantity` without removed units, `unfulfilled_quantity` still to ship."""

    id: str
    sku: str | None
    quantity: int
    current_quantity: int
    unfulfilled_quantity: int
    variant: HasId | None
    original_unit_price_set: MoneyBag | None = None


class Listed(Body):
    """What the list says of an order."""

    id: str
    updated_at: Moment
    cancelled_at: Moment | None
    display_fulfillment_status: str


class Order(Body):
    """One order with a page of its lines."""

    id: str
    created_at: Moment
    updated_at: Moment
    cancelled_at: Moment | None
    cancel_reason: str | None
    display_fulfillment_status: str
    line_items: Page[LineItem]


class OrdersAnswer(Body):
    """The orders list; the orders are read one by one, so that one may be bad."""

    orders: Page[Any]


class ChangedAnswer(Body):
    """Orders read by their ids; None for one that is gone."""

    nodes: list[Any]


class OrderAnswer(Body):
    """One order, or none."""

    order: Any


class FulfillmentLine(Body):
    """Units of a line in one shipment."""

    quantity: int | None
    line_item: HasId


class Fulfillment(Body):
    """One shipment."""

    status: str
    fulfillment_line_items: Page[FulfillmentLine]


class Shipments(Body):
    """The shipments of an order."""

    fulfillments: list[Fulfillment]


class ShippedAnswer(Body):
    """The shipments of one order, or none."""

    order: Shipments | None


class Quantity(Body):
    """One number of a level."""

    quantity: int


class Level(Body):
    """What one location has."""

    quantities: list[Quantity]


class InventoryItem(Body):
    """What a SKU stands for, and its number at our location (None: not stocked there)."""

    id: str
    sku: str | None
    inventory_level: Level | None


class ItemsAnswer(Body):
    """Inventory items found by SKU."""

    inventory_items: Page[InventoryItem]


class Location(Body):
    """One location of the shop."""

    id: str
    is_active: bool


class LocationsAnswer(Body):
    """The shop's locations."""

    locations: Page[Location]


class UserError(Body):
    """Why a mutation was refused."""

    code: str | None
    message: str


class WritePayload(Body):
    """What became of one stock write."""

    user_errors: list[UserError]


class CancelPayload(Body):
    """What became of a request to cancel."""

    job: HasId | None
    job_result: HasId | None
    order_cancel_user_errors: list[UserError]


class CancelAnswer(Body):
    """The answer of orderCancel."""

    order_cancel: CancelPayload | None


class JobResult(Body):
    """How a cancel job ended: STARTED, SUCCEEDED or FAILED."""

    status: str
    errors: list[UserError] = []


class CancelResultAnswer(Body):
    """A cancel job's result, or none."""

    node: JobResult | None


class GraphQLErrorExtensions(Body):
    """What kind of error it is."""

    code: str | None = None


class GraphQLError(Body):
    """An error of the whole request, or of one field (`path`)."""

    message: str
    extensions: GraphQLErrorExtensions | None = None
    path: list[Any] | None = None


class ThrottleStatus(Body):
    """The points bucket after this request."""

    currently_available: float
    restore_rate: float


class Cost(Body):
    """What the request cost in points: asked for at most, and in the end."""

    requested_query_cost: float
    throttle_status: ThrottleStatus
    actual_query_cost: float | None = None


class Extensions(Body):
    """What comes along with every answer."""

    cost: Cost | None = None


class Envelope(Body):
    """A GraphQL answer."""

    data: Any = None
    errors: list[GraphQLError] = []
    extensions: Extensions | None = None


class Login(Struct):
    """An answer of the token endpoint."""

    access_token: str
    expires_in: float

    def __repr__(self) -> str:
        return f"Login(expires_in={self.expires_in})"
