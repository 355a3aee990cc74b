"""What is forgotten or left lying is found again: Valkey's memory, dead workers, lost rings."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import timedelta

import pytest

from channels.base import Pulled
from inventory.clock import Clock
from inventory.doorbell import Doorbell, make_celery
from inventory.inbox import HANDLE_MAX
from inventory.vocabulary import OrderLine, OrderSeen
from tests.workers.night import KINDS, PUSHES, Night, channel_sku
from workers import process, pull, push, reconcile, sender, sweep
from workers.runtime import Runtime

HELD_SECONDS_MAX = 10
RING_SECONDS_MAX = 5


async def test_every_budget_starts_empty_when_valkey_forgets(night: Night) -> None:
    await night.open(units=10)

    await night.runtime.redis.flushall()

    for kind in KINDS:
        budgets = (await night.adapter(kind)).budgets
        for name in budgets._by_endpoint:
            assert await budgets.level(name) == pytest.approx(0, abs=1e-6), name


@pytest.mark.parametrize("kind", ["rakuten", "shopify"])
async def test_a_night_goes_on_when_valkey_forgets_everything(night: Night, kind: str) -> None:
    await night.open(kind, units=10)
    ref = night.buy(kind, 3)

    await night.runtime.redis.flushall()
    await night.pulled(kind, ref)
    await night.damage(2)
    await night.rounds(1)

    assert await night.stock() == (8, 3)
    await night.agree(5)
    calls = night.sandbox.books(kind)["calls"]
    assert {name for name, limit in calls.items() if limit["refused"]} == set()


async def test_an_empty_bucket_of_amazons_is_waited_for_and_is_no_failure(night: Night) -> None:
    await night.open("amazon", units=10)
    ref = night.buy("amazon", 3)
    await night.full_second()
    await night.runtime.redis.flushall()

    stored, pause = await pull.pull_once(night.runtime, night.ids["amazon"])

    channel = await night.channel("amazon")
    # One search in three minutes is what the bucket gives.
    assert (stored, channel.failure) == (0, None)
    assert 100 < pause <= 1 / 0.0056 + 1
    assert channel.pull_due_at is not None
    assert channel.pull_due_at > Clock().now() + timedelta(seconds=100)
    await night.rested()
    await night.pulled("amazon", ref)
    assert await night.stock() == (10, 3)


@pytest.mark.parametrize(
    ("kind", "zero"), [*((kind, False) for kind in KINDS), ("yahoo", True), ("shopify", True)]
)
async def test_a_number_whose_sender_died_is_read_back_and_sent(
    night: Night, kind: str, zero: bool
) -> None:
    await night.open(kind, units=10)
    await night.damage(10 if zero else 2)
    await night.sender_dies(kind, zero=zero)
    await night.round()
    stuck = night.shown()

    await sweep.work(night.runtime)
    await night.rounds(1)
    await night.agree(0 if zero else 8)

    assert stuck == {kind: 10}
    assert await night.alerts() == set()


async def test_a_push_without_an_end_is_given_up_in_time(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    await night.open("rakuten", units=10)
    await night.damage(2)
    monkeypatch.setattr(sender, "CALL_SECONDS_MAX", 0.5)
    night.wire.hold(PUSHES["rakuten"])

    async with asyncio.timeout(HELD_SECONDS_MAX):
        await night.round()

    assert await night.push_ends("rakuten") == ["unknown"]


async def test_the_sweep_finds_all_work_that_nobody_rang_for(night: Night) -> None:
    await night.open("shopify", units=10)
    shop = night.ids["shopify"]

    async def found() -> set[str]:
        night.rings.clear()
        await sweep.work(night.runtime)
        return {str(ring[0]) for ring in night.rings}

    await night.execute("UPDATE channel SET pull_due_at = now() + interval '1 hour'")
    await night.execute("UPDATE channel SET pull_may_at = now() + interval '1 hour'")
    await night.rounds(1)
    await reconcile.work(night.runtime, shop)
    await night.execute("UPDATE channel SET standing_at = now()")
    idle = await found()
    await night.execute("UPDATE channel SET pull_due_at = now()")
    due = await found()
    await night.execute("UPDATE channel SET pull_due_at = now() + interval '1 hour'")
    await night.damage(2)
    stale = await found()
    await push.refresh(night.runtime)
    wanted = await found()
    ring = ("push", shop, "number")
    rung = ring in night.rings
    await night.round()
    await night.execute("UPDATE listing SET read_after = now()")
    doubted = await found()

    assert (idle, due, stale) == (set(), {"pull"}, {"refresh"})
    assert (wanted, rung, "read" in doubted) == ({"push"}, True, True)


async def test_what_no_pull_has_handled_holds_the_watermark_until_it_is_booked(
    night: Night,
) -> None:
    await night.open("shopify", units=10)
    shop, runtime = night.ids["shopify"], night.runtime
    before = (await night.channel("shopify")).watermark
    now = runtime.clock.now()
    late, here = (_order(ref, night) for ref in ("o-1", "o-2"))
    await runtime.inbox.receive_orders(shop, [late])
    await night.execute("UPDATE inbound_event SET received_at = now() - interval '1 minute'")

    await pull.store(runtime, shop, Pulled(orders=(here,), cursor={}, watermark=now))
    held = (await night.channel("shopify")).watermark
    await sweep.work(runtime)
    assert ("process",) in night.rings
    await process.work(runtime)
    await pull.store(runtime, shop, Pulled(orders=(), cursor={}, watermark=now))

    assert held == before
    assert (await night.channel("shopify")).watermark == now
    assert await night.stock() == (10, 2)


async def test_a_pull_of_very_many_orders_books_them_all(night: Night) -> None:
    await night.open("shopify", units=10)
    orders = tuple(_order(f"o-{number}", night) for number in range(HANDLE_MAX + 1))
    now = night.runtime.clock.now()

    pulled = Pulled(orders=orders, cursor={}, watermark=now)
    await pull.store(night.runtime, night.ids["shopify"], pulled)

    assert await night.stock() == (10, HANDLE_MAX + 1)
    assert (await night.channel("shopify")).watermark == now


def _order(ref: str, night: Night) -> OrderSeen:
    now = night.runtime.clock.now()
    line = OrderLine(line_ref="1", channel_sku=channel_sku("shopify", "MUG"), quantity=1)
    return OrderSeen(order_ref=ref, ordered_at=now, observed_at=now, lines=(line,))


async def test_a_ring_without_valkey_keeps_nobody_waiting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    doorbell = Doorbell(make_celery(f"redis://127.0.0.1:{port}/0"))

    began = time.monotonic()
    for _ in range(3):
        doorbell.ring("refresh")

    assert time.monotonic() - began < 3 * RING_SECONDS_MAX  # Celery itself tries for minutes


async def test_a_channel_is_pulled_by_one_worker_at_a_time(night: Night, rival: Runtime) -> None:
    await night.open("shopify", units=10)
    shop = night.ids["shopify"]
    held = night.wire.hold("orders(first")
    first = asyncio.create_task(pull.work(night.runtime, shop))
    async with asyncio.timeout(HELD_SECONDS_MAX):
        await held.reached.wait()

    assert await pull.work(rival, shop) == 0

    # Its worker dies: the lease runs out by itself, and another goes on.
    await night.execute("UPDATE lease SET held_until = now()")
    ref = night.buy("shopify", 1)
    second = asyncio.create_task(pull.work(rival, shop))
    await night.until(lambda: booked(night, ref))
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert await night.stock() == (10, 1)


async def booked(night: Night, ref: str) -> bool:
    """Whether an order is recorded."""
    return await night.order("shopify", ref) is not None
