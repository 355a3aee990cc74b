"""Shopify in the sandbox: strict writes, the orders list, cancel jobs and the cost of it all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from channels.sandbox.faults import Fault
from channels.sandbox.market import Order
from channels.sandbox.server import create_app
from channels.sandbox.shopify_base import ShopifyMarket
from tests.sandbox.hand_clock import client_of

PATH = "/shopify/admin/api/2026-10/graphql.json"
PAYLOAD = "{ inventoryAdjustmentGroup { reason changes { delta quantityAfterChange } } "
PAYLOAD += "userErrors { code field message } }"
ADJUST = (
    "mutation A($input: InventoryAdjustQuantitiesInput!, $key: String!) "
    "{ inventoryAdjustQuantities(input: $input) @idempotent(key: $key) " + PAYLOAD + " }"
)
SET = (
    "mutation S($input: InventorySetQuantitiesInput!, $key: String!) "
    "{ inventorySetQuantities(input: $input) @idempotent(key: $key) " + PAYLOAD + " }"
)
CANCEL = (
    "mutation C($id: ID!, $restock: Boolean!, $note: String) { orderCancel(orderId: $id, "
    "reason: INVENTORY, restock: $restock, staffNote: $note, "
    "refundMethod: {originalPaymentMethodsRefund: true}) "
    "{ job { id done } jobResult { id status done } orderCancelUserErrors { code message } } }"
)


class Shop:
    """A shop's token and books, and the calls that tests repeat."""

    def __init__(self, http: httpx.AsyncClient, market: ShopifyMarket) -> None:
        self.http = http
        self.market = market
        self.token = ""

    async def login(self, **changed: str) -> httpx.Response:
        """Ask for a token, with `changed` fields of the form."""
        form = {"grant_type": "client_credentials", **self.market.credentials, **changed}
        answer = await self.http.post("/shopify/admin/oauth/access_token", data=form)
        self.token = answer.json().get("access_token", "")
        return answer

    async def ask(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """Send a document; the whole body of the answer."""
        answer = await self.http.post(
            PATH,
            json={"query": document, "variables": variables},
            headers={"X-Shopify-Access-Token": self.token},
        )
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def write(self, document: str, key: str = "k-1", **row: Any) -> dict[str, Any]:
        """One row of one of the two stock mutations; the payload."""
        place = {
            "inventoryItemId": self.market.listings["MUG"].extra["item_id"],
            "locationId": self.market.location_id,
        }
        rows = "changes" if document == ADJUST else "quantities"
        given = {"name": "available", "reason": "correction", rows: [{**place, **row}]}
        body = await self.ask(document, input=given, key=key)
        [payload] = body["data"].values()
        assert isinstance(payload, dict), body
        return payload

    def sold(self, key: str = "MUG", quantity: int = 1, *, seconds_ago: float = 60) -> Order:
        """An order placed a while ago."""
        at = self.market.clock.now() - timedelta(seconds=seconds_ago)
        return self.market.place([(key, quantity)], at)


@asynccontextmanager
async def open_shop(**options: Any) -> AsyncIterator[Shop]:
    """A shop with a token and two listings."""
    app = create_app(options={"shopify": options})
    async with client_of(app) as http:
        shop = Shop(http, app.state.sandbox.markets["shopify"])
        await shop.login()
        shop.market.list_item("MUG", 10, price=1200)
        shop.market.list_item("MUG-RED", 5)
        yield shop


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_login_gives_a_token_for_a_day(shop: Shop) -> None:
    good, bad = await shop.login(), await shop.login(client_secret="wrong")

    assert (good.status_code, good.json()["expires_in"]) == (200, 86_399)
    assert bad.status_code == 400


async def test_a_wrong_token_is_a_401(shop: Shop) -> None:
    answer = await shop.http.post(
        PATH, json={"query": "{ __typename }"}, headers={"X-Shopify-Access-Token": "shpat_no"}
    )

    assert answer.status_code == 401
    assert answer.json()["errors"].startswith("[API] Invalid API key or access token")


async def test_a_field_that_does_not_exist_is_an_error_with_200(shop: Shop) -> None:
    body = await shop.ask("{ locations(first: 1) { nodes { id ignoreCompareQuantity } } }")

    assert "Cannot query field 'ignoreCompareQuantity'" in body["errors"][0]["message"]
    assert "data" not in body


async def test_adjust_adds_to_what_is_there(shop: Shop) -> None:
    payload = await shop.write(ADJUST, delta=-3, changeFromQuantity=None)

    assert payload["userErrors"] == []
    assert payload["inventoryAdjustmentGroup"]["changes"] == [
        {"delta": -3, "quantityAfterChange": 7}
    ]
    [write] = shop.market.books()["writes"]
    assert (write["before"], write["after"], write["mode"]) == (10, 7, "relative")


async def test_the_same_key_adds_once(shop: Shop) -> None:
    first = await shop.write(ADJUST, delta=-3, changeFromQuantity=None)
    second = await shop.write(ADJUST, delta=-3, changeFromQuantity=None)
    other = await shop.write(ADJUST, delta=-4, changeFromQuantity=None)

    assert first == second
    assert other["userErrors"][0]["code"] == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    assert shop.market.listings["MUG"].displayed == 7


async def test_a_failed_attempt_needs_a_new_key(shop: Shop) -> None:
    await shop.write(ADJUST, delta=1, changeFromQuantity=9)

    again = await shop.write(ADJUST, delta=1, changeFromQuantity=9)

    assert again["userErrors"][0]["code"] == "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"


async def test_change_from_quantity_is_checked_when_it_is_a_number(shop: Shop) -> None:
    stale = await shop.write(SET, "k-1", quantity=5, changeFromQuantity=9)
    fresh = await shop.write(SET, "k-2", quantity=5, changeFromQuantity=10)

    assert stale["userErrors"] == [
        {
            "code": "CHANGE_FROM_QUANTITY_STALE",
            "field": ["input", "quantities", "0"],
            "message": "The quantity was based on an old number",
        }
    ]
    assert fresh["userErrors"] == []
    assert [write["mode"] for write in shop.market.books()["writes"]] == ["absolute"]
    assert shop.market.listings["MUG"].displayed == 5


async def test_change_from_quantity_left_out_is_an_error(shop: Shop) -> None:
    given = {
        "name": "available",
        "reason": "correction",
        "changes": [
            {
                "inventoryItemId": shop.market.listings["MUG"].extra["item_id"],
                "locationId": shop.market.location_id,
                "delta": -1,
            }
        ],
    }

    body = await shop.ask(ADJUST, input=given, key="k")

    assert body["errors"][0]["extensions"]["code"] == "INVALID_FIELD_ARGUMENTS"
    assert body["data"] == {"inventoryAdjustQuantities": None}
    assert shop.market.listings["MUG"].displayed == 10


async def test_a_write_without_idempotency_is_an_error(shop: Shop) -> None:
    given = {"name": "available", "reason": "correction", "changes": []}
    document = ADJUST.replace("@idempotent(key: $key)", "").replace(", $key: String!", "")

    body = await shop.ask(document, input=given)

    assert "@idempotent" in body["errors"][0]["message"]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"quantity": -1}, "INVALID_QUANTITY_NEGATIVE"),
        ({"quantity": 1_000_000_001}, "INVALID_QUANTITY_TOO_HIGH"),
        ({"quantity": 1, "locationId": "gid://shopify/Location/1"}, "INVALID_LOCATION"),
        (
            {"quantity": 1, "inventoryItemId": "gid://shopify/InventoryItem/1"},
            "INVALID_INVENTORY_ITEM",
        ),
    ],
)
async def test_a_wrong_row_changes_nothing(shop: Shop, row: dict[str, Any], code: str) -> None:
    payload = await shop.write(SET, changeFromQuantity=None, **row)

    assert payload["inventoryAdjustmentGroup"] is None
    assert payload["userErrors"][0]["code"] == code
    assert shop.market.writes == []


async def test_a_sale_moves_units_from_available_to_committed(shop: Shop) -> None:
    shop.sold(quantity=4)

    body = await shop.ask(
        "query I($query: String) { inventoryItems(first: 5, query: $query) { nodes { sku "
        'inventoryLevels(first: 1) { nodes { quantities(names: ["available", "on_hand", '
        '"committed"]) { name quantity } } } } } }',
        query="sku:'MUG'",
    )

    [mug, red] = body["data"]["inventoryItems"]["nodes"]
    assert (mug["sku"], red["sku"]) == ("MUG", "MUG-RED")  # the search is loose
    assert mug["inventoryLevels"]["nodes"][0]["quantities"] == [
        {"name": "available", "quantity": 6},
        {"name": "on_hand", "quantity": 10},
        {"name": "committed", "quantity": 4},
    ]


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


async def test_cost_is_charged_up_front_and_the_difference_comes_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = shop.market.clock.tick()
    monkeypatch.setattr(shop.market.clock, "tick", lambda: now)
    shop.sold()
    document = (
        "{ orders(first: 10) { nodes { id lineItems(first: 10) { nodes { id "
        "originalUnitPriceSet { shopMoney { amount } } } } } } }"
    )

    cost = (await shop.ask(document))["extensions"]["cost"]

    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (310, 4)
    assert cost["throttleStatus"] == {
        "maximumAvailable": 2000.0,
        "currentlyAvailable": 1996,
        "restoreRate": 100.0,
    }
    spent = shop.market.books()["calls"]["graphql"]
    assert (spent["used"], spent["refused"]) == (4, 0)


async def test_an_empty_bucket_throttles_with_200(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_shop(bucket=25.0) as shop:
        now = shop.market.clock.tick()
        monkeypatch.setattr(shop.market.clock, "tick", lambda: now)
        row = {"delta": -1, "changeFromQuantity": None}

        await shop.write(ADJUST, "k-1", **row)
        await shop.write(ADJUST, "k-2", **row)
        body = await shop.ask(ADJUST, input={"name": "", "reason": "", "changes": []}, key="k-3")

        assert body["errors"] == [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
        assert body["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 5
        assert shop.market.listings["MUG"].displayed == 8
        assert shop.market.books()["calls"]["graphql"]["refused"] == 1


async def test_a_query_over_a_thousand_points_is_refused(shop: Shop) -> None:
    body = await shop.ask("{ orders(first: 250) { nodes { lineItems(first: 10) { nodes { id }}}}}")

    assert body["errors"][0]["extensions"] == {
        "code": "MAX_COST_EXCEEDED",
        "cost": 2750,
        "maxCost": 1000,
    }


async def test_several_writes_in_one_request_have_keys_of_their_own(shop: Shop) -> None:
    item = shop.market.listings["MUG"].extra["item_id"]
    row = (
        f'inventoryItemId: "{item}", locationId: "{shop.market.location_id}", '
        "changeFromQuantity: null"
    )
    field = (
        'inventoryAdjustQuantities(input: {name: "available", reason: "correction", '
        "changes: [{" + row + ", delta: -1}]})"
    )
    document = (
        f'mutation {{ a: {field} @idempotent(key: "1") {{ userErrors {{ code }} }} '
        f'b: {field} @idempotent(key: "2") {{ userErrors {{ code }} }} }}'
    )

    await shop.ask(document)
    body = await shop.ask(document)

    assert body["data"] == {"a": {"userErrors": []}, "b": {"userErrors": []}}
    assert body["extensions"]["cost"]["requestedQueryCost"] == 20
    assert shop.market.listings["MUG"].displayed == 8


async def test_accepted_but_ignored_leaves_the_number(shop: Shop) -> None:
    shop.market.faults.replace({"ignore_writes": Fault()})

    payload = await shop.write(ADJUST, delta=-3, changeFromQuantity=None)

    assert payload["userErrors"] == []
    assert shop.market.listings["MUG"].displayed == 10
