"""Shopify's orders in the sandbox: the list, one order, and the job that cancels."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from graphql import GraphQLResolveInfo
from msgspec import Struct

from channels.sandbox import lists
from channels.sandbox.clock import stamp
from channels.sandbox.market import Line, NotAllowed, Order
from channels.sandbox.shopify_base import (
    Node,
    ShopifyMarket,
    connection,
    gid,
    number_in,
    wire_time,
)

NOTE_CHARACTERS_MAX = 255
CANCEL_REASONS = frozenset({"CUSTOMER", "DECLINED", "FRAUD", "INVENTORY", "OTHER", "STAFF"})
TERM = re.compile(r"(updated_at|created_at):(>=|<=|>|<)?(?:'([^']*)'|\"([^\"]*)\"|(\S+))")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "": operator.eq,
}


class CancelJob(Struct, kw_only=True):
    """One asynchronous cancellation."""

    number: int
    order_ref: str
    status: str = "STARTED"
    problem: str | None = None


class Orders:
    """Resolvers over one market's orders."""

    def __init__(self, market: ShopifyMarket) -> None:
        self._market = market
        self._jobs: list[CancelJob] = []

    def page(self, _: GraphQLResolveInfo, **arguments: Any) -> Node:
        """QueryRoot.orders. A filter that is not known is ignored, as the real one does."""
        place = _sort_key(arguments.get("sortKey") or "PROCESSED_AT")
        orders = [
            order
            for order in self._market.visible_orders("graphql")
            if _matches(order, arguments.get("query") or "")
        ]
        found = connection(orders, arguments, node=self.node, place=place)
        lists.mix(self._market, found["nodes"], "graphql")
        return found

    def one(self, _: GraphQLResolveInfo | None, **arguments: Any) -> Node | None:
        """QueryRoot.order."""
        order = self._market.orders.get(number_in(arguments["id"], "Order") or "")
        return None if order is None else self.node(order)

    def node(self, order: Order) -> Node:
        """An order as a GraphQL object."""
        shipped = order.shipped_at is not None
        return {
            "__typename": "Order",
            "id": gid("Order", order.ref),
            "name": self._market.named(order),
            "createdAt": wire_time(order.placed_at),
            "processedAt": wire_time(order.placed_at),
            "updatedAt": wire_time(order.changed_at),
            "cancelledAt": wire_time(order.cancelled_at),
            "cancelReason": order.cancel_code,
            "displayFinancialStatus": self._money(order),
            "displayFulfillmentStatus": "FULFILLED" if shipped else "UNFULFILLED",
            "lineItems": lambda _, **arguments: connection(
                order.lines, arguments, node=_line_node, place=lambda line: line.line_ref
            ),
            "fulfillments": lambda _, **__: [_fulfillment_node(order)] if shipped else [],
        }

    def _money(self, order: Order) -> str:
        """What became of the payment; one that was only authorised is voided, not refunded."""
        if self._market.options.capture_at_shipment and order.shipped_at is None:
            return "AUTHORIZED" if order.cancelled_at is None else "VOIDED"
        return "REFUNDED" if order.extra.get("refunded") else "PAID"

    def cancel(self, _: GraphQLResolveInfo, **arguments: Any) -> Node:
        """Mutation.orderCancel: checks now, ends the order when the job runs."""
        market = self._market
        order = market.orders.get(number_in(arguments["orderId"], "Order") or "")
        problem = _objection(order, arguments)
        if order is None or problem is not None:
            code, message = problem or ("NOT_FOUND", "Order does not exist")
            error = {"code": code, "field": ["orderId"], "message": message}
            return {"job": None, "jobResult": None, "orderCancelUserErrors": [error]}
        job = CancelJob(number=len(self._jobs) + 1, order_ref=order.ref)
        self._jobs.append(job)
        ignored = market.ignoring
        market.due.later(
            market.options.cancel_s, lambda: self._run(job, arguments, ignored=ignored)
        )
        return {
            "job": self._job_node(job),
            "jobResult": self._result_node(job),
            "orderCancelUserErrors": [],
        }

    def job(self, _: GraphQLResolveInfo | None, **arguments: Any) -> Node | None:
        """QueryRoot.job."""
        job = self._found(number_in(arguments["id"], "Job"))
        return None if job is None else self._job_node(job)

    def job_result(self, result_id: str) -> Node | None:
        """The result of a cancel job as a node."""
        job = self._found(number_in(result_id, "OrderCancelJobResult"))
        return None if job is None else self._result_node(job)

    def _run(self, job: CancelJob, arguments: dict[str, Any], *, ignored: bool) -> None:
        market, order = self._market, self._market.orders[job.order_ref]
        if ignored:
            job.status = "SUCCEEDED"
            return
        if order.shipped_at is not None:
            job.status, job.problem = "FAILED", "Cannot cancel an order that has been fulfilled"
            return
        try:
            market.cancel(
                order.ref, by="seller", code=arguments["reason"], restock=arguments["restock"]
            )
        except NotAllowed:
            job.status, job.problem = "FAILED", "Order has already been cancelled"
            return
        method = arguments.get("refundMethod") or {}
        order.extra["refunded"] = bool(method.get("originalPaymentMethodsRefund"))
        job.status = "SUCCEEDED"

    def _found(self, number: str | None) -> CancelJob | None:
        if number is None or not number.isdecimal() or not 0 < int(number) <= len(self._jobs):
            return None
        return self._jobs[int(number) - 1]

    def _job_node(self, job: CancelJob) -> Node:
        return {
            "__typename": "Job",
            "id": gid("Job", job.number),
            "done": lambda _: job.status != "STARTED",
        }

    def _result_node(self, job: CancelJob) -> Node:
        errors = []
        if job.problem is not None:
            errors = [{"code": "INVALID", "field": ["orderId"], "message": job.problem}]
        return {
            "__typename": "OrderCancelJobResult",
            "id": gid("OrderCancelJobResult", job.number),
            "done": job.status != "STARTED",
            "status": job.status,
            "errors": errors,
            "order": lambda _: self.node(self._market.orders[job.order_ref]),
        }


def cancel_in_admin(market: ShopifyMarket, ref: str, *, code: str) -> Order:
    """Staff end an order in the admin, money back and units on sale again, as its form proposes.

    Raises NotAllowed for an order that is shipped or cancelled.
    """
    order = market.orders[ref]
    if order.state != "live":
        raise NotAllowed(f"{ref} is {order.state}")
    market.cancel(ref, by="seller", code=code, restock=True)
    order.extra["refunded"] = True
    return order


def _objection(order: Order | None, arguments: dict[str, Any]) -> tuple[str, str] | None:
    if order is None:
        return ("NOT_FOUND", "Order does not exist")
    if order.cancelled_at is not None:
        return ("INVALID", "Order has already been cancelled")
    if order.shipped_at is not None:
        return ("INVALID", "Cannot cancel an order that has been fulfilled")
    if len(arguments.get("staffNote") or "") > NOTE_CHARACTERS_MAX:
        return ("INVALID", f"Staff note is too long (maximum is {NOTE_CHARACTERS_MAX})")
    return None


def _line_node(line: Line) -> Node:
    return {
        "__typename": "LineItem",
        "id": gid("LineItem", line.line_ref),
        "name": line.key,
        "sku": line.key,
        "variant": {
            "__typename": "ProductVariant",
            "id": gid("ProductVariant", crc32(line.key.encode())),
            "sku": line.key,
        },
        "quantity": line.quantity,
        "currentQuantity": line.quantity - line.cancelled,
        "unfulfilledQuantity": line.quantity - line.cancelled - line.shipped,
        "originalUnitPriceSet": {"shopMoney": {"amount": f"{line.price}.0", "currencyCode": "JPY"}},
    }


def _fulfillment_node(order: Order) -> Node:
    lines = [line for line in order.lines if line.shipped]
    return {
        "__typename": "Fulfillment",
        "id": gid("Fulfillment", order.ref),
        "status": "SUCCESS",
        "createdAt": wire_time(order.shipped_at),
        "fulfillmentLineItems": lambda _, **arguments: connection(
            lines,
            arguments,
            node=lambda line: {
                "__typename": "FulfillmentLineItem",
                "id": gid("FulfillmentLineItem", line.line_ref),
                "quantity": line.shipped,
                "lineItem": _line_node(line),
            },
            place=lambda line: line.line_ref,
        ),
    }


def _sort_key(name: str) -> Callable[[Order], str]:
    if name == "UPDATED_AT":
        return lambda order: f"{stamp(order.changed_at)} {order.ref}"
    if name == "CREATED_AT":
        return lambda order: f"{stamp(order.placed_at)} {order.ref}"
    if name == "ID":
        return lambda order: order.ref
    return lambda order: f"{stamp(order.placed_at)} {order.ref}"


def _matches(order: Order, query: str) -> bool:
    for name, sign, *texts in TERM.findall(query):
        wanted = _moment("".join(texts))
        value = order.changed_at if name == "updated_at" else order.placed_at
        if wanted is not None and not COMPARE[sign](value.replace(microsecond=0), wanted):
            return False
    return True


def _moment(text: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
