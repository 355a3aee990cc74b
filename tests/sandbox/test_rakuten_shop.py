"""Rakuten Ichiba in the sandbox: orders without buyers, items, and the key's last day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox.rakuten_shop import DAY, MUG, TEE, Shop, open_shop, row

LICENSE = "/1.0/license-management/license-key/expiry-date"
DAY_SECONDS = 86_400


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def purchase(shop: Shop, function: str, **body: Any) -> Any:
    """A function of PurchaseItemAPI."""
    return await shop.call("POST", f"/2.0/purchaseItem/{function}/", body)


async def test_order_items_have_no_buyer_no_parcel_and_no_reason(shop: Shop) -> None:
    order = shop.market.place([(MUG, 2)])
    shop.market.ship(order.ref)
    shop.market.cancel(order.ref, by="buyer", code="2")

    found = await purchase(shop, "searchOrderItem", dateType=1, orderProgressList=[800], **DAY)
    assert found.json()["orderNumberList"] == [order.ref]
    answer = (await purchase(shop, "getOrderItem", orderNumberList=[order.ref])).json()
    assert answer["MessageModelList"][0]["messageCode"] == "ORDER_EXT_API_GET_ORDER_INFO_101"
    [model] = answer["OrderModelList"]
    assert model["OrdererModel"] == {"prefecture": "東京都"}
    assert (model["orderProgress"], model["shippingCmplRptDatetime"]) == (
        800,
        "2026-12-04T20:00:00+0900",
    )
    assert "ChangeReasonModelList" not in model
    [package] = model["PackageModelList"]
    assert not {"SenderModel", "ShippingModelList"}.intersection(package)
    [item] = package["ItemModelList"]
    assert not {"deleteItemFlag", "restoreInventoryFlag"}.intersection(item)
    assert item["SkuModelList"] == [
        {"variantId": "blue", "merchantDefinedSkuId": "BLUE", "skuInfo": None}
    ]


@pytest.mark.parametrize(
    ("body", "number"), [({}, "009"), ({"orderNumberList": ["1"] * 101}, "011")]
)
async def test_order_items_are_read_a_hundred_at_a_time(
    shop: Shop, body: dict[str, Any], number: str
) -> None:
    answer = await purchase(shop, "getOrderItem", **body)
    assert answer.status_code == 400
    assert answer.json()["MessageModelList"][0]["messageCode"].endswith(f"_ERROR_{number}")


async def test_both_order_services_share_one_call_a_second(shop: Shop) -> None:
    assert (await shop.order("searchOrder", dateType=1, **DAY)).status_code == 200
    shop.clock.pass_seconds(-0.5)
    assert (await purchase(shop, "searchOrderItem", dateType=1, **DAY)).status_code == 503


async def test_a_function_not_switched_on_is_the_gateways_es04() -> None:
    async with open_shop(order_api=False, license_api=False) as shop:
        off = await shop.order("getOrder", orderNumberList=["1"], version=7)
        assert (off.status_code, off.json()["Results"]["errorCode"]) == (401, "ES04-01")
        assert (await shop.call("GET", LICENSE)).status_code == 401
        assert (await purchase(shop, "getOrderItem", orderNumberList=["1"])).status_code == 200


async def test_the_key_ends_with_its_ninetieth_day(shop: Shop) -> None:
    key = shop.market.credentials["license_key"]
    answer = await shop.call("GET", f"{LICENSE}?licenseKey={key}")
    assert answer.json() == {"expiryDate": "2027-03-04T23:59:59"}
    assert (await shop.call("GET", f"{LICENSE}?licenseKey=other")).status_code == 400

    shop.clock.move(90 * DAY_SECONDS + 3.9 * 3600)  # 23:54 of the last day
    assert (await shop.upsert(row(MUG, 1))).status_code == 204
    shop.clock.move(90 * DAY_SECONDS + 4 * 3600)
    assert (await shop.upsert(row(MUG, 2))).status_code == 401
    assert shop.shown[MUG] == 1


async def test_items_are_found_page_by_page(shop: Shop) -> None:
    shop.market.list_item("mug/red", 1)
    found = (await shop.call("GET", "/2.0/items/search?hits=1&cursorMark=*")).json()
    assert (found["numFound"], found["nextCursorMark"]) == (2, "1")
    [result] = found["results"]
    assert (result["item"]["manageNumber"], result["item"]["itemNumber"]) == ("mug", "MUG")
    assert set(result["item"]["variants"]) == {"blue", "red"}
    assert result["item"]["unlimitedInventoryFlag"] is False
    second = (await shop.call("GET", "/2.0/items/search?hits=1&cursorMark=1")).json()
    assert [hit["item"]["manageNumber"] for hit in second["results"]] == ["tee-001"]
    end = (await shop.call("GET", "/2.0/items/search?hits=1&cursorMark=2")).json()
    assert (end["results"], end["nextCursorMark"]) == ([], "2")
    plain = (await shop.call("GET", "/2.0/items/search?manageNumber=TEE")).json()
    assert (plain["numFound"], "nextCursorMark" in plain) == (1, False)


@pytest.mark.parametrize(
    "query",
    ["hits=101", "hits=0", "hits=x", "cursorMark=*&offset=0", "cursorMark=zz", "shop=1"],
)
async def test_items_search_refuses_a_wrong_parameter(shop: Shop, query: str) -> None:
    answer = await shop.call("GET", f"/2.0/items/search?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "IE0007")


async def test_dangerous_items_sell_on_at_zero_and_say_so() -> None:
    async with open_shop(unlimited=["mug"], back_order=[TEE], merchant_skus={TEE: ""}) as shop:
        shop.market.place([(MUG, 7)])
        shop.market.place([(TEE, 2), (TEE, 2)])
        found = (await shop.call("GET", "/2.0/items/search")).json()
        mug, tee = (result["item"] for result in found["results"])
        assert (mug["unlimitedInventoryFlag"], tee["variants"]["M"]["backOrderFlag"]) == (
            True,
            True,
        )
        assert "merchantDefinedSkuId" not in tee["variants"]["M"]
        assert shop.shown == {MUG: -2, TEE: -1}
        rows = {"inventories": [row(MUG, 0)]}
        shown = await shop.call("POST", "/2.0/inventories/bulk-get", rows)
        assert shown.json()["inventories"][0]["quantity"] == 0


async def test_an_item_has_at_most_400_variants(shop: Shop) -> None:
    for number in range(400):
        shop.market.list_item(f"sock/{number}", 1)
    answer = await shop.upsert(row("sock/0", 2), row("sock/one-more", 2))
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (400, "IE0121")
    assert error["metadata"] == {"propertyPath": "inventories[1].variantId"}


async def test_a_write_that_meets_another_is_a_conflict() -> None:
    async with open_shop(conflicts=1) as shop:
        answer = await shop.upsert(row(MUG, 1))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "CE0001")
        assert (shop.shown[MUG], (await shop.upsert(row(MUG, 1))).status_code) == (5, 204)


async def test_a_single_sku_is_taken_back_only_as_far_as_it_goes(shop: Shop) -> None:
    path = "/2.0/inventories/manage-numbers/mug/variants/blue"
    taken = await shop.call("PUT", path, {"mode": "RELATIVE", "quantity": -5})
    assert (taken.status_code, shop.shown[MUG]) == (204, 0)
    again = await shop.call("PUT", path, {"mode": "RELATIVE", "quantity": -1})
    assert (again.status_code, again.json()["errors"][0]["code"]) == (400, "IE0117")
    none = "/2.0/inventories/manage-numbers/none/variants/x"
    unknown = await shop.call("PUT", none, {"mode": "RELATIVE", "quantity": -1})
    assert unknown.json()["errors"][0]["code"] == "IE0500"
