"""Amazon's JSON listings feed in the sandbox, and the feeds that are dead or in a wrong type."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox.amazon_shop import FEED_SECONDS, JP, XML, Shop, open_shop

JSON = "application/json; charset=UTF-8"


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


def message(number: int, sku: str, quantity: int, **changes: Any) -> dict[str, Any]:
    """One message that sets a number."""
    value = {"fulfillment_channel_code": "DEFAULT", "quantity": quantity}
    patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": [value]}
    return {
        "messageId": number,
        "sku": sku,
        "operationType": "PATCH",
        "productType": "PRODUCT",
        "patches": [patch],
        **changes,
    }


async def submitted(
    shop: Shop,
    messages: list[dict[str, Any]],
    *,
    feed_type: str = "JSON_LISTINGS_FEED",
    content_type: str = JSON,
    version: str = "2.0",
) -> int | str:
    """Upload a feed and queue it; its feedId, or the status of a refusal."""
    created = (await shop.post("/documents", {"contentType": content_type})).json()
    header = {"sellerId": shop.market.seller_id, "version": version}
    document = json.dumps({"header": header, "messages": messages}).encode()
    await shop.http.put(created["url"], content=document, headers={"content-type": content_type})
    answer = await shop.post(
        "/feeds",
        {
            "feedType": feed_type,
            "marketplaceIds": [JP],
            "inputFeedDocumentId": created["feedDocumentId"],
        },
    )
    return str(answer.json()["feedId"]) if answer.status_code == 202 else answer.status_code


async def end_of(shop: Shop, feed_id: int | str) -> str:
    """The status in which a feed ends."""
    for _ in range(100):
        status = (await shop.feed_state(str(feed_id)))["processingStatus"]
        if status not in {"IN_QUEUE", "IN_PROGRESS"}:
            break
        await asyncio.sleep(FEED_SECONDS)
    return str(status)


async def test_each_message_is_judged_by_itself(shop: Shop) -> None:
    feed_id = await submitted(
        shop, [message(1, "MUG-RED", 7), message(2, "NO-SUCH", 1), message(3, "MUG-BLUE", -1)]
    )

    report = json.loads(await shop.report(str(feed_id)))

    assert report["header"]["feedId"] == feed_id
    assert [(one["messageId"], one["code"]) for one in report["issues"]] == [
        (2, "8560"),
        (3, "90000900"),
    ]
    assert report["summary"] == {
        "errors": 2,
        "warnings": 0,
        "messagesProcessed": 3,
        "messagesAccepted": 1,
        "messagesInvalid": 2,
    }
    displayed = {key: listing.displayed for key, listing in shop.market.listings.items()}
    assert displayed == {"MUG-RED": 7, "MUG-BLUE": 5}


async def test_a_feed_makes_amazons_listing_the_sellers_too(shop: Shop) -> None:
    shop.market.list_item("FBA-1", 4, by_channel=True)

    await shop.report(str(await submitted(shop, [message(1, "FBA-1", 2)])))

    assert shop.market.listings["FBA-1"].by_channel is False


@pytest.mark.parametrize(
    ("messages", "more"),
    [
        ([message(1, "MUG-RED", 7)], {"feed_type": "POST_INVENTORY_AVAILABILITY_DATA"}),
        ([message(1, "MUG-RED", 7)], {"content_type": XML}),
        ([message(1, "MUG-RED", 7)], {"version": "1.0"}),
        ([], {}),
        ([message(1, "MUG-RED", 7), message(1, "MUG-BLUE", 7)], {}),
        ([message(1, "MUG-RED", 7)] * 25_001, {}),
    ],
)
async def test_a_feed_that_cannot_be_worked_on_ends_fatal(
    shop: Shop, messages: list[dict[str, Any]], more: dict[str, str]
) -> None:
    feed_id = await submitted(shop, messages, **more)

    assert await end_of(shop, feed_id) == "FATAL"
    assert shop.market.writes == []


async def test_an_unknown_feed_type_is_refused(shop: Shop) -> None:
    assert await submitted(shop, [], feed_type="POST_EVERYTHING") == 400


async def test_five_feeds_of_listings_in_five_minutes(shop: Shop) -> None:
    ends = [await submitted(shop, [message(1, "MUG-RED", number)]) for number in range(6)]

    assert [end for end in ends if isinstance(end, int)] == [429]
