"""Shopify's webhooks as the adapter reads them: proof, name, and what they tell."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from channels.base import Adapter, Notice, NoticeForged, Rejected
from channels.keep import Means, MemoryKeep
from channels.shopify.adapter import ShopifyCredentials, ShopifySettings, build
from inventory.vocabulary import OrderLine

SECRET = "shpss_app"
ORDER: dict[str, Any] = {
    "id": 6001,
    "created_at": "2026-11-21T21:00:00+09:00",
    "updated_at": "2026-11-21T21:00:01+09:00",
    "cancelled_at": None,
    "fulfillment_status": None,
    "currency": "JPY",
    "email": "hanako@example.com",
    "line_items": [
        {
            "id": 61,
            "sku": "MUG",
            "variant_id": 5,
            "quantity": 2,
            "current_quantity": 2,
            "price": "1480",
        },
        {"id": 62, "sku": "", "variant_id": None, "quantity": 1, "price": "100"},
    ],
}


def connect(redis: Redis, base_url: str = "http://127.0.0.1", **settings: Any) -> Adapter:
    """An adapter; nothing is called."""
    return build(
        channel_id=1,
        base_url=base_url,
        settings=ShopifySettings(**settings),
        credentials=ShopifyCredentials(
            client_id="x", client_secret=SECRET, previous_client_secret="shpss_old"
        ),
        means=Means(redis=redis, keep=MemoryKeep()),
    )


async def told(
    adapter: Adapter,
    topic: str,
    body: Mapping[str, Any] | bytes,
    *,
    secret: str = SECRET,
    **headers: str,
) -> Notice:
    """Hand a signed webhook to the adapter, which is closed after it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = b64encode(hmac.digest(secret.encode(), raw, "sha256")).decode()
    given = {
        "x-shopify-topic": topic,
        "X-SHOPIFY-HMAC-SHA256": signature,
        "X-Shopify-Webhook-Id": "w-1",
        "X-Shopify-Shop-Domain": "one.myshopify.com",
        **headers,
    }
    try:
        return await adapter.read_notice(given, raw)
    finally:
        await adapter.aclose()


async def test_a_new_order_is_told_whole_and_without_its_buyer(redis: Redis) -> None:
    notice = await told(connect(redis), "orders/create", ORDER)

    assert (notice.name, notice.order_refs) == ("w-1", ("6001",))
    assert notice.order is not None
    assert notice.order.lines == (
        OrderLine(line_ref="61", channel_sku="MUG", quantity=2, unit_price=1480),
    )
    assert notice.order.ordered_at == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert notice.order.observed_at == datetime(2026, 11, 21, 12, 0, 1, tzinfo=UTC)
    assert "hanako" not in repr(notice)


LINE = ORDER["line_items"][0]


@pytest.mark.parametrize(
    "more",
    [
        {"cancelled_at": "2026-11-21T21:00:01+09:00"},
        {"fulfillment_status": "partial"},
        {"line_items": [{**LINE, "current_quantity": 1}]},
        {"line_items": [{**LINE, "sku": None}]},
        {"line_items": []},
    ],
)
async def test_an_order_that_is_no_longer_as_placed_is_only_named(
    redis: Redis, more: dict[str, Any]
) -> None:
    notice = await told(connect(redis), "orders/create", {**ORDER, **more})

    assert notice == Notice(name="w-1", order_refs=("6001",))


@pytest.mark.parametrize(
    ("topic", "body", "order_refs"),
    [
        ("orders/updated", ORDER, ("6001",)),
        ("orders/cancelled", {"id": 6002}, ("6002",)),
        ("orders/edited", {"order_edit": {"id": 9, "order_id": 6003}}, ("6003",)),
        ("refunds/create", {"id": 9, "order_id": 6004}, ("6004",)),
        ("inventory_levels/update", {"id": 9}, ()),
    ],
)
async def test_a_change_names_its_order(
    redis: Redis, topic: str, body: dict[str, Any], order_refs: tuple[str, ...]
) -> None:
    assert await told(connect(redis), topic, body) == Notice(name="w-1", order_refs=order_refs)


async def test_the_secret_before_the_rotation_still_proves(redis: Redis) -> None:
    notice = await told(connect(redis), "orders/updated", ORDER, secret="shpss_old")

    assert notice.order_refs == ("6001",)


@pytest.mark.parametrize("signature", ["", "bm90IG91cnM=", "注文"])
async def test_a_wrong_proof_is_forged(redis: Redis, signature: str) -> None:
    with pytest.raises(NoticeForged):
        await told(connect(redis), "orders/create", ORDER, **{"X-SHOPIFY-HMAC-SHA256": signature})


async def test_the_proof_is_of_the_raw_body(redis: Redis) -> None:
    right = b64encode(hmac.digest(SECRET.encode(), b'{"id":6001}', "sha256")).decode()

    with pytest.raises(NoticeForged):
        await told(
            connect(redis), "orders/updated", b'{"id": 6001}', **{"X-SHOPIFY-HMAC-SHA256": right}
        )


@pytest.mark.parametrize(
    ("topic", "body", "headers"),
    [
        ("orders/create", b"{", {}),
        ("orders/create", b"\xff\xfe", {}),
        ("orders/create", {"id": "six"}, {}),
        ("orders/edited", {"id": 6}, {}),
        ("orders/updated", {"id": 6}, {"X-Shopify-Webhook-Id": ""}),
        ("", {"id": 6}, {}),
    ],
)
async def test_what_cannot_be_read_is_rejected(
    redis: Redis, topic: str, body: dict[str, Any] | bytes, headers: dict[str, str]
) -> None:
    with pytest.raises(Rejected):
        await told(connect(redis), topic, body, **headers)


async def test_a_notice_of_another_shop_of_the_same_app_is_rejected(redis: Redis) -> None:
    for adapter in (
        connect(redis, "https://two.myshopify.com"),
        connect(redis, shop_domain="two.myshopify.com"),
    ):
        with pytest.raises(Rejected, match="another shop"):
            await told(adapter, "orders/updated", ORDER)
    own = await told(connect(redis, "https://one.myshopify.com"), "orders/updated", ORDER)
    assert own.order_refs == ("6001",)
