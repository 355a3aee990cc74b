"""The Yahoo! adapter against the sandbox over HTTP: past orders, and what is on sale."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from channels.base import BadAnswer, History, RetryLater
from channels.yahoo.discovery import listings_from
from inventory.vocabulary import Danger, ListingSeen, OrderSeen, Party
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.yahoo_store import CAP, KIND, MUG, TEE, Store

DAY = 86_400


@pytest.fixture
async def store(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Store]:
    rules = {"visible_after_s": 0, "file_s": 0.5, "overdraft": [TEE]}
    store = Store(start_sandbox(yahoo=rules), redis)
    await store.adapter.budgets.fill()
    yield store
    await store.adapter.aclose()


async def parts(store: Store, days: float) -> list[History]:
    """The whole history, part by part, with the cursor passed through JSON."""
    since = datetime.now(UTC) - timedelta(days=days)
    cursor: dict[str, Any] = {}
    found: list[History] = []
    while True:
        part = await store.adapter.read_history(cursor, since=since)
        found.append(part)
        if part.cursor is None:
            return found
        cursor = msgspec.json.decode(msgspec.json.encode(part.cursor))


def bought(store: Store, days_ago: float, *actions: str) -> str:
    store.sandbox.move_clock(-days_ago * DAY)
    ref = store.buy(CAP)
    for action in actions:
        store.sandbox.act(KIND, ref, action)
    store.sandbox.move_clock(0)
    return ref


async def test_past_orders_come_oldest_first_with_who_ended_them(store: Store) -> None:
    too_old = bought(store, 95, "ship")
    old, gone = bought(store, 80, "ship"), bought(store, 40, "buyer-cancel")
    live = bought(store, 1)
    [part] = await parts(store, 365)

    orders: dict[str, OrderSeen] = {order.order_ref: order for order in part.orders}
    assert list(orders) == [old, gone, live]
    assert too_old not in orders
    cancelled = orders[gone]
    assert (cancelled.cancelled, cancelled.cancelled_by, cancelled.cancel_reason) == (
        True,
        Party.BUYER,
        "100",
    )
    assert len(cancelled.lines) == 1
    # What is open still holds units; what was shipped is only counted.
    assert [(orders[ref].cancelled, len(orders[ref].lines)) for ref in (old, live)] == [
        (False, 0),
        (False, 1),
    ]
    assert datetime.now(UTC) - part.until < timedelta(seconds=30)
    # Only the cancelled order and the open one were worth a call of their own.
    assert (store.calls("orderList"), store.calls("orderInfo")) == (1, 2)


async def test_a_history_of_many_cancellations_comes_in_parts(store: Store) -> None:
    refs = [bought(store, 30 - number, "buyer-cancel") for number in range(7)]
    first, second = await parts(store, 89)
    assert [order.order_ref for order in first.orders] == refs[:5]
    assert [order.order_ref for order in second.orders] == refs[5:]
    assert first.until == first.orders[-1].ordered_at < second.until


async def test_all_stock_rows_are_discovered_with_their_dangers(store: Store) -> None:
    store.sandbox.act(KIND, store.buy(MUG), "ship")
    asked = await store.adapter.discover({})
    assert (asked.listings, asked.total) == ((), None)
    assert asked.cursor is not None
    with pytest.raises(RetryLater, match="pm-08003"):
        await store.adapter.discover(asked.cursor)
    found = await store.adapter.discover(asked.cursor)
    assert (found.cursor, found.total) == (None, 3)
    mug, tee, cap = found.listings
    assert mug == ListingSeen(channel_sku=MUG, codes=("mug",), title="見本 mug", quantity=4)
    assert (tee.codes, tee.quantity) == (("m-blk", "tee-001m-blk", "tee-001-m-blk"), 3)
    assert [(danger.code, danger.channel_sku) for danger in tee.dangers] == [("overdraft", TEE)]
    assert (cap.channel_sku, cap.dangers, cap.closed) == (CAP, (), False)


def test_a_file_is_read_in_either_encoding_and_bad_rows_are_left_out() -> None:
    text = "code,sub-code,quantity,allow-overdraft,stock-close\nmug,,,0,1\nbad_code,,1,0,0\n"
    for encoding in ("utf-8", "utf-8-sig", "cp932"):
        [mug] = listings_from(text.encode(encoding))
        assert (mug.channel_sku, mug.quantity, mug.closed) == ("mug", None, True)
        assert [danger.code for danger in mug.dangers] == ["unlimited_stock"]
        assert isinstance(mug.dangers[0], Danger)
    for wrong in (b"\xff\xff\xff", b"sku,amount\n1,2\n", b""):
        with pytest.raises(BadAnswer):
            listings_from(wrong)
