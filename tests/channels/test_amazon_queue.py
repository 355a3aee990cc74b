"""The Amazon adapter with a queue of ORDER_CHANGE notices, against the sandbox's SQS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from channels.amazon.adapter import AmazonCredentials, AmazonSettings, build
from channels.amazon.notices import with_wish
from channels.amazon.settings import GET_ORDER, QUEUE
from channels.amazon.sigv4 import Keys, signed
from channels.base import AuthExpired, Rejected, RetryLater
from channels.keep import Means, MemoryKeep
from inventory.vocabulary import OrderLine, OrderSeen
from tests.channels.amazon_seller import Opener, Seller, opened
from tests.channels.sandbox_process import SandboxProcess


@pytest.fixture
def open_seller(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


@pytest.fixture
async def seller(open_seller: Opener) -> AsyncIterator[Seller]:
    """A seller whose search lags by a minute, so that only notices are quick."""
    async with open_seller({"queue": True, "search_lag_s": 60.0}) as seller:
        await seller.pull()
        yield seller


async def test_a_notice_brings_its_order_long_before_the_search(seller: Seller) -> None:
    ref = seller.sandbox.buy("amazon", {"MUG-RED": 2})

    pulled = await seller.pull()

    [order] = pulled.orders
    assert (order.order_ref, order.lines[0].quantity) == (ref, 2)
    assert pulled.watermark < order.ordered_at


async def test_a_message_is_deleted_only_by_the_pull_after_the_one_that_stored_it(
    seller: Seller,
) -> None:
    seller.sandbox.buy("amazon", {"MUG-RED": 1})
    before = seller.cursor

    lost = await seller.pull()
    seller.cursor = before  # the worker died before it stored the orders
    seller.sandbox.move_clock(121)
    again = await seller.pull()
    after = await seller.pull()
    seller.sandbox.move_clock(400)
    gone = await seller.pull()

    assert len(lost.orders) == len(again.orders) == 1
    assert len(again.cursor["receipts"]) == 1
    assert (after.orders, gone.orders) == ((), ())
    assert "receipts" not in gone.cursor


async def test_a_repeat_is_not_read_again(open_seller: Opener) -> None:
    async with open_seller({"queue": True, "repeat_notices": 1.0}) as seller:
        await seller.pull()
        seller.sandbox.buy("amazon", {"MUG-RED": 1})

        pulled = await seller.pull()

        assert len(pulled.orders) == 1
        assert len(pulled.cursor["receipts"]) == 2
        assert seller.sandbox.books("amazon")["calls"]["getOrder"]["used"] == 1


async def test_every_change_comes_by_notice(seller: Seller) -> None:
    refs = [seller.sandbox.buy("amazon", {"MUG-RED": 1}) for _ in range(3)]
    await seller.pull()
    for ref, action in zip(refs, ("ship", "buyer-cancel", "ask-cancel"), strict=True):
        seller.sandbox.act("amazon", ref, action)

    orders = {order.order_ref: order for order in (await seller.pull()).orders}

    assert orders[refs[0]].lines[0].shipped == 1
    assert orders[refs[1]].cancelled
    assert orders[refs[2]].buyer_asked_to_cancel


async def test_the_search_is_not_spent_while_nothing_is_urgent(seller: Seller) -> None:
    for _ in range(3):
        await seller.pull()

    used = seller.sandbox.books("amazon")["calls"]["searchOrders"]["used"]
    assert used == 1


async def test_a_search_is_due_by_its_own_pace(seller: Seller) -> None:
    long_ago = "2026-01-01T00:00:00Z"
    seller.cursor |= {"searched_at": long_ago}

    await seller.pull()

    assert seller.sandbox.books("amazon")["calls"]["searchOrders"]["used"] == 2
    assert seller.cursor["searched_at"] > long_ago


async def test_orders_that_cannot_be_read_yet_wait_and_are_received_once(seller: Seller) -> None:
    seller.sandbox.list_items("amazon", {"MUG-RED": 100})
    refs = {seller.sandbox.buy("amazon", {"MUG-RED": 1}) for _ in range(30)}
    await seller.drain(GET_ORDER, leave=3)

    first = await seller.pull()
    await seller.refill()
    second = await seller.pull()

    assert len(first.orders) in {3, 4}
    assert len(first.orders) + len(first.cursor["pending"]) == 30
    assert {order.order_ref for order in (*first.orders, *second.orders)} == refs
    assert len(first.cursor["receipts"]) + len(second.cursor["receipts"]) == 30
    assert "pending" not in second.cursor


async def test_what_the_search_has_shown_is_not_read_again(open_seller: Opener) -> None:
    async with open_seller({"queue": True}) as seller:
        refs = {seller.sandbox.buy("amazon", {"MUG-RED": 1}) for _ in range(5)}
        seller.sandbox.move_clock(5)

        pulled = await seller.pull()

        assert {order.order_ref for order in pulled.orders} == refs
        assert len(pulled.cursor["receipts"]) == 5
        assert seller.sandbox.books("amazon")["calls"]["getOrder"]["used"] == 0


async def test_a_dead_queue_leaves_the_search_and_is_told(seller: Seller) -> None:
    seller.sandbox.break_with("amazon", error_rate={"value": 1, "endpoint": "queue"})

    with pytest.raises(RetryLater):
        await seller.pull()
    seller.cursor |= {"searched_at": "2026-01-01T00:00:00Z"}
    searched = await seller.pull()
    standing = await seller.adapter.standing()

    assert searched.problems == ()
    [danger] = standing.dangers
    assert danger.code == "notices_stopped"


async def test_a_queue_that_answers_is_no_danger_and_sets_the_pace(seller: Seller) -> None:
    capabilities = seller.adapter.capabilities

    assert (await seller.adapter.standing()).dangers == ()
    assert (capabilities.pull_endpoint, capabilities.pull_seconds) == (QUEUE, 2.0)
    assert capabilities.pull_seconds_quiet == 20.0


async def test_a_wrong_aws_key_needs_a_person_and_is_not_shown(
    seller: Seller, redis: Redis
) -> None:
    access = seller.sandbox.access("amazon")
    wrong = {**access["credentials"], "aws_secret_access_key": "hush-hush"}
    adapter = build(
        channel_id=3,
        base_url=access["base_url"],
        settings=msgspec.convert(access["settings"], AmazonSettings),
        credentials=msgspec.convert(wrong, AmazonCredentials),
        means=Means(redis=redis, keep=MemoryKeep()),
    )
    await adapter.budgets.fill()

    with pytest.raises(AuthExpired) as refused:
        await adapter.pull_orders(seller.cursor, seen={})

    await adapter.aclose()
    assert "hush-hush" not in f"{refused.value!r} {wrong['aws_access_key_id']}"


def test_a_queue_needs_keys(redis: Redis) -> None:
    with pytest.raises(Rejected, match="aws_access_key_id"):
        build(
            channel_id=1,
            base_url="http://127.0.0.1:9",
            settings=AmazonSettings(seller_id="A1", queue_url="https://sqs.x/1/orders"),
            credentials=AmazonCredentials(client_id="a", client_secret="b", refresh_token="c"),
            means=Means(redis=redis, keep=MemoryKeep()),
        )


async def test_two_pulls_at_once_lose_nothing(seller: Seller) -> None:
    refs = {seller.sandbox.buy("amazon", {"MUG-RED": 1}) for _ in range(5)}

    pulls = await asyncio.gather(
        *(seller.adapter.pull_orders(seller.cursor, seen={}) for _ in "ab")
    )

    assert {order.order_ref for pulled in pulls for order in pulled.orders} == refs


@pytest.mark.parametrize(
    ("token", "signature"),
    [
        ("", "5614385eee7b18982d2cb748ae96dd496db3820ddf8b6b8eff209de64c25133a"),
        ("TOKEN", "c72c97648d93bcdd569766a2b93d5570d49cd2f5e167bd4b6b66166dd99080e1"),
    ],
)
def test_the_signature_is_the_one_that_botocore_makes(token: str, signature: str) -> None:
    keys = Keys(
        access_key_id="AKIDEXAMPLE",
        secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token=token,
    )

    headers = signed(
        "https://sqs.us-west-2.amazonaws.com/",
        {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ReceiveMessage"},
        b'{"QueueUrl":"https://sqs.us-west-2.amazonaws.com/111122223333/orders"}',
        keys=keys,
        region="us-west-2",
        service="sqs",
        now=datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
    )

    assert headers["authorization"].endswith(f"Signature={signature}")
    assert "wJalr" not in f"{headers} {keys!r}"


def test_a_wish_told_by_notice_counts_unless_the_order_has_ended() -> None:
    told: dict[str, Any] = {"order_ref": "o", "ordered_at": datetime.now(UTC), "hint": "UNSHIPPED"}
    line = OrderLine(line_ref="1", channel_sku="S", quantity=1)
    live = OrderSeen(observed_at=datetime.now(UTC), lines=(line,), **told)
    ended = msgspec.structs.replace(live, cancelled=True)

    assert with_wish(live).buyer_asked_to_cancel
    assert with_wish(live).hint == "UNSHIPPED asked"
    assert with_wish(ended) == ended
