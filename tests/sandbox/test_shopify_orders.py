"""Shopify in the sandbox: the orders list, and the jobs that cancel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.sandbox.shopify_shop import Shop, open_shop

CANCEL = (
    "mutation C($id: ID!, $restock: Boolean!, $note: String) { orderCancel(orderId: $id, "
    "reason: INVENTORY, restock: $restock, staffNote: $note, "
    "refundMethod: {originalPaymentMethodsRefund: true}) "
    "{ job { id done } jobResult { id status done } orderCancelUserErrors { code message } } }"
)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_orders_are_listed_by_their_last_change(shop: Shop) -> None:
    old, new = shop.sold(seconds_ago=90), shop.sold(seconds_ago=30)
    fresh = shop.sold(seconds_ago=0)
    document = (
        "query O($query: String, $after: String) { orders(first: 1, after: $after, "
        "query: $query, sortKey: UPDATED_AT) { nodes { id displayFulfillmentStatus "
        "lineItems(first: 5) { nodes { sku quantity currentQuantity unfulfilledQuantity "
        "originalUnitPriceSet { shopMoney { amount currencyCode } } } } } "
        "pageInfo { hasNextPage endCursor } } }"
    )
    since = (shop.market.clock.now() - timedelta(seconds=60)).isoformat()

    everything = (await shop.ask(document))["data"]["orders"]
    shop.market.ship(old.ref)
    next_page = (await shop.ask(document, after=everything["pageInfo"]["endCursor"]))["data"]
    recent = (await shop.ask(document, query=f"updated_at:>='{since}'"))["data"]["orders"]

    assert everything["nodes"][0] == {
        "id": f"gid://shopify/Order/{old.ref}",
        "displayFulfillmentStatus": "UNFULFILLED",
        "lineItems": {
            "nodes": [
                {
                    "sku": "MUG",
                    "quantity": 1,
                    "currentQuantity": 1,
                    "unfulfilledQuantity": 1,
                    "originalUnitPriceSet": {
                        "shopMoney": {"amount": "1200.0", "currencyCode": "JPY"}
                    },
                }
            ]
        },
    }
    assert everything["pageInfo"]["hasNextPage"] is True
    assert next_page["orders"]["nodes"][0]["id"].endswith(new.ref)
    assert recent["nodes"][0]["id"].endswith(new.ref)
    assert not any(fresh.ref in str(page) for page in (everything, next_page, recent))


async def test_cancel_is_a_job_and_leaves_the_number_when_told(shop: Shop) -> None:
    order = shop.sold(quantity=2)
    node = "query J($id: ID!) { node(id: $id) { ... on OrderCancelJobResult { status done } } }"

    payload = (await shop.ask(CANCEL, id=f"gid://shopify/Order/{order.ref}", restock=False))[
        "data"
    ]["orderCancel"]
    begun = (payload["jobResult"]["status"], order.state)
    shop.market.clock.move(3)
    after = (await shop.ask(node, id=payload["jobResult"]["id"]))["data"]["node"]
    job = await shop.ask("query J($id: ID!) { job(id: $id) { done } }", id=payload["job"]["id"])

    assert begun == ("STARTED", "live")
    assert after == {"status": "SUCCEEDED", "done": True}
    assert job["data"]["job"]["done"] is True
    assert (order.cancelled_by, order.cancel_code, order.restocked) == (
        "seller",
        "INVENTORY",
        False,
    )
    assert shop.market.listings["MUG"].displayed == 8


async def test_cancel_with_restock_puts_the_units_back(shop: Shop) -> None:
    order = shop.sold(quantity=2)

    await shop.ask(CANCEL, id=f"gid://shopify/Order/{order.ref}", restock=True)
    shop.market.clock.move(3)
    shop.market.due.settle()

    assert (order.restocked, shop.market.listings["MUG"].displayed) == (True, 10)


async def test_cancel_refuses_what_is_shipped_cancelled_or_unknown(shop: Shop) -> None:
    shipped, cancelled, live = shop.sold(), shop.sold(), shop.sold()
    shop.market.ship(shipped.ref)
    shop.market.buyer_cancel(cancelled.ref)

    codes = []
    for ref, note in ((shipped.ref, ""), (cancelled.ref, ""), ("1", ""), (live.ref, "x" * 256)):
        body = await shop.ask(CANCEL, id=f"gid://shopify/Order/{ref}", restock=False, note=note)
        codes.append(body["data"]["orderCancel"]["orderCancelUserErrors"][0]["code"])

    assert codes == ["INVALID", "INVALID", "NOT_FOUND", "INVALID"]


async def test_a_shipment_during_the_job_makes_it_fail(shop: Shop) -> None:
    order = shop.sold()
    node = "query J($id: ID!) { node(id: $id) { ... on OrderCancelJobResult { status } } }"
    body = await shop.ask(CANCEL, id=f"gid://shopify/Order/{order.ref}", restock=False)

    shop.market.ship(order.ref)
    shop.market.clock.move(3)
    result = await shop.ask(node, id=body["data"]["orderCancel"]["jobResult"]["id"])

    assert result["data"]["node"]["status"] == "FAILED"
    assert order.state == "shipped"
