"""Rakuten Ichiba in the sandbox: RMS RakutenPayOrderAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox.rakuten_shop import DAY, MUG, TEE, Shop, open_shop, row


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_order_functions_share_one_call_a_second(shop: Shop) -> None:
    path = "/2.0/order/getOrder/"
    assert (await shop.order("searchOrder", dateType=1, **DAY)).status_code == 200
    shop.clock.pass_seconds(-0.5)  # the next call comes half a second later
    assert (await shop.call("POST", path, {})).status_code == 503
    shop.clock.pass_seconds(-0.5)
    assert (await shop.upsert(row(MUG, 1))).status_code == 204
    shop.clock.pass_seconds(-0.5)
    assert (await shop.upsert(row(MUG, 1))).status_code == 429
    calls = shop.market.books()["calls"]
    assert (calls["order"]["used"], calls["order"]["refused"]) == (1, 1)
    assert (calls["bulk-upsert"]["used"], calls["bulk-upsert"]["refused"]) == (1, 1)


async def test_search_finds_orders_by_date_and_state(shop: Shop) -> None:
    first = shop.market.place([(MUG, 1)])
    shop.clock.pass_seconds(60)
    second = shop.market.place([(TEE, 1)])
    shop.market.ship(first.ref)

    # Searched at once: a second has to pass before an order shows.
    found = await shop.order("searchOrder", dateType=1, **DAY)
    assert found.json()["orderNumberList"] == [first.ref, second.ref]
    live = await shop.order("searchOrder", dateType=1, orderProgressList=[100, 200, 300], **DAY)
    assert live.json()["orderNumberList"] == [second.ref]
    assert live.json()["PaginationResponseModel"] == {
        "totalRecordsAmount": 1,
        "totalPages": 1,
        "requestPage": 1,
    }
    assert first.ref.split("-")[1:] == ["20261204", "0000000001"]
    none = await shop.order(
        "searchOrder",
        dateType=1,
        startDatetime="2026-12-03T00:00:00+0900",
        endDatetime="2026-12-03T23:59:59+0900",
    )
    assert none.json()["MessageModelList"][0]["messageCode"].endswith("_INFO_102")
    assert none.json()["PaginationResponseModel"]["totalPages"] is None


async def test_an_order_shows_a_second_late(shop: Shop) -> None:
    shop.clock.pass_seconds(1)
    shop.market.place([(MUG, 1)])
    shop.clock.pass_seconds(-0.1)
    found = await shop.order("searchOrder", dateType=1, **DAY)
    assert found.json()["orderNumberList"] == []


async def test_search_pages_newest_first_when_asked(shop: Shop) -> None:
    shop.market.list_item("sock/1", 50)
    refs = []
    for _ in range(5):
        refs.append(shop.market.place([("sock/1", 1)]).ref)
        shop.clock.pass_seconds(1)
    paging = {
        "requestRecordsAmount": 2,
        "requestPage": 2,
        "SortModelList": [{"sortColumn": 1, "sortDirection": 2}],
    }
    found = await shop.order("searchOrder", dateType=1, PaginationRequestModel=paging, **DAY)
    assert found.json()["orderNumberList"] == [refs[2], refs[1]]
    assert found.json()["PaginationResponseModel"]["totalPages"] == 3


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ({"dateType": 1}, "009"),
        ({**DAY}, "009"),
        ({"dateType": 9, **DAY}, "011"),
        ({"dateType": 1, **DAY, "startDatetime": "2026-12-04T00:00:00Z"}, "011"),
        ({"dateType": 1, **DAY, "startDatetime": "2026-13-04T00:00:00+0900"}, "011"),
        ({"dateType": 1, **DAY, "startDatetime": "2026-10-01T00:00:00+0900"}, "011"),
        ({"dateType": 1, **DAY, "orderProgressList": [150]}, "011"),
        ({"dateType": 1, **DAY, "PaginationRequestModel": {"requestRecordsAmount": 1001}}, "011"),
        (
            {
                "dateType": 1,
                "startDatetime": "2024-01-01T00:00:00+0900",
                "endDatetime": "2024-01-02T00:00:00+0900",
            },
            "011",
        ),
    ],
)
async def test_search_refuses_what_is_missing_or_malformed(
    shop: Shop, body: dict[str, Any], number: str
) -> None:
    answer = await shop.order("searchOrder", **body)
    [message] = answer.json()["MessageModelList"]
    assert (answer.status_code, message["messageCode"]) == (
        400,
        f"ORDER_EXT_API_SEARCH_ORDER_ERROR_{number}",
    )


async def test_get_order_shows_lines_state_and_buyer(shop: Shop) -> None:
    order = shop.market.place([(MUG, 2), (TEE, 1)])
    answer = (await shop.order("getOrder", orderNumberList=[order.ref, "no"], version=7)).json()

    assert answer["MessageModelList"][0]["messageCode"] == "ORDER_EXT_API_GET_ORDER_WARNING_101"
    [model] = answer["OrderModelList"]
    assert (model["orderProgress"], model["orderDatetime"]) == (100, "2026-12-04T20:00:00+0900")
    [package] = model["PackageModelList"]
    assert [
        (item["manageNumber"], item["SkuModelList"][0]["variantId"], item["units"], item["price"])
        for item in package["ItemModelList"]
    ] == [("mug", "blue", 2, 1200), ("tee-001", "M", 1, 1000)]
    assert model["OrdererModel"]["familyName"] == "見本"
    assert (package["ShippingModelList"], model["ChangeReasonModelList"]) == ([], None)

    old = (await shop.order("getOrder", orderNumberList=[order.ref], version=6)).json()
    item = old["OrderModelList"][0]["PackageModelList"][0]["ItemModelList"][0]
    assert "SkuModelList" not in item
    missing = await shop.order("getOrder", orderNumberList=[order.ref])
    assert missing.json()["MessageModelList"][0]["messageCode"].endswith("_ERROR_009")
    too_many = await shop.order("getOrder", orderNumberList=["1"] * 101, version=7)
    assert too_many.status_code == 400


async def test_orders_age_and_ship(shop: Shop) -> None:
    order = shop.market.place([(MUG, 1)])

    async def model() -> dict[str, Any]:
        answer = await shop.order("getOrder", orderNumberList=[order.ref], version=7)
        found: dict[str, Any] = answer.json()["OrderModelList"][0]
        return found

    assert (await model())["orderProgress"] == 100
    shop.clock.pass_seconds(5)
    assert (await model())["orderProgress"] == 200
    shop.clock.pass_seconds(5)
    assert (await model())["orderProgress"] == 300
    shop.market.ship(order.ref)
    shipped = await model()
    [shipping] = shipped["PackageModelList"][0]["ShippingModelList"]
    assert (shipped["orderProgress"], shipping["shippingDate"]) == (500, "2026-12-04")


@pytest.mark.parametrize(("restore", "shown"), [(0, 3), (1, 5), (2, 3)])
async def test_cancel_goes_to_800_then_900_and_restocks_only_by_type_1(
    shop: Shop, restore: int, shown: int
) -> None:
    order = shop.market.place([(MUG, 2)])
    answer = await shop.order(
        "cancelOrder",
        orderNumber=order.ref,
        inventoryRestoreType=restore,
        changeReasonDetailApply=8,
    )
    assert answer.json()["MessageModelList"][0]["messageCode"].endswith("_INFO_101")
    assert shop.shown[MUG] == shown

    found = await shop.order("searchOrder", dateType=1, orderProgressList=[800], **DAY)
    assert found.json()["orderNumberList"] == [order.ref]
    shop.clock.pass_seconds(5)
    final = await shop.order("getOrder", orderNumberList=[order.ref], version=7)
    [model] = final.json()["OrderModelList"]
    [change] = model["ChangeReasonModelList"]
    assert (model["orderProgress"], change["changeReason"], change["changeReasonDetail"]) == (
        900,
        0,
        8,
    )
    book = shop.market.books()["orders"][0]
    assert (book["cancelled_by"], book["cancel_code"], book["restocked"]) == (
        "seller",
        "8",
        restore == 1,
    )


async def test_cancel_is_refused_when_shipped_cancelled_or_in_change(shop: Shop) -> None:
    shipped, done, changing = (shop.market.place([(MUG, 1)]) for _ in range(3))
    shop.market.ship(shipped.ref)
    shop.market.buyer_cancel(done.ref)
    changing.status = 400
    for ref in (shipped.ref, done.ref, changing.ref, "none"):
        answer = await shop.order(
            "cancelOrder", orderNumber=ref, inventoryRestoreType=1, changeReasonDetailApply=8
        )
        assert answer.json()["MessageModelList"][0]["messageType"] == "ERROR"
    assert (shipped.state, changing.state, done.cancel_code) == ("shipped", "live", "1")
    assert shop.shown[MUG] == 2

    back = await shop.order(
        "cancelOrderAfterShipping",
        orderNumber=shipped.ref,
        inventoryRestoreType=2,
        changeReasonDetailApply=2,
    )
    assert back.json()["MessageModelList"][0]["messageType"] == "INFO"
    assert (shipped.state, shipped.cancelled_by) == ("cancelled", "buyer")


@pytest.mark.parametrize(
    "wrong",
    [
        {"changeReasonDetailApply": 7},
        {"changeReasonDetailApply": None},
        {"inventoryRestoreType": 3},
        {"orderNumber": ["a", "list"]},
    ],
)
async def test_cancel_wants_a_known_reason_and_one_number(
    shop: Shop, wrong: dict[str, Any]
) -> None:
    order = shop.market.place([(MUG, 1)])
    body = {
        "orderNumber": order.ref,
        "inventoryRestoreType": 2,
        "changeReasonDetailApply": 8,
        **wrong,
    }
    answer = await shop.order("cancelOrder", **body)
    assert (answer.status_code, order.state) == (400, "live")


async def test_buyers_cancel_within_half_an_hour(shop: Shop) -> None:
    early, late = shop.market.place([(MUG, 1)]), shop.market.place([(MUG, 1)])
    shop.clock.pass_seconds(1800)
    shop.market.buyer_cancel(early.ref)
    shop.clock.pass_seconds(1)
    with pytest.raises(Exception, match="time to cancel is over"):
        shop.market.buyer_cancel(late.ref)
    assert (early.cancelled_by, shop.shown[MUG], late.state) == ("buyer", 3, "live")
