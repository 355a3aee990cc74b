"""The Yahoo! adapter against the sandbox over HTTP: pulling orders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

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
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.yahoo_store import KIND, MUG, TEE, Store


@pytest.fixture
async def store(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Store]:
    store = Store(start_sandbox(yahoo={"visible_after_s": 0}), redis, sweep_every=1)
    await store.adapter.budgets.fill()
    yield store
    await store.adapter.aclose()


async def test_pull_brings_new_orders_once(store: Store) -> None:
    before = datetime.now(UTC)
    ref = store.sandbox.buy(KIND, {MUG: 2, TEE: 1})
    first = await store.pull()

    [order] = first.orders
    assert order.order_ref == ref
    assert [(line.line_ref, line.channel_sku, line.quantity) for line in order.lines] == [
        ("1", MUG, 2),
        ("2", TEE, 1),
    ]
    assert before - timedelta(seconds=3) < first.watermark < datetime.now(UTC)
    assert order.observed_at >= first.watermark + timedelta(seconds=2)
    second = await store.pull()
    assert [order.order_ref for order in second.orders] in ([], [ref])  # at most re-read in turn
    assert second.watermark > first.watermark


async def test_pull_notices_orders_shipped_and_cancelled(store: Store) -> None:
    shipped, cancelled, _ = (store.buy() for _ in range(3))
    await store.pull()
    store.sandbox.act(KIND, shipped, "ship")
    store.sandbox.act(KIND, cancelled, "buyer-cancel")

    changed: dict[str, OrderSeen] = {
        order.order_ref: order for order in (await store.pull()).orders
    }
    assert (changed[shipped].lines[0].shipped, changed[shipped].cancelled) == (1, False)
    assert (changed[cancelled].cancelled, changed[cancelled].cancelled_by) == (True, Party.BUYER)


async def test_the_watermark_stays_before_the_oldest_order_left_unread(store: Store) -> None:
    store.adapter = store.connect(orders_read_max=2, sweep_every=100)
    await store.pull()
    refs = [store.buy() for _ in range(3)]
    placed = datetime.fromisoformat(store.sandbox.order(KIND, refs[2])["placed_at"])
    first = await store.pull()
    assert [order.order_ref for order in first.orders] == refs[:2]
    assert first.watermark < placed
    second = await store.pull()
    assert [order.order_ref for order in second.orders] == refs[2:]
    assert second.watermark > first.watermark
    await store.adapter.aclose()


async def test_an_order_shipped_between_two_pulls_is_not_missed(store: Store) -> None:
    await store.pull()
    ref = store.buy(MUG)
    store.sandbox.act(KIND, ref, "ship")
    [order] = (await store.pull()).orders
    assert (order.order_ref, order.lines[0].shipped) == (ref, 1)


async def test_what_was_over_before_we_came_is_left_alone(store: Store) -> None:
    store.sandbox.move_clock(-600)
    over, live, late = store.buy(), store.buy(), store.buy()
    store.sandbox.act(KIND, over, "ship")
    store.sandbox.move_clock(0)
    store.adapter = store.connect(orders_read_max=1, sweep_every=100)
    first = await store.pull()
    assert [order.order_ref for order in first.orders] == [live]
    # Live when we came, shipped before it was read: its unit was in our count, so it is read.
    store.sandbox.act(KIND, late, "ship")
    [order] = (await store.pull()).orders
    assert (order.order_ref, order.lines[0].shipped) == (late, 1)
    assert (await store.pull()).orders == ()
    await store.adapter.aclose()


async def test_an_order_that_becomes_visible_late_is_not_missed(store: Store) -> None:
    await store.pull()
    store.sandbox.break_with(KIND, order_delay_s=60)
    ref = store.buy()
    assert (await store.pull()).orders == ()
    store.sandbox.break_with(KIND)
    assert [order.order_ref for order in (await store.pull()).orders] == [ref]


async def test_an_old_live_order_is_still_watched(store: Store) -> None:
    store.sandbox.move_clock(-5 * 86_400)
    ref = store.buy(MUG)
    store.sandbox.move_clock(0)
    order = await store.adapter.read_order(ref)
    assert order is not None
    store.seen = {ref: order.hint}
    await store.pull()
    store.sandbox.act(KIND, ref, "ship")
    [shipped] = (await store.pull()).orders
    assert (shipped.order_ref, shipped.lines[0].shipped) == (ref, 1)


async def test_a_pull_that_fails_moves_nothing_and_one_that_half_works_counts(
    store: Store,
) -> None:
    refs = [store.buy() for _ in range(2)]
    store.sandbox.break_with(KIND, garbage={"value": 1, "calls": 1, "endpoint": "orderList"})
    with pytest.raises(BadAnswer):
        await store.pull()
    store.sandbox.break_with(KIND, error_rate={"value": 1, "calls": 1, "endpoint": "orderInfo"})
    with pytest.raises(RetryLater):
        await store.pull()
    assert store.cursor == {}

    store.sandbox.break_with(KIND)
    both = [order.order_ref for order in (await store.pull()).orders]
    assert both == refs


async def test_calls_stay_within_the_stores_limits(store: Store) -> None:
    store.buy()
    for _ in range(2):
        await store.pull()
    calls = store.sandbox.books(KIND)["calls"]
    assert {name: call["refused"] for name, call in calls.items()} == dict.fromkeys(calls, 0)
    assert all(call["used"] <= call["permitted"] for call in calls.values())


async def test_the_first_pull_brings_open_orders_of_three_months(store: Store) -> None:
    store.sandbox.move_clock(-40 * 86_400)
    waiting, sent = store.buy(), store.buy()
    store.sandbox.act(KIND, sent, "ship")
    store.sandbox.move_clock(0)
    first = await store.pull()
    assert [order.order_ref for order in first.orders] == [waiting]


async def watched(store: Store, **settings: Any) -> Store:
    """A store that has been listed just now."""
    await store.adapter.aclose()
    store.adapter = store.connect(sweep_every=100, **settings)
    await store.pull()
    return store


async def test_a_quiet_pull_asks_only_for_the_count(store: Store) -> None:
    await watched(store, list_seconds=60)
    first = await store.pull()  # learns the count
    lists = store.calls("orderList")
    quiet = await store.pull()
    assert (quiet.orders, quiet.watermark) == ((), first.watermark)
    assert (store.calls("orderCount"), store.calls("orderList")) == (2, lists)
    # An order that comes in changes the count, and is there at once.
    ref = store.buy()
    found = await store.pull()
    assert [order.order_ref for order in found.orders] == [ref]
    assert found.watermark > quiet.watermark


async def test_an_order_that_the_count_hides_is_found_in_time(store: Store) -> None:
    opened = store.buy()
    await watched(store, list_seconds=1.5)
    await store.pull()
    store.sandbox.act(KIND, opened, "look")  # staff open one order while another comes in
    ref = store.buy()
    assert (await store.pull()).orders == ()
    await asyncio.sleep(1.5)
    assert [order.order_ref for order in (await store.pull()).orders] == [ref]


async def test_orders_left_unread_are_listed_whatever_the_count_says(store: Store) -> None:
    await watched(store, list_seconds=60, orders_read_max=1)
    refs = [store.buy() for _ in range(3)]
    found = [order.order_ref for _ in range(3) for order in (await store.pull()).orders]
    assert found == refs


async def test_units_that_staff_take_off_a_line_show_as_cancelled(store: Store) -> None:
    ref = store.buy(MUG, 3)
    store.sandbox.act(KIND, ref, "lower")
    [order] = (await store.pull()).orders
    assert [(line.quantity, line.cancelled) for line in order.lines] == [(3, 1)]


async def test_orders_known_are_read_before_more_are_listed(store: Store) -> None:
    store.sandbox.list_items(KIND, {"sock": 500})
    await watched(store)
    refs = [store.buy("sock") for _ in range(120)]
    next_placed = datetime.fromisoformat(store.sandbox.order(KIND, refs[6])["placed_at"])
    lists, infos = store.calls("orderList"), store.calls("orderInfo")
    pulls = [await store.pull() for _ in range(2)]
    assert [order.order_ref for pulled in pulls for order in pulled.orders] == refs[:6]
    # A page of a hundred orders is enough for a long while: every second brings one.
    assert store.calls("orderList") - lists == 1
    assert store.calls("orderInfo") - infos == 6
    assert pulls[-1].watermark < next_placed
    assert len(store.cursor["waiting"]) == 94
    assert set(store.cursor["waiting"]) <= set(refs)


async def test_a_search_goes_on_where_it_stopped_and_the_watermark_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.yahoo.client.PAGE_ORDERS", 2)
    monkeypatch.setattr("channels.yahoo.look.PAGE_ORDERS", 2)
    await watched(store, orders_read_max=2)
    refs, placed = [], []
    for _ in range(5):
        refs.append(store.buy())
        placed.append(datetime.fromisoformat(store.sandbox.order(KIND, refs[-1])["placed_at"]))
        await asyncio.sleep(0.4)
    found: list[str] = []
    for _ in range(8):
        pulled = await store.pull()
        found += [order.order_ref for order in pulled.orders if order.order_ref not in found]
        if found == refs:
            break
        assert pulled.watermark < placed[len(found)]
        assert len(store.cursor["waiting"]) <= 2
    assert found == refs
    assert (await store.pull()).watermark > placed[0]


async def test_a_cancellation_is_found_in_time_while_orders_wait(store: Store) -> None:
    store.sandbox.move_clock(-300)  # long before any search for new orders begins
    old = [store.buy() for _ in range(3)]
    store.sandbox.move_clock(0)
    store.adapter = store.connect(sweep_every=2, orders_read_max=3)
    await store.pull()
    assert set(store.seen) == set(old)
    waiting = [store.buy() for _ in range(12)]
    for ref in old:
        store.sandbox.act(KIND, ref, "buyer-cancel")
    # One sweep names all three, and each pull has a place for one of them.
    ended = [
        order.order_ref
        for _ in range(4)
        for order in (await store.pull()).orders
        if order.cancelled
    ]
    assert sorted(ended) == sorted(old)
    assert set(store.seen) < {*old, *waiting}  # the new ones have not all been read by then
    await store.adapter.aclose()
