"""Shopify in the sandbox: the login, strict writes, and the cost of it all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.sandbox.faults import Fault
from tests.sandbox.shopify_shop import ADJUST, PATH, SET, Shop, open_shop


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
