"""Amazon in the sandbox: how numbers are written and read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from channels.sandbox.faults import Fault
from tests.sandbox.amazon_shop import JP, Shop, open_shop

BY_SKU = {"sortBy": "sku", "sortOrder": "ASC"}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_merge_keeps_the_lead_time_and_replace_drops_it(shop: Shop) -> None:
    own = {"fulfillment_channel_code": "DEFAULT", "quantity": 8, "lead_time_to_ship_max_days": 2}
    await shop.patch("MUG-RED", own)

    await shop.patch("MUG-RED", {"fulfillment_channel_code": "DEFAULT", "quantity": 3})
    merged = (await shop.listings(includedData="attributes", **BY_SKU)).json()["items"][1]
    await shop.patch(
        "MUG-RED", {"fulfillment_channel_code": "DEFAULT", "quantity": 4}, op="replace"
    )
    replaced = (await shop.listings(includedData="attributes", **BY_SKU)).json()["items"][1]

    assert merged["attributes"]["fulfillment_availability"] == [{**own, "quantity": 3}]
    assert replaced["attributes"]["fulfillment_availability"] == [
        {"fulfillment_channel_code": "DEFAULT", "quantity": 4}
    ]
    assert [
        (write["before"], write["after"], write["mode"]) for write in shop.market.books()["writes"]
    ] == [(10, 8, "absolute"), (8, 3, "absolute"), (3, 4, "absolute")]


@pytest.mark.parametrize(
    ("value", "category"),
    [
        ({"fulfillment_channel_code": "DEFAULT", "quantity": -1}, "INVALID_ATTRIBUTE"),
        ({"fulfillment_channel_code": "DEFAULT", "quantity": "7"}, "INVALID_ATTRIBUTE"),
        ({"fulfillment_channel_code": "DEFAULT", "vaule": 7}, "INVALID_ATTRIBUTE"),
        ({"quantity": 7}, "MISSING_ATTRIBUTE"),
        (
            {"fulfillment_channel_code": "DEFAULT", "lead_time_to_ship_max_days": 3},
            "MISSING_ATTRIBUTE",
        ),
    ],
)
async def test_a_wrong_number_is_a_200_that_says_invalid(
    shop: Shop, value: dict[str, object], category: str
) -> None:
    answer = await shop.patch("MUG-RED", value)

    assert (answer.status_code, answer.json()["status"]) == (200, "INVALID")
    assert answer.json()["issues"][0]["categories"] == [category]
    assert shop.market.listings["MUG-RED"].displayed == 10
    assert shop.market.writes == []


async def test_a_preview_changes_nothing(shop: Shop) -> None:
    value = {"fulfillment_channel_code": "DEFAULT", "quantity": 1}

    answer = await shop.patch("MUG-RED", value, mode="VALIDATION_PREVIEW")

    assert answer.json()["status"] == "VALID"
    assert shop.market.listings["MUG-RED"].displayed == 10


async def test_a_quantity_makes_amazons_listing_the_sellers(shop: Shop) -> None:
    shop.market.list_item("FBA-1", 4, by_channel=True)
    before = (await shop.listings(includedData="fulfillmentAvailability")).json()["items"][0]

    await shop.patch("FBA-1", {"fulfillment_channel_code": "DEFAULT", "quantity": 2})

    assert before["fulfillmentAvailability"] == [{"fulfillmentChannelCode": "AMAZON_JP"}]
    assert shop.market.listings["FBA-1"].by_channel is False
    assert shop.market.listings["FBA-1"].displayed == 2


async def test_a_sku_with_a_slash_and_japanese_is_one_path_part(shop: Shop) -> None:
    shop.market.list_item("棚/A 1", 4)

    answer = await shop.patch(
        "%E6%A3%9A%2FA%201", {"fulfillment_channel_code": "DEFAULT", "quantity": 9}
    )

    assert answer.json()["sku"] == "棚/A 1"
    assert shop.market.listings["棚/A 1"].displayed == 9


async def test_search_gives_ten_listings_unless_asked_for_more(shop: Shop) -> None:
    for number in range(15):
        shop.market.list_item(f"S-{number:02d}", number)
    wanted = ",".join(f"S-{number:02d}" for number in range(15))

    ten = (await shop.listings(identifiers=wanted, identifiersType="SKU")).json()
    all_of_them = (
        await shop.listings(identifiers=wanted, identifiersType="SKU", pageSize="20")
    ).json()
    too_many = await shop.listings(identifiers=",".join("x" * 21), identifiersType="SKU")

    assert (ten["numberOfResults"], len(ten["items"])) == (15, 10)
    assert "nextToken" in ten["pagination"]
    assert len(all_of_them["items"]) == 15
    assert too_many.status_code == 400


async def test_six_patches_at_once_are_one_too_many(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = shop.market.clock.tick()
    monkeypatch.setattr(shop.market.clock, "tick", lambda: now)
    value = {"fulfillment_channel_code": "DEFAULT", "quantity": 7}

    statuses = [(await shop.patch("MUG-RED", value)).status_code for _ in range(6)]
    monkeypatch.setattr(shop.market.clock, "tick", lambda: now + 0.21)
    after_a_fifth_of_a_second = await shop.patch("MUG-RED", value)

    assert statuses == [200] * 5 + [429]
    assert after_a_fifth_of_a_second.status_code == 200


async def test_accepted_but_ignored_leaves_the_number(shop: Shop) -> None:
    shop.market.faults.replace({"ignore_writes": Fault(endpoint="patchListingsItem")})

    answer = await shop.patch("MUG-RED", {"fulfillment_channel_code": "DEFAULT", "quantity": 0})

    assert answer.json()["status"] == "ACCEPTED"
    assert shop.market.listings["MUG-RED"].displayed == 10


async def test_the_wrong_seller_is_refused(shop: Shop) -> None:
    answer = await shop.http.get(
        "/amazon/listings/2021-08-01/items/A000",
        params={"marketplaceIds": JP},
        headers=shop.headers,
    )

    assert answer.status_code == 403
