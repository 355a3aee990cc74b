"""Amazon in the sandbox: the login, and what the order searches show and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.amazon_shop import Shop, open_shop


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_login_gives_a_bearer_token_for_an_hour(shop: Shop) -> None:
    answer = await shop.login()

    body = answer.json()
    assert (answer.status_code, body["token_type"], body["expires_in"]) == (200, "bearer", 3600)
    assert body["access_token"].startswith("Atza|")


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"refresh_token": "Atzr|old"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_login_refuses_what_is_wrong(
    shop: Shop, changed: dict[str, str], status: int, error: str
) -> None:
    answer = await shop.login(**changed)

    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_a_token_ends_after_an_hour(shop: Shop) -> None:
    shop.market.clock.move(3601)

    answer = await shop.search()

    assert answer.status_code == 403
    assert answer.json()["errors"][0]["message"] == "The access token you provided has expired."


async def test_search_shows_orders_as_they_stood_before_its_lag() -> None:
    async with open_shop(search_lag_s=30.0) as shop:
        fresh, old = shop.sold(seconds_ago=20), shop.sold(seconds_ago=120)
        shop.market.ship(old.ref)

        answer = (await shop.search()).json()

        [shown] = answer["orders"]
        assert (shown["orderId"], shown["fulfillment"]["fulfillmentStatus"]) == (
            old.ref,
            "UNSHIPPED",
        )
        behind = datetime.now(UTC) - datetime.fromisoformat(answer["lastUpdatedBefore"])
        assert timedelta(seconds=29) < behind < timedelta(seconds=33)
        assert (await shop.order(old.ref))["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
        assert (await shop.order(fresh.ref))["orderId"] == fresh.ref

        shop.market.clock.move(31)
        later = (await shop.search()).json()["orders"]
        assert [(one["orderId"], one["fulfillment"]["fulfillmentStatus"]) for one in later] == [
            (fresh.ref, "UNSHIPPED"),
            (old.ref, "SHIPPED"),
        ]


async def test_a_new_order_is_pending_and_has_no_price() -> None:
    async with open_shop(pending_s=90.0) as shop:
        order = shop.sold(seconds_ago=60)

        pending = await shop.order(order.ref)
        shop.market.clock.move(31)
        through = await shop.order(order.ref)

        assert pending["fulfillment"]["fulfillmentStatus"] == "PENDING"
        assert "price" not in pending["orderItems"][0]["product"]
        assert through["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"
        assert through["orderItems"][0]["product"]["price"]["unitPrice"] == {
            "amount": "1200",
            "currencyCode": "JPY",
        }
        assert pending["lastUpdatedTime"] < through["lastUpdatedTime"]


async def test_a_sale_lowers_the_number_displayed(shop: Shop) -> None:
    shop.sold(quantity=3)

    answer = await shop.listings(
        identifiers="MUG-RED", identifiersType="SKU", includedData="fulfillmentAvailability"
    )

    assert answer.json() == {
        "numberOfResults": 1,
        "items": [
            {
                "sku": "MUG-RED",
                "fulfillmentAvailability": [{"fulfillmentChannelCode": "DEFAULT", "quantity": 7}],
            }
        ],
    }


async def test_the_buyers_wish_to_cancel_shows_and_counts_as_an_update(shop: Shop) -> None:
    order = shop.sold()
    before = (await shop.order(order.ref))["lastUpdatedTime"]

    shop.market.ask_cancel(order.ref)

    shown = await shop.order(order.ref)
    assert shown["orderItems"][0]["cancellation"]["cancellationRequest"]["requester"] == "BUYER"
    assert shown["lastUpdatedTime"] > before
    assert shown["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"


async def test_an_order_that_amazon_stocks_is_shown_as_amazons(shop: Shop) -> None:
    shop.market.list_item("FBA-1", 4, by_channel=True)
    own, theirs = shop.sold(), shop.sold("FBA-1")

    answer = (await shop.search(fulfilledBy="AMAZON")).json()["orders"]

    assert [one["orderId"] for one in answer] == [theirs.ref]
    assert (await shop.order(own.ref))["fulfillment"]["fulfilledBy"] == "MERCHANT"


async def test_pages_keep_their_moment_and_their_question(shop: Shop) -> None:
    refs = [shop.sold(seconds_ago=100 - number).ref for number in range(3)]

    first = (await shop.search(createdAfter="2020-01-01T00:00:00Z", maxResultsPerPage="2")).json()
    token = first["pagination"]["nextToken"]
    other = await shop.search(createdAfter="2021-01-01T00:00:00Z", paginationToken=token)
    second = (await shop.search(createdAfter="2020-01-01T00:00:00Z", paginationToken=token)).json()

    assert [one["orderId"] for one in first["orders"]] == refs[:2]
    assert [one["orderId"] for one in second["orders"]] == refs[2:]
    assert "pagination" not in second
    assert second["createdBefore"] == first["createdBefore"]
    assert (other.status_code, other.json()["errors"][0]["code"]) == (400, "InvalidInput")


@pytest.mark.parametrize(
    "query",
    [
        {"createdAfter": "2026-01-01T00:00:00Z", "lastUpdatedAfter": "2026-01-01T00:00:00Z"},
        {"lastUpdatedAfter": "yesterday"},
        {"lastUpdatedBefore": "2999-01-01T00:00:00Z"},
        {"maxResultsPerPage": "101"},
        {"includedData": "ITEMS"},
        {"marketplaceIds": "ATVPDKIKX0DER"},
    ],
)
async def test_search_refuses_what_the_model_forbids(shop: Shop, query: dict[str, str]) -> None:
    answer = await shop.search(**query)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "InvalidInput")


async def test_buyers_data_is_refused(shop: Shop) -> None:
    answer = await shop.search(includedData="FULFILLMENT,BUYER")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "Unauthorized")


async def test_twenty_searches_then_quota_exceeded(shop: Shop) -> None:
    answers = [await shop.search() for _ in range(21)]

    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert answers[0].headers["x-amzn-RateLimit-Limit"] == "0.0056"
    assert answers[20].json()["errors"][0]["code"] == "QuotaExceeded"
    assert "x-amzn-RateLimit-Limit" not in answers[20].headers
    assert shop.market.books()["calls"]["searchOrders"] == {
        "used": 20,
        "refused": 1,
        "permitted": 20,
    }
