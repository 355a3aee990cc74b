"""What a Shopify shop says of itself: standing, variants, past orders."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis

from channels.base import AuthExpired, Rejected
from inventory.vocabulary import Danger, Expiry, ListingSeen, OrderSeen
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.shopify_shop import Opener, Shop, opened


@pytest.fixture
def open_shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


async def discovered(shop: Shop) -> tuple[list[ListingSeen], set[int | None]]:
    """Every listing, page by page, and the totals told on the way."""
    listings: list[ListingSeen] = []
    totals: set[int | None] = set()
    cursor: dict[str, Any] | None = {}
    while cursor is not None:
        page = await shop.adapter.discover(json.loads(json.dumps(cursor)))
        listings += page.listings
        totals.add(page.total)
        cursor = page.cursor
    return listings, totals


async def test_standing_names_the_shop_and_when_the_version_ends(open_shop: Opener) -> None:
    async with open_shop() as shop:
        standing = await shop.adapter.standing()

    assert standing.account == "hikiate-sandbox.myshopify.com"
    assert standing.expiries == (
        Expiry(name="Admin API 2026-10", ends_at=datetime(2027, 10, 1, tzinfo=UTC)),
    )
    assert standing.dangers == ()


async def test_a_version_that_is_gone_is_a_danger(open_shop: Opener) -> None:
    async with open_shop({"version_supported": False}) as shop:
        standing = await shop.adapter.standing()

    assert [danger.code for danger in standing.dangers] == ["api_version_unsupported"]


async def test_an_app_without_its_scopes_is_refused_by_name(open_shop: Opener) -> None:
    async with open_shop({"without_scopes": ["write_orders", "read_products"]}) as shop:
        with pytest.raises(Rejected, match="read_products, write_orders"):
            await shop.adapter.standing()


async def test_dead_keys_show_in_the_standing(open_shop: Opener) -> None:
    async with open_shop() as shop:
        shop.sandbox.break_with("shopify", auth_expired=1)
        with pytest.raises(AuthExpired):
            await shop.adapter.standing()


async def test_variants_are_listed_with_their_codes_and_dangers(open_shop: Opener) -> None:
    options = {"untracked": ["MUG"], "continues": ["MUG-RED"], "barcodes": {"MUG-RED": "4900001"}}
    async with open_shop(options) as shop:
        mug, red = (await discovered(shop))[0]

    assert (mug.channel_sku, mug.codes, mug.quantity) == ("MUG", ("MUG",), None)
    [untracked] = mug.dangers
    assert untracked == Danger(
        code="unlimited_stock", detail="its inventory is not tracked", channel_sku="MUG"
    )
    assert (red.codes, red.quantity, red.title) == (("MUG-RED", "4900001"), 5, "Product MUG-RED")
    assert [danger.code for danger in red.dangers] == ["back_order"]


async def test_every_variant_is_listed_once_over_several_pages(open_shop: Opener) -> None:
    async with open_shop() as shop:
        many = {f"S-{number:03d}": number for number in range(120)}
        shop.sandbox.list_items("shopify", many)

        listings, totals = await discovered(shop)

    assert {one.channel_sku: one.quantity for one in listings} == {"MUG": 10, "MUG-RED": 5, **many}
    assert len(listings) == 122
    assert totals == {122}


async def test_past_orders_are_read_oldest_first(open_shop: Opener) -> None:
    async with open_shop() as shop:
        shop.sandbox.list_items("shopify", {"MUG": 100})
        now = datetime.now(UTC)
        refs = []
        for days in (40, 30, 20, 10):
            shop.sandbox.move_clock(-days * 86_400)
            refs += [shop.sold({"MUG": 1}) for _ in range(4)]
        shop.sandbox.move_clock(0)
        shop.sandbox.act("shopify", refs[5], "buyer-cancel")
        since = now - timedelta(days=35)

        orders: list[OrderSeen] = []
        cursor: dict[str, Any] | None = {}
        untils = []
        while cursor is not None:
            page = await shop.adapter.read_history(json.loads(json.dumps(cursor)), since=since)
            orders += page.orders
            untils.append(page.until)
            cursor = page.cursor

    assert [order.order_ref for order in orders] == refs[4:]
    assert [order.order_ref for order in orders if order.cancelled] == [refs[5]]
    assert len(untils) == 2
    assert untils[0] == orders[9].ordered_at
    assert untils[1] > now - timedelta(seconds=5)
