"""An Amazon order as it stood at one moment, in the words of both versions of the Orders API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from msgspec import Struct

from channels.sandbox.amazon_base import MARKETPLACE_ID, AmazonMarket, wire_time
from channels.sandbox.market import Line, NotAllowed, Order

SHIP_BY = timedelta(days=3)
# Seller Central help 201722390: Amazon ends what was not confirmed as shipped by then.
LAPSES_AFTER = SHIP_BY + timedelta(days=7)
# What an order that lapsed shows as its reason is UNCONFIRMED.
LAPSED = "NotShippedInTime"
CANCELLED_BY = {"buyer": "BUYER", "seller": "MERCHANT", "marketplace": "AMAZON"}
STATUS_V0 = {
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
}


class View(Struct, kw_only=True, frozen=True):
    """An order as it stood at one moment."""

    order: Order
    status: str
    updated_at: datetime
    asked: bool
    cancelled: bool
    shipped: bool

    @property
    def by_amazon(self) -> bool:
        """Whether Amazon ships it."""
        return self.order.by_channel


def view(market: AmazonMarket, order: Order, as_of: datetime) -> View | None:
    """The order as it stood at `as_of`; None before it was placed."""
    if order.placed_at > as_of:
        return None
    asked_at = order.extra.get("asked_at")
    part_at, adjusted_at = order.extra.get("part_shipped_at"), order.extra.get("adjusted_at")
    pending_until = market.pending_until(order)
    events = [
        order.placed_at,
        pending_until,
        order.shipped_at,
        order.cancelled_at,
        asked_at,
        part_at,
        adjusted_at,
        order.extra.get("shown_at"),
    ]
    past = [event for event in events if event is not None and event <= as_of]
    status = "UNSHIPPED" if pending_until <= as_of else "PENDING"
    if part_at in past:
        status = "PARTIALLY_SHIPPED"
    if order.shipped_at in past:
        status = "SHIPPED"
    if order.cancelled_at in past:
        status = "CANCELLED"
    return View(
        order=order,
        status=status,
        updated_at=max(past).replace(microsecond=0),
        asked=asked_at in past,
        cancelled=order.cancelled_at in past,
        shipped=order.shipped_at in past or part_at in past,
    )


def lapse(market: AmazonMarket, ref: str) -> Order:
    """Amazon ends an order that nobody shipped; raises NotAllowed before its time has come."""
    order = market.orders[ref]
    ends_at = order.placed_at + LAPSES_AFTER
    if order.state != "live" or order.by_channel or market.clock.now() < ends_at:
        raise NotAllowed(f"{ref} is {order.state} and lapses on {ends_at:%Y-%m-%d}")
    return market.cancel(ref, by="marketplace", code=LAPSED, restock=True)


def asin(line: Line) -> str:
    """A made-up ASIN that stays the same for a listing."""
    return f"B0{crc32(line.key.encode()):08X}"


def units(line: Line, seen: View) -> tuple[int, int]:
    """Units shipped, and units still to ship."""
    shipped = line.shipped if seen.shipped else 0
    ended = line.quantity if seen.cancelled else adjusted(line, seen) + shipped
    return shipped, max(line.quantity - ended, 0)


def adjusted(line: Line, seen: View) -> int:
    """Units of a live order's line that were given up by payment adjustment."""
    return line.cancelled if seen.order.cancelled_at is None else 0


def shown(seen: View, included: frozenset[str]) -> dict[str, Any]:
    """The order as Orders API 2026-01-01 shows it."""
    order = seen.order
    body: dict[str, Any] = {
        "orderId": order.ref,
        "createdTime": wire_time(order.placed_at),
        "lastUpdatedTime": wire_time(seen.updated_at),
        "salesChannel": {
            "channelName": "AMAZON",
            "marketplaceId": MARKETPLACE_ID,
            "marketplaceName": "Amazon.co.jp",
        },
        "orderItems": [_item(line, seen, included) for line in order.lines],
    }
    if "FULFILLMENT" in included:
        body["fulfillment"] = {
            "fulfillmentStatus": seen.status,
            "fulfilledBy": "AMAZON" if seen.by_amazon else "MERCHANT",
            "shipByWindow": {
                "earliestDateTime": wire_time(order.placed_at),
                "latestDateTime": wire_time(order.placed_at + SHIP_BY),
            },
        }
    return body


def _item(line: Line, seen: View, included: frozenset[str]) -> dict[str, Any]:
    product: dict[str, Any] = {"asin": asin(line), "sellerSku": line.key}
    if seen.status != "PENDING":
        product["price"] = {"unitPrice": {"amount": str(line.price), "currencyCode": "JPY"}}
    body: dict[str, Any] = {
        "orderItemId": line.line_ref,
        "quantityOrdered": line.quantity,
        "product": product,
    }
    if "FULFILLMENT" in included:
        shipped, still_open = units(line, seen)
        body["fulfillment"] = {"quantityFulfilled": shipped, "quantityUnfulfilled": still_open}
    if "CANCELLATION" in included and (cancellation := _cancellation(line, seen)):
        body["cancellation"] = cancellation
    return body


def _cancellation(line: Line, seen: View) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if seen.asked:
        body["cancellationRequest"] = {"requester": "BUYER", "cancelReason": "Ordered by mistake"}
    if seen.cancelled:
        body["cancellationExecution"] = {
            "cancelledBy": CANCELLED_BY[seen.order.cancelled_by or "marketplace"],
            "cancelReason": seen.order.cancel_code or "",
        }
    elif adjusted(line, seen):
        body["cancellationExecution"] = {
            "cancelledBy": "MERCHANT",
            "cancelReason": seen.order.extra.get("adjusted_reason", ""),
        }
    return body


def shown_v0(seen: View) -> dict[str, Any]:
    """The order as Orders API v0 lists it: without its items."""
    order = seen.order
    counts = [units(line, seen) for line in order.lines]
    return {
        "AmazonOrderId": order.ref,
        "PurchaseDate": wire_time(order.placed_at),
        "LastUpdateDate": wire_time(seen.updated_at),
        "OrderStatus": STATUS_V0[seen.status],
        "FulfillmentChannel": "AFN" if seen.by_amazon else "MFN",
        "MarketplaceId": MARKETPLACE_ID,
        "NumberOfItemsShipped": sum(shipped for shipped, _ in counts),
        "NumberOfItemsUnshipped": sum(still_open for _, still_open in counts),
        "OrderType": "StandardOrder",
        "EarliestShipDate": wire_time(order.placed_at),
        "LatestShipDate": wire_time(order.placed_at + SHIP_BY),
    }


def item_v0(line: Line, seen: View) -> dict[str, Any]:
    """An item as Orders API v0 shows it: prices of all units together, none while Pending."""
    shipped, _ = units(line, seen)
    body: dict[str, Any] = {
        "ASIN": asin(line),
        "SellerSKU": line.key,
        "OrderItemId": line.line_ref,
        "QuantityOrdered": line.quantity - adjusted(line, seen),
        "QuantityShipped": shipped,
        "BuyerRequestedCancel": {
            "IsBuyerRequestedCancel": "true" if seen.asked else "false",
            "BuyerCancelReason": "Ordered by mistake" if seen.asked else "",
        },
    }
    if seen.status != "PENDING":
        total = line.price * body["QuantityOrdered"]
        body["ItemPrice"] = {"CurrencyCode": "JPY", "Amount": f"{total}.00"}
    return body


def notice(seen: View, *, seller_id: str, why: str, at: datetime, name: str) -> dict[str, Any]:
    """An ORDER_CHANGE notice, version 1.0."""
    order = seen.order
    asked = why == "Buyer Requested Cancel"
    told = shown_v0(seen)
    items = [_noticed(item_v0(line, seen), seen) for line in order.lines]
    change = {
        "NotificationLevel": "OrderLevel",
        "SellerId": seller_id,
        "AmazonOrderId": order.ref,
        "OrderChangeType": "BuyerRequestedChange" if asked else "OrderStatusChange",
        "OrderChangeTrigger": {"TimeOfOrderChange": wire_time(at), "ChangeReason": why},
        "Summary": {
            "MarketplaceId": MARKETPLACE_ID,
            "OrderStatus": told["OrderStatus"],
            "PurchaseDate": told["PurchaseDate"],
            "DestinationPostalCode": "1500001",
            "FulfillmentType": told["FulfillmentChannel"],
            "OrderType": told["OrderType"],
            "NumberOfItemsShipped": told["NumberOfItemsShipped"],
            "NumberOfItemsUnshipped": told["NumberOfItemsUnshipped"],
            "OrderItems": items,
        },
    }
    return {
        "NotificationVersion": "1.0",
        "NotificationType": "ORDER_CHANGE",
        "PayloadVersion": "1.0",
        "EventTime": wire_time(at),
        "Payload": {"OrderChangeNotification": change},
        "NotificationMetadata": {
            "ApplicationId": "app-id-sandbox",
            "SubscriptionId": "subscription-id-sandbox",
            "PublishTime": wire_time(at),
            "NotificationId": name,
        },
    }


def _noticed(item: dict[str, Any], seen: View) -> dict[str, Any]:
    return {
        "OrderItemId": item["OrderItemId"],
        "SellerSKU": item["SellerSKU"],
        "SupplySourceId": None,
        "Quantity": item["QuantityOrdered"],
        "QuantityShipped": item["QuantityShipped"],
        "IsBuyerRequestedCancel": seen.asked,
    }
