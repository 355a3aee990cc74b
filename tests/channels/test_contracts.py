"""Every call of ours, and every answer of the sandbox, against the published models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import ValidationError
from redis.asyncio import Redis

from channels.amazon.adapter import AmazonAdapter, AmazonCredentials, AmazonSettings
from channels.amazon.adapter import build as build_amazon
from channels.amazon.feeds import ACKNOWLEDGEMENT
from channels.amazon.mapping_feeds import quantity_patch
from channels.amazon.mapping_v0 import STATUS
from channels.base import ChannelError
from channels.keep import Means, MemoryKeep
from inventory.vocabulary import CancelRequest, QuantityPush, Reason
from tests.channels.amazon_contract import check_feed, check_report, checked
from tests.channels.contracts import (
    CONTRACTS,
    Recorder,
    amazon_model,
    operation_of,
)
from tests.channels.sandbox_process import SandboxProcess

pytestmark = pytest.mark.skipif(
    not CONTRACTS.is_dir(), reason="the published models are not beside the repository"
)


def number(sku: str, quantity: int, change: int | None = None) -> QuantityPush:
    """One number to show."""
    return QuantityPush(channel_sku=sku, quantity=quantity, change=change, key=f"k-{sku}")


@pytest.fixture
async def amazon(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> AsyncIterator[tuple[SandboxProcess, AmazonAdapter, Recorder]]:
    """A seller whose every call is kept."""
    sandbox = start_sandbox(amazon={"search_lag_s": 0.0, "pending_s": 0.0, "feed_s": 0.0})
    access = sandbox.access("amazon")
    adapter = build_amazon(
        channel_id=1,
        base_url=access["base_url"],
        settings=msgspec.convert(access["settings"], AmazonSettings),
        credentials=msgspec.convert(access["credentials"], AmazonCredentials),
        means=Means(redis=redis, keep=MemoryKeep()),
    )
    assert isinstance(adapter, AmazonAdapter)
    await adapter.budgets.fill()
    recorder = Recorder(adapter._client.http._client)
    sandbox.list_items("amazon", {"MUG-RED": 10, "a,b": 4, "棚/A 1": 2})
    sandbox.list_items("amazon", {"FBA-1": 5}, by_channel=True)
    yield sandbox, adapter, recorder
    await adapter.aclose()


async def test_every_amazon_call_and_answer_follows_the_models(
    amazon: tuple[SandboxProcess, AmazonAdapter, Recorder],
) -> None:
    sandbox, adapter, recorder = amazon
    refs = [sandbox.buy("amazon", {"MUG-RED": 1, "a,b": 1}) for _ in range(4)]
    fba = sandbox.buy("amazon", {"FBA-1": 1})
    for ref, action in zip(refs, ("ship", "buyer-cancel", "ask-cancel"), strict=False):
        sandbox.act("amazon", ref, action)
    sandbox.move_clock(2)

    await adapter.pull_orders({}, seen={})
    assert await adapter.read_order("249-0000000-0000000") is None
    assert (await adapter.read_order(fba)) is not None
    await adapter.push_quantities(
        [number("MUG-RED", 3), number("a,b", 2), number("棚/A 1", -1), number("FBA-1", 1)]
    )
    await adapter.read_stock(["MUG-RED", "NO,SUCH", "FBA-1"])
    order = await adapter.read_order(refs[3])
    assert order is not None
    lines = tuple(line.line_ref for line in order.lines)
    request = CancelRequest(order_ref=refs[3], line_refs=lines, reason=Reason.OUT_OF_STOCK)
    feed_id = await adapter.cancel_order(request)
    assert (await adapter.cancel_state(refs[3], feed_id)).confirmed
    await adapter._cancels._refusal(feed_id)

    assert set(checked(recorder)) == {
        ("searchOrders", 200),
        ("getOrder", 200),
        ("getOrder", 404),
        ("patchListingsItem", 200),
        ("getListingsItem", 200),
        ("getListingsItem", 404),
        ("searchListingsItems", 200),
        ("createFeedDocument", 201),
        ("createFeed", 202),
        ("getFeed", 200),
        ("getFeedDocument", 200),
    }


@pytest.mark.parametrize(
    ("fault", "status"), [("throttle_rate", 429), ("error_rate", 503), ("auth_expired", 403)]
)
async def test_every_amazon_refusal_follows_the_models(
    amazon: tuple[SandboxProcess, AmazonAdapter, Recorder], fault: str, status: int
) -> None:
    sandbox, adapter, recorder = amazon
    await adapter.read_stock(["MUG-RED"])
    sandbox.break_with("amazon", **{fault: 1})

    calls: list[Any] = [
        adapter.pull_orders({}, seen={}),
        adapter.read_order("249-1"),
        adapter.push_quantities([number("MUG-RED", 3)]),
        adapter.read_stock(["MUG-RED"]),
        adapter._feeds.submit(b"<a/>", ACKNOWLEDGEMENT),
        adapter._feeds.get("1"),
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(result, ChannelError) for result in results)
    counted = checked(recorder)
    refused = {name for name, answered in counted if answered == status}
    # An expired key stops at the login, so that only the calls before it are seen.
    assert len(refused) == 6 or (status == 403 and refused)


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        (
            "/orders/2026-01-01/orders",
            {
                "createdAfter": "2026-01-01T00:00:00Z",
                "lastUpdatedAfter": "2026-01-01T00:00:00Z",
            },
            "searchOrders",
        ),
        ("/orders/v0/orders", {"MarketplaceIds": "A1VC38T7YXB528"}, "getOrders"),
        ("/listings/2021-08-01/items/{seller}", {"marketplaceIds": "XX"}, "searchListingsItems"),
    ],
)
async def test_a_wrong_amazon_request_gets_the_models_error(
    amazon: tuple[SandboxProcess, AmazonAdapter, Recorder],
    path: str,
    query: dict[str, str],
    name: str,
) -> None:
    _, adapter, recorder = amazon
    http, client = adapter._client.http, adapter._client
    token = await client._tokens.get()

    await http.send(
        "GET",
        path.replace("{seller}", client.settings.seller_id),
        endpoint="amazon.search_orders",
        headers={"x-amz-access-token": token},
        params=query,
    )

    assert checked(recorder) == {(name, 400): 1}


def test_the_check_catches_a_misspelt_member_of_a_feed_and_of_its_report() -> None:
    message = {"messageId": 1, "sku": "S", "operationType": "PATCH", "productType": "PRODUCT"}
    feed: dict[str, Any] = {
        "header": {"sellerId": "A1", "version": "2.0"},
        "messages": [{**message, "patches": [quantity_patch(1)]}],
    }
    report: dict[str, Any] = {
        "header": {"sellerId": "A1", "version": "2.0", "feedId": "1"},
        "issues": [],
        "summary": {
            "errors": 0,
            "warnings": 0,
            "messagesProcessed": 1,
            "messagesAccepted": 1,
            "messagesInvalid": 0,
        },
    }
    check_feed(feed)
    check_report(report)

    with pytest.raises(AssertionError):
        check_feed({**feed, "messages": [{**feed["messages"][0], "quantty": 1}]})
    with pytest.raises(AssertionError):
        check_report({**report, "header": {**report["header"], "feedIdd": "1"}})


def test_what_a_test_did_not_check_by_hand_is_checked_at_its_end() -> None:
    """A misspelt member of any request fails the test that sent it: see `amazon_seller.opened`."""
    request = httpx.Request(
        "GET", "http://x/amazon/orders/2026-01-01/orders?lastUpdatedAftr=2026-01-01T00:00:00Z"
    )
    recorder = Recorder(httpx.AsyncClient())
    recorder.unanswered.append(request)

    with pytest.raises(AssertionError, match="lastUpdatedAftr"):
        checked(recorder)


def test_the_check_catches_a_misspelt_member() -> None:
    request = httpx.Request(
        "PATCH",
        "http://x/listings/2021-08-01/items/A1/S?marketplaceIds=A1VC38T7YXB528",
        json={"productType": "PRODUCT", "patches": [{"op": "merge", "path": "/a", "vaule": []}]},
    )
    response = httpx.Response(
        200, json={"sku": "S", "status": "ACCEPTED", "submissionId": "1"}, request=request
    )
    found = operation_of(request, "")

    assert found is not None
    with pytest.raises(ValidationError, match="vaule"):
        found[0].check(response, found[1])


def test_the_statuses_we_know_are_the_models() -> None:
    older = amazon_model("ordersV0.json")["definitions"]["Order"]["properties"]["OrderStatus"]
    assert set(STATUS) == set(older["enum"])
    statuses = amazon_model("orders_2026-01-01.json")["definitions"]["FulfillmentStatus"]["enum"]

    assert set(statuses) == {
        "PENDING_AVAILABILITY",
        "PENDING",
        "UNSHIPPED",
        "PARTIALLY_SHIPPED",
        "SHIPPED",
        "CANCELLED",
        "UNFULFILLABLE",
    }
