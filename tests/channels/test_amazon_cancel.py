"""The Amazon adapter against the sandbox over HTTP: giving orders up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from redis.asyncio import Redis

from channels.base import Cancels, OutcomeUnknown, Rejected, RetryLater
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    Reason,
)
from tests.channels.amazon_seller import Opener, Seller, opened
from tests.channels.sandbox_process import SandboxProcess


@pytest.fixture
def open_seller(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


@pytest.fixture
async def seller(open_seller: Opener) -> AsyncIterator[Seller]:
    async with open_seller() as seller:
        yield seller


async def test_a_cancellation_is_confirmed_by_the_order_and_puts_nothing_back(
    seller: Seller,
) -> None:
    ref = seller.sold({"MUG-RED": 2, "MUG-BLUE": 1})

    feed_id = await seller.cancel(ref)
    state = await seller.settled(ref, feed_id)

    assert feed_id.isdecimal()
    assert state == CancelState(confirmed=True)
    booked = seller.sandbox.order("amazon", ref)
    assert (booked["cancelled_by"], booked["cancel_code"], booked["restocked"]) == (
        "seller",
        "NoInventory",
        False,
    )
    assert seller.sandbox.displayed("amazon") == {"MUG-RED": 8, "MUG-BLUE": 4}


async def test_a_feed_on_its_way_is_neither_confirmed_nor_refused(
    open_seller: Opener,
) -> None:
    async with open_seller({"feed_s": 600.0}) as seller:
        ref = seller.sold()

        feed_id = await seller.cancel(ref)

        assert await seller.adapter.cancel_state(ref, feed_id) == CancelState()
        assert await seller.adapter.cancel_state(ref, "") == CancelState()


async def test_a_shipment_that_was_quicker_is_a_refusal(open_seller: Opener) -> None:
    async with open_seller({"feed_s": 600.0}) as seller:
        ref = seller.sold()
        feed_id = await seller.cancel(ref)

        seller.sandbox.act("amazon", ref, "ship")

        state = await seller.adapter.cancel_state(ref, feed_id)
        assert state == CancelState(refused="the order has been shipped")


@pytest.mark.parametrize("gzip_reports", [False, True])
async def test_the_report_says_why_an_order_was_not_cancelled(
    open_seller: Opener, gzip_reports: bool
) -> None:
    options = {"pending_s": 600.0, "gzip_reports": gzip_reports}
    async with open_seller(options, pending_cancellable=True) as seller:
        ref = seller.sold()

        state = await seller.settled(ref, await seller.cancel(ref))

        assert state == CancelState(refused="18028 The order is still pending.")
        assert seller.sandbox.order("amazon", ref)["state"] == "live"
        used = seller.sandbox.books("amazon")["calls"]["getFeedDocument"]["used"]
        assert used == 1


async def test_a_report_of_success_confirms_nothing(seller: Seller) -> None:
    ref = seller.sold()
    seller.sandbox.break_with("amazon", ignore_writes={"endpoint": "createFeed"})

    feed_id = await seller.cancel(ref)
    await asyncio.sleep(0.3)
    states = [await seller.adapter.cancel_state(ref, feed_id) for _ in range(3)]

    assert states == [CancelState()] * 3
    assert seller.sandbox.books("amazon")["calls"]["getFeedDocument"]["used"] == 1


async def test_a_pending_order_waits(open_seller: Opener) -> None:
    async with open_seller({"pending_s": 600.0}) as seller:
        ref = seller.sold()

        with pytest.raises(RetryLater):
            await seller.cancel(ref)

        assert seller.sandbox.books("amazon")["calls"]["createFeed"]["used"] == 0


async def test_what_the_feed_would_refuse_is_not_sent(seller: Seller) -> None:
    seller.sandbox.list_items("amazon", {"FBA-1": 3}, by_channel=True)
    shipped, cancelled, fba = seller.sold(), seller.sold(), seller.sold({"FBA-1": 1})
    seller.sandbox.act("amazon", shipped, "ship")
    seller.sandbox.act("amazon", cancelled, "buyer-cancel")
    other_items = CancelRequest(
        order_ref=seller.sold(), line_refs=("77",), reason=Reason.OUT_OF_STOCK
    )
    unknown = CancelRequest(order_ref="249-0", line_refs=(), reason=Reason.OUT_OF_STOCK)

    for ref in (shipped, cancelled, fba):
        with pytest.raises(Rejected):
            await seller.cancel(ref)
    for request in (other_items, unknown):
        with pytest.raises(Rejected):
            await seller.adapter.cancel_order(request)

    assert seller.sandbox.books("amazon")["calls"]["createFeed"]["used"] == 0


async def test_the_buyers_reason_needs_the_buyers_request(seller: Seller) -> None:
    ref = seller.sold()

    with pytest.raises(Rejected, match="no request of the buyer"):
        await seller.cancel(ref, Reason.BUYER_REQUEST)
    seller.sandbox.act("amazon", ref, "ask-cancel")
    state = await seller.settled(ref, await seller.cancel(ref, Reason.BUYER_REQUEST))

    assert state.confirmed
    assert seller.sandbox.order("amazon", ref)["cancel_code"] == "BuyerCanceled"


async def test_the_rest_cancel_is_used_only_where_the_shop_says_that_it_is_there(
    open_seller: Opener,
) -> None:
    async with open_seller({"rest_cancel": True}, rest_cancel=True) as seller:
        ref = seller.sold()

        reference = await seller.cancel(ref)
        state = await seller.adapter.cancel_state(ref, reference)

        assert (reference, state) == ("", CancelState(confirmed=True))
        assert seller.sandbox.order("amazon", ref)["cancel_code"] == "NoInventory"
        assert seller.sandbox.displayed("amazon")["MUG-RED"] == 8
        calls = seller.sandbox.books("amazon")["calls"]
        assert (calls["cancelOrder"]["used"], calls["createFeed"]["used"]) == (1, 0)


async def test_a_rest_cancel_that_is_not_there_changes_nothing(open_seller: Opener) -> None:
    async with open_seller(rest_cancel=True) as seller:
        ref = seller.sold()

        with pytest.raises(Rejected):
            await seller.cancel(ref)

        assert seller.sandbox.order("amazon", ref)["state"] == "live"


async def test_a_rest_cancel_without_an_answer_is_unknown(open_seller: Opener) -> None:
    async with open_seller({"rest_cancel": True}, rest_cancel=True) as seller:
        ref = seller.sold()
        seller.sandbox.break_with("amazon", timeout_after_apply={"endpoint": "cancelOrder"})

        with pytest.raises(OutcomeUnknown):
            await seller.cancel(ref)

        assert (await seller.adapter.cancel_state(ref, "")).confirmed


async def part_of(seller: Seller, ref: str, units: int) -> CancelRequest:
    """A request to give up units of an order's last line."""
    order = await seller.order(ref)
    return CancelRequest(
        order_ref=ref,
        line_refs=tuple(line.line_ref for line in order.lines),
        reason=Reason.OUT_OF_STOCK,
        units=((order.lines[-1].line_ref, units),),
    )


async def test_a_part_is_adjusted_once_the_rest_has_been_shipped(open_seller: Opener) -> None:
    async with open_seller(part_cancel=True) as seller:
        assert seller.adapter.capabilities.cancels is Cancels.PARTS
        ref = seller.sold({"MUG-RED": 1, "MUG-BLUE": 2})
        request = await part_of(seller, ref, 1)

        with pytest.raises(RetryLater, match="not confirmed as shipped"):
            await seller.adapter.cancel_order(request)
        seller.sandbox.act("amazon", ref, "ship-part")
        reference = await seller.adapter.cancel_order(request)
        state = await seller.settled(ref, reference)

        assert state == CancelState(confirmed=True)
        order = await seller.order(ref)
        assert [(line.shipped, line.cancelled) for line in order.lines] == [(1, 0), (1, 1)]
        assert (order.cancelled, seller.sandbox.displayed("amazon")["MUG-BLUE"]) == (False, 3)


async def test_a_part_that_the_feed_refuses_is_told(open_seller: Opener) -> None:
    async with open_seller({"feed_s": 600.0}, part_cancel=True) as seller:
        ref = seller.sold({"MUG-RED": 3})
        seller.sandbox.act("amazon", ref, "ship-part")
        first = await seller.adapter.cancel_order(await part_of(seller, ref, 1))
        second = await seller.adapter.cancel_order(await part_of(seller, ref, 1))

        assert await seller.adapter.cancel_state(ref, second) == CancelState()
        seller.sandbox.move_clock(700)

        assert (await seller.adapter.cancel_state(ref, first)).confirmed
        report = await seller.adapter._cancels._refusal(second.split()[0])  # type: ignore[attr-defined]  # the adapter's own
        assert "more than is open" in report


@pytest.mark.parametrize("units", [0, 2])
async def test_only_open_units_can_be_given_up(open_seller: Opener, units: int) -> None:
    async with open_seller(part_cancel=True) as seller:
        ref = seller.sold({"MUG-RED": 3})
        seller.sandbox.act("amazon", ref, "ship-part")

        with pytest.raises(Rejected):
            await seller.adapter.cancel_order(await part_of(seller, ref, units))


async def test_parts_are_refused_unless_switched_on(seller: Seller) -> None:
    ref = seller.sold({"MUG-RED": 2})
    seller.sandbox.act("amazon", ref, "ship-part")

    assert seller.adapter.capabilities.cancels is Cancels.WHOLE
    with pytest.raises(Rejected, match="no part"):
        await seller.adapter.cancel_order(await part_of(seller, ref, 1))
    with pytest.raises(Rejected, match="shipped"):
        await seller.cancel(ref)
