"""The Shopify adapter against the sandbox over HTTP: giving orders up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from redis.asyncio import Redis

from channels.base import (
    Rejected,
)
from channels.shopify.adapter import (
    ShopifyAdapter,
)
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Reason,
)
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.shopify_shop import Opener, Shop, opened


@pytest.fixture
def open_shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


@pytest.fixture
async def shop(open_shop: Opener) -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_a_cancellation_is_confirmed_by_the_order_and_puts_nothing_back(shop: Shop) -> None:
    ref = shop.sold()

    reference = await shop.cancel(ref)
    state = await shop.settled(ref, reference)

    assert reference.startswith("gid://shopify/OrderCancelJobResult/")
    assert state == CancelState(confirmed=True)
    booked = shop.sandbox.order("shopify", ref)
    assert (booked["cancelled_by"], booked["cancel_code"], booked["restocked"]) == (
        "seller",
        "INVENTORY",
        False,
    )
    assert shop.sandbox.displayed("shopify")["MUG"] == 8


async def test_the_buyers_reason_is_customer(shop: Shop) -> None:
    ref = shop.sold()

    await shop.settled(ref, await shop.cancel(ref, Reason.BUYER_REQUEST))

    assert shop.sandbox.order("shopify", ref)["cancel_code"] == "CUSTOMER"


async def test_a_job_on_its_way_is_neither_confirmed_nor_refused(
    open_shop: Opener,
) -> None:
    async with open_shop({"cancel_s": 600.0}) as shop:
        ref = shop.sold()
        reference = await shop.cancel(ref)

        under_way = await shop.adapter.cancel_state(ref, reference)
        shop.sandbox.act("shopify", ref, "ship")
        shipped = await shop.adapter.cancel_state(ref, reference)

        assert under_way == CancelState()
        assert shipped == CancelState(refused="the order has been shipped")


async def test_a_job_that_failed_says_why_unless_the_order_says_more(
    open_shop: Opener,
) -> None:
    async with open_shop({"cancel_s": 60.0}) as shop:
        ref = shop.sold()
        _, second = await shop.cancel(ref), await shop.cancel(ref)
        shop.sandbox.move_clock(61)

        assert await shop.adapter.cancel_state(ref, second) == CancelState(confirmed=True)
        assert isinstance(shop.adapter, ShopifyAdapter)
        failure = await shop.adapter._failure(second)
        assert failure == "INVALID Order has already been cancelled"


async def test_a_job_that_says_success_confirms_nothing(shop: Shop) -> None:
    ref = shop.sold()
    shop.sandbox.break_with("shopify", ignore_writes=1)

    reference = await shop.cancel(ref)
    await asyncio.sleep(0.2)

    assert await shop.adapter.cancel_state(ref, reference) == CancelState()


async def test_what_shopify_would_refuse_is_not_sent(shop: Shop) -> None:
    shipped, cancelled, live = shop.sold(), shop.sold(), shop.sold()
    shop.sandbox.act("shopify", shipped, "ship")
    shop.sandbox.act("shopify", cancelled, "buyer-cancel")
    other = CancelRequest(order_ref=live, line_refs=("77",), reason=Reason.OUT_OF_STOCK)
    unknown = CancelRequest(order_ref="1", line_refs=(), reason=Reason.OUT_OF_STOCK)

    for ref in (shipped, cancelled):
        with pytest.raises(Rejected):
            await shop.cancel(ref)
    for request in (other, unknown):
        with pytest.raises(Rejected):
            await shop.adapter.cancel_order(request)
    assert (await shop.order(live)).cancellable
