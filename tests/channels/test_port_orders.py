"""The contract of the port about orders and the shop itself; see `test_port` for numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from channels.base import AuthExpired, Cancels, Rejected
from inventory.vocabulary import CancelState, OrderSeen, Standing
from tests.channels.port_shop import KINDS, Shop, opened, overrides
from tests.channels.sandbox_process import SandboxProcess


@pytest.fixture(params=KINDS)
async def shop(
    request: pytest.FixtureRequest, start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> AsyncIterator[Shop]:
    async with opened(request.param, start_sandbox, redis) as shop:
        yield shop


def lines_of(order: OrderSeen) -> list[tuple[str, str, int]]:
    """What names the lines of an order, for ever."""
    return sorted((line.line_ref, line.channel_sku, line.quantity) for line in order.lines)


async def test_an_order_comes_once_and_its_names_stay(shop: Shop) -> None:
    shop.sandbox.break_with(shop.kind, repeat_orders=1)
    ref = shop.sandbox.buy(shop.kind, {shop.mug: 2, shop.tee: 1})
    began = datetime.now(UTC)

    [first, *more] = (await shop.pulled(ref))[ref]
    shop.sandbox.break_with(shop.kind)
    again = await shop.order(ref)

    assert again is not None
    for each in (*more, again):
        assert lines_of(each) == lines_of(first)
        assert each.ordered_at == first.ordered_at
    assert {(name, units) for _, name, units in lines_of(first)} == {(shop.mug, 2), (shop.tee, 1)}
    assert len({line.line_ref for line in first.lines}) == 2
    assert not first.cancelled
    assert abs(first.ordered_at - began) < timedelta(minutes=1)


async def test_a_shipment_and_a_buyers_cancellation_are_pulled(shop: Shop) -> None:
    sent, ended = (shop.sandbox.buy(shop.kind, {shop.mug: 1}) for _ in range(2))
    await shop.pulled(sent, ended)
    shop.sandbox.act(shop.kind, sent, "ship")
    shop.sandbox.act(shop.kind, ended, "buyer-cancel")

    changed = {ref: snapshots[-1] for ref, snapshots in (await shop.pulled(sent, ended)).items()}

    assert [(line.shipped, line.cancelled) for line in changed[sent].lines] == [(1, 0)]
    assert not changed[sent].cancellable
    assert changed[ended].cancelled
    assert [line.cancelled for line in changed[ended].lines] == [1]


async def test_an_order_that_is_not_there_is_none(shop: Shop) -> None:
    ref = shop.sandbox.buy(shop.kind, {shop.mug: 1})
    other = ref[:-1] + ("1" if ref[-1] != "1" else "2")

    assert await shop.order(other) is None


async def test_a_whole_order_is_given_up_or_left_to_a_person(shop: Shop) -> None:
    ref = shop.sandbox.buy(shop.kind, {shop.mug: 2})
    order = (await shop.pulled(ref))[ref][-1]
    if shop.adapter.capabilities.cancels is Cancels.NONE:
        with pytest.raises(Rejected):
            await shop.give_up(order)
        return

    state = await shop.give_up(order)

    assert state == CancelState(confirmed=True)
    after = await shop.order(ref)
    assert after is not None
    assert after.cancelled
    assert [line.cancelled for line in after.lines] == [2]
    assert shop.shown(shop.mug) == 8


async def test_a_part_of_an_order_is_given_up_and_the_rest_stays(shop: Shop) -> None:
    if shop.adapter.capabilities.cancels is not Cancels.PARTS:
        return
    ref = shop.sandbox.buy(shop.kind, {shop.mug: 3, shop.tee: 1})
    order = (await shop.pulled(ref))[ref][-1]
    [mugs] = [line for line in order.lines if line.channel_sku == shop.mug]

    state = await shop.give_up(order, units=((mugs.line_ref, 2),))

    assert state == CancelState(confirmed=True)
    after = await shop.order(ref)
    assert after is not None
    assert not after.cancelled
    left = {line.channel_sku: line.quantity - line.cancelled for line in after.lines}
    assert left == {shop.mug: 1, shop.tee: 1}


# The shop itself.


async def test_standing_says_whose_shop_it_is_and_a_dead_key_shows(shop: Shop) -> None:
    standing = await shop.patiently(shop.adapter.standing)

    assert isinstance(standing, Standing)
    assert all(expiry.ends_at > datetime.now(UTC) for expiry in standing.expiries)
    shop.sandbox.break_with(shop.kind, auth_expired=1)
    with pytest.raises(AuthExpired):
        await shop.patiently(shop.adapter.standing)


async def test_every_listing_is_discovered(shop: Shop) -> None:
    if not shop.adapter.capabilities.discovers:
        return
    found: dict[str, int | None] = {}
    cursor: dict[str, Any] | None = {}
    while cursor is not None:
        at = msgspec.json.decode(msgspec.json.encode(cursor))
        page = await shop.patiently(partial(shop.adapter.discover, at))
        found |= {one.channel_sku: one.quantity for one in page.listings}
        cursor = page.cursor

    assert found.keys() == {shop.mug, shop.tee}
    assert set(found.values()) <= {None, 10, 5}


async def test_past_orders_are_read_to_the_end(shop: Shop) -> None:
    if not overrides(shop.adapter, "read_history"):
        with pytest.raises(Rejected):
            await shop.adapter.read_history({}, since=datetime.now(UTC) - timedelta(days=2))
        return
    shop.sandbox.move_clock(-3600)
    ref = shop.sandbox.buy(shop.kind, {shop.mug: 1})
    shop.sandbox.move_clock(0)
    since = datetime.now(UTC) - timedelta(days=2)

    orders: list[OrderSeen] = []
    cursor: dict[str, Any] | None = {}
    while cursor is not None:
        at = msgspec.json.decode(msgspec.json.encode(cursor))
        page = await shop.patiently(partial(shop.adapter.read_history, at, since=since))
        orders += page.orders
        assert page.until >= since
        cursor = page.cursor

    assert [order.order_ref for order in orders] == [ref]


async def test_closing_twice_is_closing_once(shop: Shop) -> None:
    await shop.read(shop.mug)

    await shop.adapter.aclose()
    await shop.adapter.aclose()
