"""Shopify's Admin GraphQL API 2026-10 over one shop's books, as a real GraphQL service."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from channels.sandbox.market import Services
from channels.sandbox.shopify_base import API_VERSION, Node, Options, ShopifyMarket, json_answer
from channels.sandbox.shopify_cost import Estimate, actual
from channels.sandbox.shopify_inventory import Inventory
from channels.sandbox.shopify_orders import CANCEL_REASONS, Orders, cancel_in_admin
from channels.sandbox.shopify_products import Products
from channels.sandbox.shopify_schema import schema
from channels.sandbox.shopify_writes import Writes
from channels.sandbox.staff import cancel_actions
from channels.sandbox.wire import Answer, Call, Refused, Route

QUERY_POINTS_MAX = 1000
QUERY_TOKENS_MAX = 20_000
SERVED = schema()

Resolvers = dict[str, Callable[..., Any]]


class Asked(msgspec.Struct):
    """The body of a GraphQL request."""

    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815  (the wire's own name)


class Service:
    """Parses, prices and runs one request."""

    def __init__(self, market: ShopifyMarket) -> None:
        self._market = market
        self._inventory = Inventory(market)
        self._orders = Orders(market)
        writes = Writes(market, self._inventory)
        products = Products(market, self._inventory)
        self._query: Resolvers = {
            "order": self._orders.one,
            "orders": self._orders.page,
            "job": self._orders.job,
            "inventoryItem": self._inventory.one,
            "inventoryItems": self._inventory.page,
            "location": self._inventory.location,
            "productVariants": products.page,
            "productVariantsCount": products.count,
            "shop": products.shop,
            "currentAppInstallation": products.installation,
            "publicApiVersions": products.versions,
            "locations": self._inventory.locations,
            "node": self._node,
            "nodes": lambda info, ids: [self._node(info, one) for one in ids],
        }
        self._mutation: Resolvers = {
            "inventoryAdjustQuantities": writes.adjust,
            "inventorySetQuantities": writes.set,
            "orderCancel": self._orders.cancel,
        }

    def run(self, call: Call) -> Answer:
        """Answer one POST. Errors of the query itself come with HTTP 200."""
        asked = _asked(call)
        try:
            document = parse(asked.query, max_tokens=QUERY_TOKENS_MAX)
        except GraphQLError as error:
            return json_answer({"errors": [error.formatted]})
        errors = validate(SERVED, document)
        operation = get_operation_ast(document, asked.operationName)
        if errors or operation is None:
            shown = [error.formatted for error in errors] or [{"message": "No operation to run"}]
            return json_answer({"errors": shown})
        requested = Estimate(SERVED, document, asked.variables or {}).points(operation)
        if requested > QUERY_POINTS_MAX and operation.operation is OperationType.QUERY:
            return json_answer({"errors": [_too_expensive(requested)]})
        if not self._market.points.take(call.tick, requested):
            return self._market.throttled(requested)
        return self._executed(document, operation, asked, requested)

    def _executed(
        self,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        asked: Asked,
        requested: int,
    ) -> Answer:
        mutation = operation.operation is OperationType.MUTATION
        result = execute_sync(
            SERVED,
            document,
            root_value=self._mutation if mutation else self._query,
            variable_values=asked.variables,
            operation_name=asked.operationName,
        )
        points = min(actual(result.data, mutation=mutation), requested)
        self._market.points.give_back(requested - points)
        return json_answer(
            {**_formatted(result), "extensions": self._market.cost(requested, points)}
        )

    def _node(self, _: Any, id: str) -> Node | None:  # noqa: A002  (the argument's own name)
        found = (
            self._orders.one(None, id=id),
            self._orders.job_result(id),
            self._inventory.one(None, id=id),
            self._inventory.place() if id == self._market.location_id else None,
        )
        return next((one for one in found if one is not None), None)


def build(services: Services, **options: Any) -> ShopifyMarket:
    """The marketplace with its two paths; `options` are those of `shopify_base.Options`."""
    market = ShopifyMarket(services, Options(**options))
    ends = cancel_actions(CANCEL_REASONS, partial(cancel_in_admin, market))
    market.actions = {**market.actions, **ends}
    market.routes = [
        Route(
            method="POST",
            path="/admin/oauth/access_token",
            endpoint="token",
            run=market.login,
            open_door=True,
        ),
        Route(
            method="POST",
            path=f"/admin/api/{API_VERSION}/graphql.json",
            endpoint="graphql",
            run=Service(market).run,
        ),
    ]
    return market


def _asked(call: Call) -> Asked:
    if not call.headers.get("content-type", "").startswith("application/json"):
        raise Refused(json_answer({"errors": "Unsupported Media Type"}, status=415))
    try:
        return msgspec.json.decode(call.body, type=Asked)
    except msgspec.MsgspecError as error:
        body = {"errors": {"query": "Required parameter missing or invalid"}}
        raise Refused(json_answer(body, status=400)) from error


def _formatted(result: ExecutionResult) -> dict[str, Any]:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    return body


def _too_expensive(requested: int) -> dict[str, Any]:
    return {
        "message": f"Query cost is {requested}, which exceeds the single query max cost limit "
        f"({QUERY_POINTS_MAX}).",
        "extensions": {
            "code": "MAX_COST_EXCEEDED",
            "cost": requested,
            "maxCost": QUERY_POINTS_MAX,
        },
    }
