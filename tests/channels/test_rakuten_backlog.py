"""The Rakuten adapter against the sandbox over HTTP: pulling under backlog."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import pytest
from redis.asyncio import Redis

from channels.rakuten.orders import OrderReader
from tests.channels.rakuten_shop import KIND, Shop
from tests.channels.sandbox_process import SandboxProcess


@pytest.fixture
async def shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Shop]:
    shop = Shop(start_sandbox(rakuten={"visible_after_s": 0}), redis)
    await shop.adapter.budgets.fill()
    yield shop
    await shop.adapter.aclose()


def calls(shop: Shop) -> int:
    """How many calls of the order functions Rakuten has let through."""
    used: int = shop.sandbox.books(KIND)["calls"]["order"]["used"]
    return used


async def test_orders_known_are_read_before_the_next_search(shop: Shop) -> None:
    shop.sandbox.list_items(KIND, {"sock/1": 500})
    quiet = await shop.pull()
    refs = [shop.sandbox.buy(KIND, {"sock/1": 1}) for _ in range(320)]
    last = datetime.fromisoformat(shop.sandbox.order(KIND, refs[-1])["placed_at"])
    before = calls(shop)
    pulls = [await shop.pull() for _ in range(3)]
    # A hundred in a pull, so that they are stored while the next call has to wait.
    assert [order.order_ref for pulled in pulls for order in pulled.orders] == refs[:300]
    assert calls(shop) - before == 4
    assert {pulled.watermark for pulled in pulls} == {quiet.watermark}
    assert shop.cursor["pending"] == refs[300:]

    rest = await shop.pull()  # fewer are known than a call reads, so this one searches first
    assert {order.order_ref for order in rest.orders} >= set(refs[300:])
    assert calls(shop) - before == 6
    assert rest.watermark > quiet.watermark
    assert rest.watermark <= last + timedelta(seconds=10)


async def test_a_search_that_was_outrun_moves_the_watermark_by_itself(shop: Shop) -> None:
    shop.sandbox.list_items(KIND, {"sock/1": 500})
    quiet = await shop.pull()
    early = [shop.sandbox.buy(KIND, {"sock/1": 1}) for _ in range(130)]
    await shop.pull()
    late = [shop.sandbox.buy(KIND, {"sock/1": 1}) for _ in range(140)]
    second = await shop.pull()
    # All of the first search are in hand, of the second are not.
    assert {*early, *late[:70]} == set(shop.seen)
    first_late = datetime.fromisoformat(shop.sandbox.order(KIND, late[0])["placed_at"])
    assert quiet.watermark < second.watermark < first_late


async def test_a_wide_search_of_many_pages_leaves_calls_for_orders(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = OrderReader.page.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "amount", 2)
    shop.sandbox.move_clock(-60)
    refs = [shop.buy(CAP=1) for _ in range(8)]
    shop.sandbox.move_clock(0)
    assert [order.order_ref for order in (await shop.pull()).orders] == refs
    assert calls(shop) == 5
    before = calls(shop)
    for _ in range(4):
        await shop.pull()
    assert calls(shop) - before == 4
    # It comes round all the same, before what may show late is forgotten.
    ended = shop.cursor["wide_reach"]
    shop.cursor["wide_reach"] = (datetime.fromisoformat(ended) - timedelta(seconds=60)).isoformat()
    shop.sandbox.act(KIND, refs[0], "buyer-cancel")
    found = {order.order_ref: order for order in (await shop.pull()).orders}
    assert found[refs[0]].cancelled
