"""The parts of Orders API v0 that we read; it is removed on 2027-03-27."""

from __future__ import annotations

from msgspec import Struct, field

from channels.amazon.wire import Moment


class BodyV0(Struct, rename="pascal"):
    """A JSON object of the older API; members that we do not name are dropped (L13)."""


class MoneyV0(BodyV0):
    """An amount as text, with its currency."""

    amount: str
    currency_code: str


class ItemV0(BodyV0):
    """One item. `item_price` is for all of its units together."""

    order_item_id: str
    quantity_ordered: int
    quantity_shipped: int = 0
    seller_sku: str | None = field(default=None, name="SellerSKU")
    item_price: MoneyV0 | None = None
    buyer_requested_cancel: object = None


class HeaderV0(BodyV0):
    """One order without its items."""

    amazon_order_id: str
    purchase_date: Moment
    last_update_date: Moment
    order_status: str
    fulfillment_channel: str | None = None
    number_of_items_shipped: int = 0
    number_of_items_unshipped: int = 0
    latest_ship_date: Moment | None = None


class HeadersV0(BodyV0):
    """What getOrders found; the orders are decoded one by one, so that one may be bad."""

    orders: list[object]
    next_token: str | None = None
    last_updated_before: Moment | None = None
    created_before: Moment | None = None


class ItemsV0(BodyV0):
    """The items of one order."""

    order_items: list[ItemV0]
    next_token: str | None = None


class OrdersAnswerV0(Struct):
    """An answer of getOrders."""

    payload: HeadersV0


class OrderAnswerV0(Struct):
    """An answer of getOrder."""

    payload: object


class ItemsAnswerV0(Struct):
    """An answer of getOrderItems."""

    payload: ItemsV0
