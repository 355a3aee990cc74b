"""The Amazon adapter against the sandbox over HTTP: pulling orders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
from redis.asyncio import Redis

from channels.amazon.client import AmazonClient
from channels.amazon.cursor import Cursor
from channels.amazon.orders import Orders2026, Page, Question
from channels.amazon.pull import OrderPull
from channels.amazon.settings import SEARCH_ORDERS, AmazonSettings
from channels.base import Throttled
from inventory.vocabulary import (
    Party,
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


async def test_a_sale_is_pulled_with_its_items_and_the_search_says_how_far(seller: Seller) -> None:
    ref = seller.sold({"MUG-RED": 2, "MUG-BLUE": 1})

    pulled = await seller.pull()

    [order] = pulled.orders
    assert (order.order_ref, order.cancelled, order.cancellable) == (ref, False, True)
    assert [(line.channel_sku, line.quantity, line.unit_price) for line in order.lines] == [
        ("MUG-RED", 2, 1000),
        ("MUG-BLUE", 1, 1000),
    ]
    assert order.observed_at <= datetime.now(UTC)
    assert pulled.watermark - datetime.now(UTC) < timedelta(seconds=2.1)
    assert pulled.watermark >= order.ordered_at
    assert pulled.problems == ()


async def test_an_order_that_has_not_changed_is_left_out(seller: Seller) -> None:
    ref = seller.sold()
    [order] = (await seller.pull()).orders

    same = await seller.pull(seen={ref: order.hint})
    seller.sandbox.act("amazon", ref, "ship")
    seller.sandbox.move_clock(4)
    [changed] = (await seller.pull(seen={ref: order.hint})).orders

    assert same.orders == ()
    assert (changed.lines[0].shipped, changed.cancellable) == (2, False)


async def test_every_end_of_an_order_is_pulled(seller: Seller) -> None:
    by_buyer, by_amazon, asked = seller.sold(), seller.sold(), seller.sold()
    seller.sandbox.act("amazon", by_buyer, "buyer-cancel")
    seller.sandbox.act("amazon", by_amazon, "marketplace-cancel")
    seller.sandbox.act("amazon", asked, "ask-cancel")
    seller.sandbox.move_clock(4)

    orders = {order.order_ref: order for order in (await seller.pull()).orders}

    assert (orders[by_buyer].cancelled, orders[by_buyer].cancelled_by) == (True, Party.BUYER)
    assert orders[by_amazon].cancelled_by is Party.MARKETPLACE
    assert (orders[asked].cancelled, orders[asked].buyer_asked_to_cancel) == (False, True)


async def test_the_watermark_stays_behind_what_the_search_cannot_see(
    open_seller: Opener,
) -> None:
    async with open_seller({"search_lag_s": 30.0}) as seller:
        seller.sandbox.buy("amazon", {"MUG-RED": 1})

        pulled = await seller.pull()

        assert pulled.orders == ()
        behind = datetime.now(UTC) - pulled.watermark
        assert timedelta(seconds=29) < behind < timedelta(seconds=33)


async def test_what_the_lagging_search_says_is_older_than_what_an_order_says(
    open_seller: Opener,
) -> None:
    async with open_seller({"search_lag_s": 3.0}) as seller:
        seller.sandbox.move_clock(-60)
        ref = seller.sandbox.buy("amazon", {"MUG-RED": 1})
        seller.sandbox.move_clock(0)
        seller.sandbox.act("amazon", ref, "buyer-cancel")

        read = await seller.order(ref)
        [listed] = (await seller.pull()).orders

        assert (read.cancelled, listed.cancelled) == (True, False)
        assert listed.observed_at < read.observed_at


async def test_a_pull_that_runs_out_of_budget_goes_on_where_it_stopped(seller: Seller) -> None:
    seller.sandbox.list_items("amazon", {"MUG-RED": 1000})
    refs = {seller.sandbox.buy("amazon", {"MUG-RED": 1}) for _ in range(101)}
    seller.sandbox.move_clock(2)
    for _ in range(19):
        await seller.adapter.budgets.take(SEARCH_ORDERS, longest_wait_seconds=0)

    first = await seller.pull()
    with pytest.raises(Throttled) as throttled:
        await seller.pull()
    await seller.refill()
    second = await seller.pull()

    assert (len(first.orders), len(second.orders)) == (100, 1)
    assert {order.order_ref for order in (*first.orders, *second.orders)} == refs
    assert first.watermark < datetime.now(UTC) - timedelta(days=13)
    assert second.watermark > datetime.now(UTC) - timedelta(minutes=1)
    assert throttled.value.seconds > 100


async def test_a_page_token_that_is_refused_starts_the_question_again(seller: Seller) -> None:
    ref = seller.sold()
    [order] = (await seller.pull()).orders
    watermark = seller.cursor["watermark"]
    asked_at = datetime.now(UTC).isoformat()
    seller.cursor |= {"token": "dead", "after": "2026-01-01T00:00:00Z", "asked_at": asked_at}

    broken = await seller.pull()
    mended = await seller.pull()

    assert (broken.orders, broken.cursor) == ((), {"watermark": watermark})
    assert mended.orders == (
        msgspec.structs.replace(order, observed_at=mended.orders[0].observed_at),
    )
    assert mended.orders[0].order_ref == ref


async def test_a_page_token_older_than_a_day_is_not_used(seller: Seller) -> None:
    seller.cursor = {
        "token": "old",
        "after": "2026-01-01T00:00:00Z",
        "asked_at": (datetime.now(UTC) - timedelta(hours=24)).isoformat(),
    }

    assert (await seller.pull()).problems == ()


async def test_orders_named_twice_come_once(seller: Seller) -> None:
    seller.sold()
    seller.sandbox.break_with("amazon", repeat_orders=1)

    assert len((await seller.pull()).orders) == 1


async def test_an_order_of_amazons_own_is_marked(seller: Seller) -> None:
    seller.sandbox.list_items("amazon", {"FBA-1": 3}, by_channel=True)
    ref = seller.sold({"FBA-1": 1})

    order = await seller.order(ref)

    assert (order.fulfilled_by_channel, order.cancellable) == (True, False)


async def test_an_order_that_is_not_there_is_none(seller: Seller) -> None:
    assert await seller.adapter.read_order("249-0000000-0000000") is None


class OnePage(Orders2026):
    """A reader whose search has one page, of what a test likes."""

    def __init__(self, *orders: object) -> None:
        settings = AmazonSettings(seller_id="A1")
        super().__init__(cast("AmazonClient", SimpleNamespace(settings=settings)))
        self._orders = list(orders)

    async def page(self, question: Question, token: str | None) -> Page:
        """The page."""
        del question, token
        return Page(orders=self._orders, next_token=None, until=None)


async def test_an_order_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    now = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    good = {
        "orderId": "249-1",
        "createdTime": "2026-11-21T09:00:00Z",
        "lastUpdatedTime": "2026-11-21T09:00:00Z",
        "orderItems": [
            {"orderItemId": "1", "quantityOrdered": 1, "product": {"sellerSku": "MUG-RED"}}
        ],
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED"},
    }
    reader = OnePage({"orderId": "249-2"}, 7, good)
    settings = AmazonSettings(seller_id="A1")

    pulled = await OrderPull(Cursor(), seen={}, settings=settings, now=now).run(reader)

    assert [order.order_ref for order in pulled.orders] == ["249-1"]
    assert [ref for ref, _ in pulled.problems] == ["249-2", "?"]
    # No lastUpdatedBefore: the search is taken to be two minutes behind.
    assert datetime.now(UTC) - pulled.watermark > timedelta(seconds=119)
