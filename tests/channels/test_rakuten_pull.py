"""The Rakuten adapter against the sandbox over HTTP: pulling orders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from channels.base import (
    BadAnswer,
    RetryLater,
)
from inventory.vocabulary import (
    OrderSeen,
    Party,
)
from tests.channels.rakuten_shop import KIND, MUG, TEE, Shop
from tests.channels.sandbox_process import SandboxProcess


@pytest.fixture
async def shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Shop]:
    shop = Shop(start_sandbox(rakuten={"visible_after_s": 0}), redis)
    await shop.adapter.budgets.fill()
    yield shop
    await shop.adapter.aclose()


async def test_pull_brings_new_orders_once(shop: Shop) -> None:
    before = datetime.now(UTC)
    ref = shop.buy(MUG=2, TEE=1)
    first = await shop.pull()

    [order] = first.orders
    assert order.order_ref == ref
    assert [(line.channel_sku, line.quantity) for line in order.lines] == [(MUG, 2), (TEE, 1)]
    book = shop.sandbox.order(KIND, ref)
    assert [line.line_ref for line in order.lines] == [row["line_ref"] for row in book["lines"]]
    assert before - timedelta(seconds=3) < first.watermark < datetime.now(UTC)
    assert order.observed_at >= first.watermark + timedelta(seconds=2)

    second = await shop.pull()
    assert second.orders == ()
    assert second.watermark > first.watermark


@pytest.mark.parametrize("orders_api", ["purchase_item", "order"])
async def test_pull_notices_orders_shipped_and_cancelled(shop: Shop, orders_api: str) -> None:
    adapter = shop.adapter = shop.connect(reread_orders_max=0, orders_api=orders_api)
    shipped, cancelled, _ = (shop.buy(CAP=1) for _ in range(3))
    await shop.pull()
    shop.sandbox.act(KIND, shipped, "ship")
    shop.sandbox.act(KIND, cancelled, "buyer-cancel")

    changed: dict[str, OrderSeen] = {}
    for _ in range(3):  # the open orders are searched in every third pull
        changed |= {order.order_ref: order for order in (await shop.pull()).orders}
    assert set(changed) == {shipped, cancelled}
    assert changed[shipped].lines[0].shipped == 1
    assert changed[shipped].cancelled is False
    assert (changed[cancelled].cancelled, changed[cancelled].cancelled_by) == (True, Party.BUYER)
    assert (changed[cancelled].lines[0].cancelled, changed[cancelled].cancel_reason) == (1, "1")
    assert (await shop.pull()).orders == ()  # booked once
    await adapter.aclose()


async def test_who_cancelled_stays_open_where_the_order_api_is_off(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    rules = {"visible_after_s": 0, "order_api": False}
    shop = Shop(start_sandbox(rakuten=rules), redis)
    await shop.adapter.budgets.fill()
    ref = shop.buy(MUG=1)
    shop.sandbox.act(KIND, ref, "buyer-cancel")
    order = await shop.adapter.read_order(ref)
    assert order is not None
    assert (order.cancelled, order.lines[0].cancelled, order.cancelled_by) == (True, 1, None)
    await shop.adapter.aclose()


async def test_an_order_in_change_ships_and_a_withdrawn_cancel_lives_again(shop: Shop) -> None:
    adapter = shop.adapter = shop.connect(live_search_every=1)
    changing, returning = shop.buy(CAP=1), shop.buy(CAP=1)
    shop.sandbox.act(KIND, changing, "open-change")
    shop.sandbox.act(KIND, returning, "buyer-cancel")
    found = {order.order_ref: order for order in (await shop.pull()).orders}
    assert found[changing].hint.startswith("live:400:")
    assert returning not in found  # finished before we came
    shop.seen[returning] = "cancelled:800:old"

    shop.sandbox.act(KIND, changing, "ship")
    shop.sandbox.act(KIND, returning, "withdraw-cancel")
    found = {order.order_ref: order for order in (await shop.pull()).orders}
    assert found[changing].lines[0].shipped == 1
    assert (found[returning].cancelled, found[returning].lines[0].cancelled) == (False, 0)
    await adapter.aclose()


async def test_an_order_cancelled_after_shipping_keeps_its_units_shipped(shop: Shop) -> None:
    adapter = shop.adapter = shop.connect(cancelled_search_every=2)
    ref = shop.buy(CAP=1)
    await shop.pull()
    shop.sandbox.act(KIND, ref, "ship")
    order = await shop.adapter.read_order(ref)
    assert order is not None
    shop.seen[ref] = order.hint
    shop.sandbox.act(KIND, ref, "take-back")
    assert (await shop.pull()).orders == ()
    [order] = (await shop.pull()).orders
    assert (order.cancelled, order.lines[0].shipped, order.lines[0].cancelled) == (True, 1, 0)
    assert (await shop.pull()).orders == ()
    await adapter.aclose()


@pytest.mark.parametrize("orders_api", ["purchase_item", "order"])
async def test_a_line_taken_out_by_staff_is_noticed(shop: Shop, orders_api: str) -> None:
    adapter = shop.adapter = shop.connect(live_search_every=1, orders_api=orders_api)
    ref = shop.buy(MUG=2, TEE=1)
    await shop.pull()
    shop.sandbox.act(KIND, ref, "delete-line")
    [order] = (await shop.pull()).orders
    left = {line.channel_sku: line.quantity - line.cancelled for line in order.lines}
    # getOrderItem has no such line any more, getOrder says that it was deleted.
    assert left == {MUG: 2} if orders_api == "purchase_item" else {MUG: 2, TEE: 0}
    await adapter.aclose()


async def test_live_orders_are_read_anew_in_turn(shop: Shop) -> None:
    adapter = shop.adapter = shop.connect(reread_orders_max=1, live_search_every=1)
    first, second = shop.buy(CAP=1), shop.buy(CAP=1)
    await shop.pull()
    shop.seen = dict.fromkeys(shop.seen, "live:300:old")  # as if staff had changed them since
    turns = [(await shop.pull()).orders for _ in range(2)]
    assert sorted(order.order_ref for turn in turns for order in turn) == [first, second]
    await adapter.aclose()


async def test_an_order_shipped_between_two_pulls_is_not_missed(shop: Shop) -> None:
    await shop.pull()
    ref = shop.buy(MUG=1)
    shop.sandbox.act(KIND, ref, "ship")
    [order] = (await shop.pull()).orders
    assert (order.order_ref, order.lines[0].shipped) == (ref, 1)


async def test_an_order_that_becomes_visible_late_is_not_missed(shop: Shop) -> None:
    await shop.pull()
    shop.sandbox.break_with(KIND, order_delay_s=1.5)
    ref = shop.buy(MUG=1)
    early = await shop.pull()
    assert early.orders == ()
    shop.sandbox.break_with(KIND)
    [order] = (await shop.pull()).orders
    assert order.order_ref == ref


async def test_orders_named_twice_are_read_once(shop: Shop) -> None:
    shop.buy(MUG=1)
    shop.sandbox.break_with(KIND, repeat_orders=True)
    assert len((await shop.pull()).orders) == 1


async def test_the_watermark_waits_for_orders_left_unread(shop: Shop) -> None:
    shop.sandbox.list_items(KIND, {"sock/1": 500})
    adapter = shop.adapter = shop.connect(read_calls_max=1)
    refs = [shop.sandbox.buy(KIND, {"sock/1": 1}) for _ in range(103)]
    begin = datetime.now(UTC)
    first = await shop.pull()
    assert len(first.orders) == 100
    assert first.watermark < begin - timedelta(days=59)
    second = await shop.pull()
    assert second.watermark > begin - timedelta(seconds=3)
    assert {order.order_ref for order in (*first.orders, *second.orders)} >= set(refs)
    await adapter.aclose()


async def test_a_pull_that_fails_moves_nothing(shop: Shop) -> None:
    shop.sandbox.break_with(KIND, garbage={"value": 1, "calls": 1})
    with pytest.raises(BadAnswer):
        await shop.pull()
    shop.sandbox.break_with(KIND, error_rate={"value": 1, "calls": 1})
    with pytest.raises(RetryLater):
        await shop.pull()
    assert shop.cursor == {}


async def test_an_old_live_order_is_still_watched(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    shop = Shop(start_sandbox(rakuten={"visible_after_s": 0}), redis, live_search_every=1)
    await shop.adapter.budgets.fill()
    shop.sandbox.move_clock(-5 * 86_400)
    ref = shop.sandbox.buy(KIND, {MUG: 1})
    shop.sandbox.move_clock(0)
    order = await shop.adapter.read_order(ref)
    assert order is not None
    shop.seen = {ref: order.hint}
    assert (await shop.pull()).orders == ()  # five days old, and found in the list of live ones
    shop.sandbox.act(KIND, ref, "ship")
    [shipped] = (await shop.pull()).orders
    assert (shipped.order_ref, shipped.lines[0].shipped) == (ref, 1)
    await shop.adapter.aclose()


async def test_calls_stay_within_the_shops_limits(shop: Shop) -> None:
    shop.buy(MUG=1)
    for _ in range(2):
        await shop.pull()
    calls = shop.sandbox.books(KIND)["calls"]["order"]
    assert calls["refused"] == 0
    assert calls["used"] <= calls["permitted"]


async def test_open_orders_of_half_a_year_are_pulled_first(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    rules = {"visible_after_s": 0}
    shop = Shop(start_sandbox(rakuten=rules), redis, open_order_days=180)
    await shop.adapter.budgets.fill()
    refs = []
    for days in (170, 100, 3):  # reserved ones, say
        shop.sandbox.move_clock(-days * 86_400)
        refs.append(shop.sandbox.buy(KIND, {MUG: 1}))
    shop.sandbox.move_clock(0)
    assert [order.order_ref for order in (await shop.pull()).orders] == refs
    assert shop.sandbox.books(KIND)["calls"]["order"]["used"] == 4  # 180 days are three searches
    await shop.adapter.aclose()


async def test_an_order_that_shows_three_days_late_is_not_missed(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    shop = Shop(start_sandbox(rakuten={"visible_after_s": 0}), redis, live_search_every=1)
    await shop.adapter.budgets.fill()
    await shop.pull()
    shop.sandbox.move_clock(-72 * 3600)
    ref = shop.sandbox.buy(KIND, {MUG: 1})
    shop.sandbox.move_clock(0)
    assert [order.order_ref for order in (await shop.pull()).orders] == [ref]
    await shop.adapter.aclose()


async def test_a_search_with_too_many_hits_is_searched_in_parts(
    start_sandbox: Callable[..., SandboxProcess],
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("channels.rakuten.orders.HITS_MAX", 3)
    rules = {"visible_after_s": 0, "search_hits_max": 3}
    shop = Shop(start_sandbox(rakuten=rules), redis)
    await shop.adapter.budgets.fill()
    refs = []
    for days in (55, 50, 10, 5):
        shop.sandbox.move_clock(-days * 86_400)
        refs.append(shop.sandbox.buy(KIND, {MUG: 1}))
    shop.sandbox.move_clock(0)
    assert [order.order_ref for order in (await shop.pull()).orders] == refs
    await shop.adapter.aclose()
