"""The Amazon adapter against the sandbox over real HTTP: limits, faults, feeds and all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from channels.amazon.adapter import (
    BUDGETS,
    AmazonCredentials,
    AmazonSettings,
    build,
)
from channels.amazon.settings import SEARCH_ORDERS
from channels.base import (
    Adapter,
    AuthExpired,
    BadAnswer,
    Pulled,
    Rejected,
    RetryLater,
    Throttled,
)
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    OrderSeen,
    Party,
    PushOutcome,
    PushStatus,
    QuantityPush,
    Reading,
    Reason,
)
from tests.channels.sandbox_process import SandboxProcess

QUICK = {"search_lag_s": 0.0, "pending_s": 0.0, "feed_s": 0.05}
ODD_SKUS = ["棚/A 1", "a,b", "100%_#?&", "..;x"]


class Seller:
    """A sandbox, an adapter for it with full budgets, and what tests repeat."""

    def __init__(self, sandbox: SandboxProcess, adapter: Adapter) -> None:
        self.sandbox = sandbox
        self.adapter = adapter
        self.cursor: dict[str, Any] = {}

    def sold(self, lines: Mapping[str, int] | None = None) -> str:
        """A shopper buys, and enough time passes for the search to show it (whole seconds)."""
        ref = self.sandbox.buy("amazon", lines or {"MUG-RED": 2})
        self.sandbox.move_clock(2)
        return ref

    async def pull(self, *, seen: Mapping[str, str] | None = None) -> Pulled:
        """The next pull, with the cursor taken through JSON as the database does."""
        pulled = await self.adapter.pull_orders(self.cursor, seen=seen or {})
        self.cursor = json.loads(json.dumps(pulled.cursor))
        return pulled

    async def order(self, ref: str) -> OrderSeen:
        """An order that is there."""
        order = await self.adapter.read_order(ref)
        assert order is not None
        return order

    async def cancel(self, ref: str, reason: Reason = Reason.OUT_OF_STOCK) -> str:
        """Submit a cancellation of the whole order."""
        lines = tuple(line["line_ref"] for line in self.sandbox.order("amazon", ref)["lines"])
        request = CancelRequest(order_ref=ref, line_refs=lines, reason=reason)
        return await self.adapter.cancel_order(request)

    async def settled(self, ref: str, feed_id: str) -> CancelState:
        """Ask until the cancellation is confirmed or refused."""
        for _ in range(60):
            state = await self.adapter.cancel_state(ref, feed_id)
            if state.confirmed or state.refused:
                return state
            await asyncio.sleep(0.05)
        return state


def pushes(quantities: Mapping[str, int]) -> list[QuantityPush]:
    """Numbers to set."""
    return [
        QuantityPush(channel_sku=sku, quantity=quantity, change=None, key=f"k-{sku}")
        for sku, quantity in quantities.items()
    ]


def by_sku(outcomes: Sequence[PushOutcome]) -> dict[str, tuple[str, str]]:
    """Status and code of each outcome."""
    return {one.channel_sku: (one.status.value, one.code) for one in outcomes}


@pytest.fixture
def open_seller(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Callable[..., Any]:
    """Opens a seller with the given sandbox options and adapter settings."""

    @asynccontextmanager
    async def opened(
        options: Mapping[str, Any] | None = None, **settings: Any
    ) -> AsyncIterator[Seller]:
        sandbox = start_sandbox(amazon={**QUICK, **(options or {})})
        access = sandbox.access("amazon")
        adapter = build(
            channel_id=1,
            base_url=access["base_url"],
            settings=msgspec.convert({**access["settings"], **settings}, AmazonSettings),
            credentials=msgspec.convert(access["credentials"], AmazonCredentials),
            redis=redis,
        )
        await adapter.budgets.fill()
        sandbox.list_items("amazon", {"MUG-RED": 10, "MUG-BLUE": 5})
        yield Seller(sandbox, adapter)
        await adapter.aclose()

    return opened


@pytest.fixture
async def seller(open_seller: Callable[..., Any]) -> AsyncIterator[Seller]:
    async with open_seller() as seller:
        yield seller


# Orders.


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
    open_seller: Callable[..., Any],
) -> None:
    async with open_seller({"search_lag_s": 30.0}) as seller:
        seller.sandbox.buy("amazon", {"MUG-RED": 1})

        pulled = await seller.pull()

        assert pulled.orders == ()
        behind = datetime.now(UTC) - pulled.watermark
        assert timedelta(seconds=29) < behind < timedelta(seconds=33)


async def test_what_the_lagging_search_says_is_older_than_what_an_order_says(
    open_seller: Callable[..., Any],
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
        await seller.adapter.budgets.take(SEARCH_ORDERS, longest_wait_seconds=0, day="")

    first = await seller.pull()
    with pytest.raises(Throttled) as throttled:
        await seller.pull()
    await seller.adapter.budgets.fill()
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


# Login and faults.


async def test_a_token_that_ended_early_is_renewed_once(seller: Seller) -> None:
    await seller.pull()

    seller.sandbox.move_clock(3601)

    assert (await seller.pull()).orders == ()


async def test_a_refused_key_needs_a_person(seller: Seller) -> None:
    seller.sandbox.break_with("amazon", auth_expired=1)

    with pytest.raises(AuthExpired):
        await seller.pull()


async def test_a_wrong_secret_is_told_without_showing_it(
    open_seller: Callable[..., Any], redis: Redis
) -> None:
    async with open_seller() as seller:
        access = seller.sandbox.access("amazon")
        wrong = AmazonCredentials(
            client_id="amzn1.x", client_secret="hush-hush", refresh_token="Atzr|hush-hush"
        )
        adapter = build(
            channel_id=2,
            base_url=access["base_url"],
            settings=msgspec.convert(access["settings"], AmazonSettings),
            credentials=wrong,
            redis=redis,
        )

        with pytest.raises(AuthExpired) as refused:
            await adapter.read_order("249-1")

        await adapter.aclose()
        assert "hush-hush" not in f"{refused.value!r} {wrong!r}"


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ({"error_rate": 1}, RetryLater),
        ({"throttle_rate": 1}, Throttled),
        ({"garbage": {"endpoint": "searchOrders"}}, BadAnswer),
        ({"timeout_after_apply": {"endpoint": "searchOrders"}}, RetryLater),
    ],
)
async def test_a_sick_marketplace_is_asked_again_later(
    seller: Seller, faults: dict[str, Any], error: type[Exception]
) -> None:
    await seller.pull()
    seller.sandbox.break_with("amazon", **faults)

    with pytest.raises(error):
        await seller.pull()

    seller.sandbox.break_with("amazon")
    await seller.adapter.budgets.fill()
    assert (await seller.pull()).orders == ()


# Stock.


async def test_numbers_are_set_and_read_back(seller: Seller) -> None:
    seller.sandbox.list_items("amazon", dict.fromkeys(ODD_SKUS, 1))
    wanted = {"MUG-RED": 3, "MUG-BLUE": 0, **dict.fromkeys(ODD_SKUS, 8)}

    outcomes = await seller.adapter.push_quantities(pushes(wanted))
    readings = await seller.adapter.read_stock([*wanted, "NO-SUCH"])

    assert by_sku(outcomes) == dict.fromkeys(wanted, ("accepted", ""))
    assert [outcome.channel_sku for outcome in outcomes] == list(wanted)
    assert readings == [
        *(Reading(channel_sku=sku, quantity=quantity) for sku, quantity in wanted.items()),
        Reading(channel_sku="NO-SUCH", quantity=None),
    ]


async def test_a_listing_that_amazon_stocks_is_never_written(seller: Seller) -> None:
    seller.sandbox.list_items("amazon", {"FBA-1": 3}, by_channel=True)

    outcomes = await seller.adapter.push_quantities(
        pushes({"FBA-1": 5, "MUG-RED": 4, "NO-SUCH": 1})
    )

    assert by_sku(outcomes) == {
        "FBA-1": ("refused", "fulfilled_by_channel"),
        "MUG-RED": ("accepted", ""),
        "NO-SUCH": ("refused", "not_found"),
    }
    [fba] = [row for row in seller.sandbox.books("amazon")["listings"] if row["key"] == "FBA-1"]
    assert (fba["by_channel"], fba["displayed"]) == (True, 3)


async def test_a_number_that_amazon_finds_invalid_is_refused(seller: Seller) -> None:
    outcomes = await seller.adapter.push_quantities(pushes({"MUG-RED": -1}))

    assert by_sku(outcomes) == {"MUG-RED": ("refused", "90000900")}
    assert seller.sandbox.displayed("amazon")["MUG-RED"] == 10


async def test_a_full_batch_keeps_within_the_limit(seller: Seller) -> None:
    wanted = {f"S-{number:02d}": number for number in range(20)}
    seller.sandbox.list_items("amazon", dict.fromkeys(wanted, 99))

    outcomes = await seller.adapter.push_quantities(pushes(wanted))

    calls = seller.sandbox.books("amazon")["calls"]
    assert by_sku(outcomes) == dict.fromkeys(wanted, ("accepted", ""))
    assert {name: row["refused"] for name, row in calls.items() if row["refused"]} == {}
    assert calls["patchListingsItem"]["used"] == 20


async def test_no_answer_to_one_write_is_unknown_and_the_others_stand(seller: Seller) -> None:
    await seller.adapter.read_stock(["MUG-RED", "MUG-BLUE"])
    seller.sandbox.break_with(
        "amazon", timeout_after_apply={"calls": 1, "endpoint": "patchListingsItem"}
    )

    outcomes = await seller.adapter.push_quantities(pushes({"MUG-RED": 3, "MUG-BLUE": 4}))

    statuses = sorted(outcome.status for outcome in outcomes)
    assert statuses == [PushStatus.ACCEPTED, PushStatus.UNKNOWN]
    assert seller.sandbox.displayed("amazon") == {"MUG-RED": 3, "MUG-BLUE": 4}


async def test_an_unreadable_answer_to_a_write_is_unknown(seller: Seller) -> None:
    seller.sandbox.break_with("amazon", garbage={"endpoint": "patchListingsItem"})

    outcomes = await seller.adapter.push_quantities(pushes({"MUG-RED": 3}))

    assert by_sku(outcomes) == {"MUG-RED": ("unknown", "outcome_unknown")}


async def test_what_was_not_sent_is_left_out_or_raised(seller: Seller) -> None:
    await seller.adapter.read_stock(["MUG-RED", "MUG-BLUE"])

    seller.sandbox.break_with("amazon", error_rate={"calls": 1, "endpoint": "patchListingsItem"})
    some = await seller.adapter.push_quantities(pushes({"MUG-RED": 3, "MUG-BLUE": 4}))
    seller.sandbox.break_with("amazon", error_rate={"endpoint": "patchListingsItem"})
    with pytest.raises(RetryLater):
        await seller.adapter.push_quantities(pushes({"MUG-RED": 5, "MUG-BLUE": 6}))

    [outcome] = some
    assert outcome.status is PushStatus.ACCEPTED
    assert sorted(seller.sandbox.displayed("amazon").values()) in ([3, 5], [4, 10])


# Cancelling.


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
    open_seller: Callable[..., Any],
) -> None:
    async with open_seller({"feed_s": 600.0}) as seller:
        ref = seller.sold()

        feed_id = await seller.cancel(ref)

        assert await seller.adapter.cancel_state(ref, feed_id) == CancelState()
        assert await seller.adapter.cancel_state(ref, "") == CancelState()


async def test_a_shipment_that_was_quicker_is_a_refusal(open_seller: Callable[..., Any]) -> None:
    async with open_seller({"feed_s": 600.0}) as seller:
        ref = seller.sold()
        feed_id = await seller.cancel(ref)

        seller.sandbox.act("amazon", ref, "ship")

        state = await seller.adapter.cancel_state(ref, feed_id)
        assert state == CancelState(refused="the order has been shipped")


@pytest.mark.parametrize("gzip_reports", [False, True])
async def test_the_report_says_why_an_order_was_not_cancelled(
    open_seller: Callable[..., Any], gzip_reports: bool
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


async def test_a_pending_order_waits(open_seller: Callable[..., Any]) -> None:
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


def test_budgets_are_the_published_plans() -> None:
    plans = {budget.endpoint.removeprefix("amazon."): budget for budget in BUDGETS}

    assert (1 / plans["search_orders"].seconds, plans["search_orders"].burst) == (0.0056, 20)
    assert (1 / plans["create_feed"].seconds, plans["create_feed"].burst) == (0.0083, 15)
    assert all(budget.endpoint.startswith("amazon.") for budget in BUDGETS)
