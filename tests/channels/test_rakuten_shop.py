"""The Rakuten adapter about the shop itself: its key, what it sells, and its past orders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from channels.base import AuthExpired, BadAnswer, Discovered, History, Rejected
from channels.rakuten.adapter import RakutenAdapter
from inventory.vocabulary import Expiry, ListingSeen, Party
from tests.channels.rakuten_shop import CAP, KIND, MUG, TEE, Shop
from tests.channels.sandbox_process import SandboxProcess

DAY = 86_400
JST = timedelta(hours=9)


@pytest.fixture
async def shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Shop]:
    shop = Shop(start_sandbox(rakuten={"visible_after_s": 0}), redis)
    await shop.adapter.budgets.fill()
    yield shop
    await shop.adapter.aclose()


def last_second(moment: datetime, days: int) -> datetime:
    """23:59:59 in Japan, so many days later."""
    day = (moment + JST).date() + timedelta(days=days)
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC) - JST


async def test_the_key_is_tried_and_its_end_is_told(shop: Shop) -> None:
    standing = await shop.adapter.standing()
    ends_at = last_second(datetime.now(UTC), 90)
    assert standing.expiries == (Expiry(name="licenseKey", ends_at=ends_at),)
    assert standing.dangers == ()
    assert shop.sandbox.books(KIND)["writes"] == []


async def test_a_key_in_its_last_days_counts_down_and_ends(shop: Shop) -> None:
    shop.sandbox.move_clock(88 * DAY)
    [expiry] = (await shop.adapter.standing()).expiries
    assert expiry.ends_at == last_second(datetime.now(UTC), 90)
    shop.sandbox.move_clock(91 * DAY)
    with pytest.raises(AuthExpired):
        await shop.adapter.standing()


async def test_a_wrong_key_has_no_standing_and_is_not_shown(shop: Shop) -> None:
    stranger = shop.connect(key="SLguessed")
    with pytest.raises(AuthExpired) as caught:
        await stranger.standing()
    assert "SLguessed" not in str(caught.value)
    await stranger.aclose()


async def test_a_shop_without_the_license_api_is_told_so(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    shop = Shop(start_sandbox(rakuten={"license_api": False}), redis)
    await shop.adapter.budgets.fill()
    standing = await shop.adapter.standing()
    assert standing.expiries == ()
    assert [danger.code for danger in standing.dangers] == ["key_end_unknown"]
    await shop.adapter.aclose()


@pytest.mark.parametrize(("told", "error"), [("2099-01-01T23:59:59", None), ("soon", BadAnswer)])
async def test_no_key_is_believed_to_live_longer_than_ninety_days(
    shop: Shop, told: str, error: type[Exception] | None
) -> None:
    adapter = shop.adapter
    assert isinstance(adapter, RakutenAdapter)
    http: Any = adapter._client._http

    async def answer(*_: object, **__: object) -> httpx.Response:
        return httpx.Response(200, json={"expiryDate": told})

    http.send = answer
    if error is not None:
        with pytest.raises(error):
            await adapter._client.license_ends()
        return
    assert (await adapter._client.license_ends()).year == 2099
    assert (await adapter._key_ends(datetime.now(UTC))) == last_second(datetime.now(UTC), 90)


async def everything(shop: Shop) -> list[ListingSeen]:
    """All pages of a discovery."""
    seen: list[ListingSeen] = []
    cursor: dict[str, Any] | None = {}
    while cursor is not None:
        found: Discovered = await shop.adapter.discover(cursor)
        seen += found.listings
        cursor = found.cursor
    return seen


async def test_listings_are_discovered_with_codes_numbers_and_dangers(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    rules = {
        "merchant_skus": {MUG: "MUG-BLUE", "mug/red": ""},
        "unlimited": ["tee-001"],
        "back_order": [CAP],
        "hidden": ["mug/red"],
    }
    shop = Shop(start_sandbox(rakuten=rules), redis)
    await shop.adapter.budgets.fill()
    shop.sandbox.list_items(KIND, {"mug/red": 2})
    found = {one.channel_sku: one for one in await everything(shop)}
    assert set(found) == {MUG, "mug/red", TEE, CAP}
    assert (found[MUG].codes, found[MUG].quantity) == (("MUG-BLUE",), 5)
    assert found[MUG].title == "見本 mug (blue)"
    # One of two SKUs of its item: the item's number would name both.
    assert (found["mug/red"].codes, found["mug/red"].closed) == ((), True)
    assert found[CAP].codes == ("X", "CAP", "cap")
    assert found[TEE].quantity is None
    dangers = {
        one.channel_sku: [(danger.code, danger.channel_sku) for danger in one.dangers]
        for one in found.values()
    }
    assert dangers == {
        MUG: [],
        "mug/red": [],
        TEE: [("unlimited_stock", TEE)],
        CAP: [("back_order", CAP)],
    }
    await shop.adapter.aclose()


async def test_a_big_shop_is_discovered_page_by_page(shop: Shop) -> None:
    shop.sandbox.list_items(KIND, {f"sock-{number}/x": number for number in range(62)})
    first = await shop.adapter.discover({})
    assert (len(first.listings), first.cursor) == (30, {"mark": "30"})
    found = await everything(shop)
    assert len({one.channel_sku for one in found}) == len(found) == 65
    assert {one.channel_sku: one.quantity for one in found}["sock-61/x"] == 61
    with pytest.raises(Rejected):
        await shop.adapter.discover({"mark": 5})


async def past(shop: Shop, since: datetime) -> list[History]:
    """All answers of a reading of the past."""
    told = [await shop.adapter.read_history({}, since=since)]
    while told[-1].cursor is not None:
        told.append(await shop.adapter.read_history(told[-1].cursor, since=since))
    return told


async def test_the_past_is_read_oldest_first_in_windows(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.rakuten.history.PAGE_ORDERS", 2)
    shop = Shop(start_sandbox(rakuten={"visible_after_s": 0}), redis)
    await shop.adapter.budgets.fill()
    refs = []
    for days in (95, 80, 70, 60, 1):
        shop.sandbox.move_clock(-days * DAY)
        refs.append(shop.sandbox.buy(KIND, {CAP: 1}))
        if days == 80:
            shop.sandbox.act(KIND, refs[-1], "ship")
        if days == 70:
            shop.sandbox.act(KIND, refs[-1], "buyer-cancel")
    shop.sandbox.move_clock(0)
    now = datetime.now(UTC)

    told = await past(shop, now - timedelta(days=400))
    orders = [order for one in told for order in one.orders]
    assert [order.order_ref for order in orders] == refs[1:]  # 95 days are too many
    assert (orders[0].lines[0].shipped, orders[1].cancelled_by) == (1, Party.BUYER)
    assert [one.until for one in told] == sorted(one.until for one in told)
    assert told[0].until == orders[1].ordered_at
    assert told[-1].until >= now
    assert shop.sandbox.displayed(KIND)[CAP] == 4
    with pytest.raises(Rejected):
        await shop.adapter.read_history({"page": "x"}, since=now)
    await shop.adapter.aclose()


async def test_a_busy_past_is_read_in_smaller_windows(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.rakuten.history.HITS_MAX", 2)
    monkeypatch.setattr("channels.rakuten.history.PAGE_ORDERS", 1)
    rules = {"visible_after_s": 0, "search_hits_max": 2}
    shop = Shop(start_sandbox(rakuten=rules), redis)
    await shop.adapter.budgets.fill()
    refs = []
    for days in (28, 4):
        shop.sandbox.move_clock(-days * DAY)
        refs.append(shop.sandbox.buy(KIND, {CAP: 1}))
    shop.sandbox.move_clock(0)
    told = await past(shop, datetime.now(UTC) - timedelta(days=30))
    assert [order.order_ref for one in told for order in one.orders] == refs
    await shop.adapter.aclose()
