"""EC-CUBE 4 with its Web API plugin over one shop's books, as a real GraphQL service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from graphql import (
    GraphQLError,
    GraphQLResolveInfo,
    OperationType,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from channels.sandbox.eccube_market import (
    CANCEL,
    PENDING,
    PROCESSING,
    EccubeMarket,
    Options,
    json_answer,
    whole_second,
)
from channels.sandbox.eccube_schema import schema
from channels.sandbox.market import Listing, Order, Services
from channels.sandbox.wire import Answer, Call, Refused, Route

QUERY_TOKENS_MAX = 20_000
SERVED = schema()
# Found by the search only when their status is asked for.
UNPLACED = {PENDING, PROCESSING}

Node = dict[str, Any]
Resolver = Callable[..., Any]


class Asked(msgspec.Struct):
    """The body of a GraphQL request."""

    query: str
    variables: dict[str, Any] | None = None


class Service:
    """Parses and runs one request."""

    def __init__(self, market: EccubeMarket) -> None:
        self._market = market
        self._query: dict[str, Resolver] = {
            "order": self._order,
            "orders": self._orders,
            "products": self._products,
        }
        self._mutation: dict[str, Resolver] = {"updateProductStock": self._stock}

    def run(self, call: Call) -> Answer:
        """Answer one POST. Errors of the query itself come with HTTP 200."""
        try:
            asked = msgspec.json.decode(call.body, type=Asked)
        except msgspec.MsgspecError as error:
            raise Refused(json_answer({"error": "Internal Server Error"}, status=500)) from error
        try:
            document = parse(asked.query, max_tokens=QUERY_TOKENS_MAX)
        except GraphQLError as error:
            return json_answer({"errors": [error.formatted]})
        errors = validate(SERVED, document)
        operation = get_operation_ast(document)
        if errors or operation is None:
            return json_answer({"errors": [error.formatted for error in errors]})
        writes = operation.operation is OperationType.MUTATION
        if writes and self._market.options.read_only:
            return json_answer({"errors": [{"message": "Insufficient permission. (read,write)"}]})
        root = self._mutation if writes else self._query
        result = execute_sync(SERVED, document, root_value=root, variable_values=asked.variables)
        body: Node = {"data": result.data}
        if result.errors:
            body["errors"] = [error.formatted for error in result.errors]
        return json_answer(body)

    def _order(self, _: GraphQLResolveInfo, **arguments: Any) -> Node | None:
        order = self._market.orders.get(arguments["id"])
        return None if order is None else _order_node(order)

    def _orders(self, _: GraphQLResolveInfo, **arguments: Any) -> Node:
        wanted = arguments.get("status")
        found = [
            order
            for order in self._market.visible_orders("api")
            if (str(order.status) in wanted if wanted else order.status not in UNPLACED)
            and _within(order.placed_at, arguments, "order")
            and _within(order.changed_at, arguments, "update")
        ]
        found.sort(key=lambda order: (whole_second(order.changed_at), int(order.ref)), reverse=True)
        return _page(found, arguments, _order_node)

    def _products(self, _: GraphQLResolveInfo, **arguments: Any) -> Node:
        text = str(arguments.get("id") or "").lower()
        options = self._market.options
        found = [
            (listing, copy)
            for listing in self._market.listings.values()
            for copy in range(2 if listing.key in options.doubled else 1)
            if text in listing.key.lower()
            or text in f"Product {listing.key}".lower()
            or text == str(listing.extra["id"])
        ]
        found.sort(key=lambda each: each[0].changed_at, reverse=True)
        return _page(found, arguments, lambda each: self._product(each[0]))

    def _product(self, listing: Listing) -> Node:
        hidden = listing.key in self._market.options.hidden
        return {
            "id": str(listing.extra["id"]),
            "name": f"Product {listing.key}",
            "Status": {"id": "2", "name": "非公開"} if hidden else {"id": "1", "name": "公開"},
            "ProductClasses": [_class_node(listing)],
        }

    def _stock(self, _: GraphQLResolveInfo, **arguments: Any) -> Node:
        market, code = self._market, arguments["code"]
        if code not in market.listings:
            raise GraphQLError("code: No ProductClass found;")
        if code in market.options.doubled:
            raise GraphQLError("code: Multiple ProductClass found;")
        listing = market.listings[code]
        if arguments["stock_unlimited"]:
            if "stock" in arguments:
                raise GraphQLError("stock: Cannot update stock with stock unlimited;")
            listing.endless = True
            return _class_node(listing)
        if arguments.get("stock") is None:
            raise GraphQLError("stock: stock is required when stock limited;")
        if arguments["stock"] < 0:
            raise GraphQLError("stock: stock must be a positive integer;")
        if not market.ignoring:
            listing.endless = False
            market.set_displayed(code, arguments["stock"])
            market.tell("product", str(listing.extra["id"]), "updated")
        return {**_class_node(listing), "stock": arguments["stock"]}


def build(services: Services, **options: Any) -> EccubeMarket:
    """The shop with its two paths; `options` are those of `eccube_market.Options`."""
    market = EccubeMarket(services, Options(**options))
    market.routes = [
        Route(method="POST", path="/token", endpoint="token", run=market.login, open_door=True),
        Route(method="POST", path="/api", endpoint="api", run=Service(market).run),
    ]
    return market


def _within(moment: datetime, arguments: Node, name: str) -> bool:
    start, end = arguments.get(f"{name}_datetime_start"), arguments.get(f"{name}_datetime_end")
    at = whole_second(moment)
    return (start is None or at >= start) and (end is None or at < end)


def _page(found: Sequence[Any], arguments: Node, node: Callable[[Any], Node]) -> Node:
    page, limit = arguments["page"], arguments["limit"]
    if page < 1 or limit < 1:
        raise GraphQLError("page: 0より大きくなければなりません。;")
    start = (page - 1) * limit
    return {
        "nodes": [node(one) for one in found[start : start + limit]],
        "pageInfo": {"hasNextPage": start + limit < len(found), "hasPreviousPage": page > 1},
        "totalCount": len(found),
    }


def _order_node(order: Order) -> Node:
    placed = order.status != PENDING
    rows = [
        {
            "id": f"{order.ref}{line.line_ref}",
            "product_name": f"Product {line.key}",
            "product_code": line.key,
            "price": line.price,
            "quantity": line.quantity,
            "OrderItemType": {"id": "1", "name": "商品"},
        }
        for line in order.lines
    ]
    fee = {
        "id": f"{order.ref}99",
        "product_name": "送料",
        "product_code": None,
        "price": 500,
        "quantity": 1,
        "OrderItemType": {"id": "2", "name": "送料"},
    }
    return {
        "id": order.ref,
        "order_no": order.ref if placed else None,
        "name01": "山田",
        "email": "hanako@example.com",
        "payment_total": sum(line.price * line.quantity for line in order.lines) + 500,
        "create_date": whole_second(order.placed_at),
        "update_date": whole_second(order.changed_at),
        "order_date": whole_second(order.placed_at) if placed else None,
        "OrderStatus": {
            "id": str(order.status),
            "name": "注文取消し" if order.status == CANCEL else "新規受付",
        },
        "OrderItems": [*rows, fee],
    }


def _class_node(listing: Listing) -> Node:
    return {
        "id": str(listing.extra["id"]),
        "code": listing.key,
        "stock": None if listing.endless else listing.displayed,
        "stock_unlimited": listing.endless,
        "visible": True,
        "ClassCategory1": None,
        "ClassCategory2": None,
    }
