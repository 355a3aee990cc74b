"""The EC-CUBE adapter against the sandbox over HTTP: orders by their last change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis

from channels.eccube import mapping
from channels.eccube.adapter import EccubeAdapter
from channels.eccube.orders import Round
from inventory.vocabulary import OrderSeen
from tests.channels.eccube_shop import KIND, Opener, Shop, opened
from tests.channels.sandbox_process import SandboxProcess


@pytest.fixture
def open_shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


@pytest.fixture
async def shop(open_shop: Opener) -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_a_sale_is_pulled_with_its_goods_and_without_its_buyer(shop: Shop) -> None:
    ref = shop.sold({"MUG": 2, "MUG-RED": 1})

    pulled = await shop.pull()

    [order] = pulled.orders
    assert (order.order_ref, order.cancelled, order.cancellable) == (ref, False, True)
    assert [
        (line.line_ref, line.channel_sku, line.quantity, line.unit_price) for line in order.lines
    ] == [("MUG", "MUG", 2, 1000), ("MUG-RED", "MUG-RED", 1, 1000)]
    assert "hanako" not in repr(pulled)
    assert datetime.now(UTC) - pulled.watermark < timedelta(seconds=5)


async def test_an_order_comes_again_only_when_it_has_changed(shop: Shop) -> None:
    shop.sandbox.move_clock(-60)
    ref = shop.sold()
    other = shop.sold()
    await shop.pull()
    shop.sandbox.move_clock(0)

    nothing = await shop.pull()
    shop.sandbox.act(KIND, ref, "ship")
    shop.sandbox.act(KIND, other, "buyer-cancel")
    changed = {order.order_ref: order for order in (await shop.pull()).orders}

    assert nothing.orders == ()
    assert (changed[ref].lines[0].shipped, changed[ref].cancellable) == (2, False)
    assert (changed[other].cancelled, changed[other].lines[0].cancelled) == (True, 2)


async def test_an_order_that_waits_for_its_payment_counts_and_may_fall_back(
    open_shop: Opener,
) -> None:
    async with open_shop({"pays_later": True}) as shop:
        paid, failed = shop.sold(), shop.sold({"MUG": 1})
        first = {order.order_ref: order for order in (await shop.pull()).orders}
        shop.sandbox.act(KIND, paid, "pay")
        shop.sandbox.act(KIND, failed, "fail-payment")
        second = {order.order_ref: order for order in (await shop.pull()).orders}
        never_seen = await shop.adapter.read_order(failed)

    assert {ref: order.cancellable for ref, order in first.items()} == {paid: False, failed: False}
    assert (second[paid].cancellable, second[paid].cancelled) == (True, False)
    assert (second[failed].cancelled, second[failed].lines[0].cancelled) == (True, 1)
    assert never_seen is None


async def test_waiting_orders_are_left_out_where_the_setting_says_so(open_shop: Opener) -> None:
    async with open_shop({"pays_later": True}, count_pending=False) as shop:
        ref = shop.sold()
        before = await shop.pull()
        shop.sandbox.act(KIND, ref, "pay")
        after = await shop.pull()

    assert before.orders == ()
    assert [order.order_ref for order in after.orders] == [ref]


async def test_many_orders_come_page_by_page_and_none_is_missed_that_moves(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sandbox.list_items(KIND, {"MUG": 1000})
    shop.sandbox.move_clock(-600)
    refs = [shop.sold({"MUG": 1}) for _ in range(220)]
    shop.sandbox.move_clock(0)
    assert isinstance(shop.adapter, EccubeAdapter)
    orders = shop.adapter._orders
    page = orders._page

    async def moving(reading: Round, *rest: Any) -> bool:
        more = await page(reading, *rest)
        if reading.page == 1 and more:
            # The oldest order moves to the first page, which has just been read.
            shop.sandbox.act(KIND, refs[0], "ship")
        return more

    monkeypatch.setattr(orders, "_page", moving)
    pulled = await shop.pull()

    assert {order.order_ref for order in pulled.orders} == set(refs)
    [moved] = [order for order in pulled.orders if order.order_ref == refs[0]]
    assert moved.lines[0].shipped == 1
    assert datetime.now(UTC) - pulled.watermark < timedelta(seconds=5)


async def test_a_list_that_breaks_off_goes_on_where_it_stopped(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.sandbox.list_items(KIND, {"MUG": 1000})
    shop.sandbox.move_clock(-600)
    refs = {shop.sold({"MUG": 1}) for _ in range(220)}
    shop.sandbox.move_clock(0)
    assert isinstance(shop.adapter, EccubeAdapter)
    orders = shop.adapter._orders
    page = orders._page

    async def breaking(reading: Round, *rest: Any) -> bool:
        if reading.page == 2:
            shop.sandbox.break_with(KIND, error_rate={"calls": 1, "endpoint": "api"})
        return await page(reading, *rest)

    monkeypatch.setattr(orders, "_page", breaking)
    first = await shop.pull()
    monkeypatch.setattr(orders, "_page", page)
    second = await shop.pull()

    assert len(first.orders) == 100
    assert shop.cursor.keys() == {"watermark"}
    assert {order.order_ref for order in (*first.orders, *second.orders)} == refs
    assert first.watermark < datetime.now(UTC) - timedelta(days=13)
    assert second.watermark > datetime.now(UTC) - timedelta(minutes=1)


async def test_past_orders_come_day_by_day(shop: Shop) -> None:
    shop.sandbox.list_items(KIND, {"MUG": 1000})
    refs = []
    for days in (4, 3, 1):
        shop.sandbox.move_clock(-days * 86_400)
        refs += [shop.sold({"MUG": 1}) for _ in range(30)]
    shop.sandbox.move_clock(0)
    shop.sandbox.act(KIND, refs[40], "buyer-cancel")

    found: list[OrderSeen] = []
    cursor: dict[str, Any] | None = {}
    since = datetime.now(UTC) - timedelta(days=3.5)
    until = since
    while cursor is not None:
        past = await shop.adapter.read_history(json.loads(json.dumps(cursor)), since=since)
        assert past.until >= until
        found, until, cursor = [*found, *past.orders], past.until, past.cursor

    assert sorted(order.order_ref for order in found) == sorted(refs[30:])
    assert [order.order_ref for order in found if order.cancelled] == [refs[40]]
    assert datetime.now(UTC) - until < timedelta(seconds=5)


ORDER: dict[str, Any] = {
    "id": "12",
    "order_date": "2026-11-21T21:00:00+09:00",
    "create_date": "2026-11-21T20:58:00+09:00",
    "update_date": "2026-11-21T21:00:00+09:00",
    "OrderStatus": {"id": "1"},
    "OrderItems": [
        {
            "product_code": "MUG",
            "quantity": "2.00",
            "price": 1480.0,
            "OrderItemType": {"id": "1"},
        },
        {"product_code": "MUG", "quantity": 1, "price": 1480, "OrderItemType": {"id": 1}},
        {"product_code": None, "quantity": 1, "price": 500, "OrderItemType": {"id": "2"}},
    ],
}
NOW = datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)


def test_rows_of_one_code_are_one_line_and_fees_are_none() -> None:
    order = mapping.order_from(ORDER, observed_at=NOW, held=False)

    assert order is not None
    [line] = order.lines
    assert (line.line_ref, line.quantity, line.unit_price) == ("MUG", 3, 1480)
    assert order.hint == "NEW 2026-11-21T21:00:00+09:00"


@pytest.mark.parametrize(
    ("status", "held", "seen"),
    [
        (1, False, (False, True, 0, 0)),
        (3, False, (True, False, 3, 0)),
        (4, False, (False, True, 0, 0)),
        (5, False, (False, False, 0, 3)),
        (6, False, (False, True, 0, 0)),
        (7, False, (False, False, 0, 0)),
        (8, False, None),
        (8, True, (True, False, 3, 0)),
        (9, False, (False, False, 0, 3)),
    ],
)
def test_what_a_status_says(
    status: int, held: bool, seen: tuple[bool, bool, int, int] | None
) -> None:
    payload = {**ORDER, "OrderStatus": {"id": str(status)}}

    order = mapping.order_from(payload, observed_at=NOW, held=held)

    if order is None:
        assert seen is None
    else:
        [line] = order.lines
        assert (order.cancelled, order.cancellable, line.cancelled, line.shipped) == seen


@pytest.mark.parametrize(
    "more",
    [
        {"OrderStatus": {"id": "2"}},
        {"update_date": "yesterday"},
        {"OrderItems": [{**ORDER["OrderItems"][0], "product_code": None}]},
        {"OrderItems": [{**ORDER["OrderItems"][0], "quantity": "-1"}]},
        {"OrderItems": [{**ORDER["OrderItems"][0], "quantity": "many"}]},
    ],
)
def test_what_cannot_be_read_says_so(more: dict[str, Any]) -> None:
    with pytest.raises(mapping.Unreadable):
        mapping.order_from({**ORDER, **more}, observed_at=NOW, held=False)
