"""The parts of EC-CUBE's answers that we read, typed; buyers' data has no field here (L13).

Numbers of decimal columns come as text or number, so both are read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct, field

Moment = Annotated[datetime, Meta(tz=True)]
Number = int | float | str
Node = TypeVar("Node")
# What the plugin's GraphQL library says of an error that it hides.
HIDDEN = "Internal server error"


class PageInfo(Struct):
    """Whether there is another page."""

    hasNextPage: bool = False  # noqa: N815  (the wire's own name)


class Page(Struct, Generic[Node]):
    """One page of a list."""

    nodes: list[Node]
    pageInfo: PageInfo = field(default_factory=PageInfo)  # noqa: N815  (the wire's own name)
    totalCount: int | None = None  # noqa: N815  (the wire's own name)


class HasId(Struct):
    """An entry of a master table."""

    id: Number


class OrderItem(Struct):
    """One row of an order: goods, or a fee, a discount, points."""

    OrderItemType: HasId
    product_code: str | None
    quantity: Number
    price: Number | None = None


class Order(Struct):
    """One order with its rows."""

    id: Number
    order_date: Moment | None
    create_date: Moment
    update_date: Moment
    OrderStatus: HasId | None
    OrderItems: list[OrderItem]


class OrdersAnswer(Struct):
    """A page of orders; they are read one by one, so that one may be bad."""

    orders: Page[Any]


class OrderAnswer(Struct):
    """One order, or none."""

    order: Any


class ClassCategory(Struct):
    """A choice such as a colour."""

    name: str | None = None


class ProductClass(Struct):
    """What can be bought of a product, one by one."""

    code: str | None
    stock: Number | None
    stock_unlimited: bool
    visible: bool = True
    ClassCategory1: ClassCategory | None = None
    ClassCategory2: ClassCategory | None = None


class Product(Struct):
    """A product with what can be bought of it."""

    name: str
    ProductClasses: list[ProductClass]
    Status: HasId | None = None


class ProductsAnswer(Struct):
    """A page of products."""

    products: Page[Product]


class Error(Struct):
    """An error of the whole request, or of one field (`path`)."""

    message: str
    path: list[Any] | None = None


class Envelope(Struct):
    """A GraphQL answer."""

    data: Any = None
    errors: list[Error] = []
