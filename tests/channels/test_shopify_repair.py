"""Shopify's numbers that nobody is sure of: set only while a reading of them holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from redis.asyncio import Redis

from channels.shopify.adapter import ShopifyAdapter
from channels.shopify.repair import TRIES, Row
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.shopify_shop import Shop, opened


@pytest.fixture
async def shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Shop]:
    async with opened(start_sandbox, redis) as shop:
        yield shop


def wanted(quantity: int, sku: str = "MUG", key: str = "k-1") -> QuantityPush:
    """A number that nobody knows the present one of."""
    return QuantityPush(channel_sku=sku, quantity=quantity, change=None, key=key)


def between(shop: Shop, *happens: Callable[[], object]) -> None:
    """Let things happen after the reading and before each of the next writes."""
    assert isinstance(shop.adapter, ShopifyAdapter)
    stock, waiting = shop.adapter._stock, list(happens)
    send = stock.send

    async def late(rows: Sequence[Row]) -> list[PushOutcome]:
        if rows and waiting:
            waiting.pop(0)()
        return await send(rows)

    stock.send = late  # type: ignore[method-assign] # a race staged behind the door


async def test_a_number_is_set_where_the_reading_still_holds(shop: Shop) -> None:
    [outcome] = await shop.adapter.push_quantities([wanted(7)])

    assert outcome.status is PushStatus.ACCEPTED
    [write] = shop.sandbox.books("shopify")["writes"]
    assert (write["before"], write["after"], write["mode"]) == (10, 7, "absolute")


async def test_what_is_sold_between_reading_and_writing_is_not_given_back(shop: Shop) -> None:
    between(shop, lambda: shop.sold({"MUG": 3}))

    [outcome] = await shop.adapter.push_quantities([wanted(8)])

    assert outcome.status is PushStatus.ACCEPTED
    assert shop.sandbox.displayed("shopify")["MUG"] == 5


async def test_a_number_that_rose_meanwhile_is_left_for_a_new_decision(shop: Shop) -> None:
    between(shop, lambda: shop.sandbox.hand_edit("shopify", "MUG", 40))

    [outcome] = await shop.adapter.push_quantities([wanted(8)])

    assert (outcome.status, outcome.code) == (PushStatus.REFUSED, "CHANGE_FROM_QUANTITY_STALE")
    assert shop.sandbox.displayed("shopify")["MUG"] == 40


async def test_a_number_that_never_stands_still_is_refused_and_not_overwritten(shop: Shop) -> None:
    between(shop, *[lambda: shop.sold({"MUG": 1})] * TRIES)

    [outcome] = await shop.adapter.push_quantities([wanted(9)])

    assert (outcome.status, outcome.code) == (PushStatus.REFUSED, "CHANGE_FROM_QUANTITY_STALE")
    assert shop.sandbox.displayed("shopify")["MUG"] == 10 - TRIES
    assert shop.sandbox.books("shopify")["writes"] == []


async def test_a_number_that_is_right_already_is_not_written(shop: Shop) -> None:
    [outcome] = await shop.adapter.push_quantities([wanted(10)])

    assert outcome.status is PushStatus.ACCEPTED
    assert shop.sandbox.books("shopify")["writes"] == []


async def test_one_that_is_stale_does_not_hold_up_the_others(shop: Shop) -> None:
    between(shop, lambda: shop.sandbox.hand_edit("shopify", "MUG", 40))

    outcomes = await shop.adapter.push_quantities([wanted(8), wanted(3, "MUG-RED", "k-2")])

    assert [one.status for one in outcomes] == [PushStatus.REFUSED, PushStatus.ACCEPTED]
    assert shop.sandbox.displayed("shopify") == {"MUG": 40, "MUG-RED": 3}


async def test_a_zero_is_set_at_once_whatever_is_sold(shop: Shop) -> None:
    await shop.adapter.read_stock(["MUG"])
    before = shop.sandbox.books("shopify")["calls"]["graphql"]["used"]
    between(shop, lambda: shop.sold({"MUG": 3}))

    [outcome] = await shop.adapter.push_quantities([wanted(0)])

    assert outcome.status is PushStatus.ACCEPTED
    assert shop.sandbox.displayed("shopify")["MUG"] == 0
    assert shop.sandbox.books("shopify")["calls"]["graphql"]["used"] == before + 10
