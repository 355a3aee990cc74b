"""Every way to end an order at a marketplace: pulled, classified, released once, on record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from inventory.desk import buyer_requests
from inventory.desk.buyer_requests import BuyerAsked
from inventory.models import Cancellation, Oversell, PenaltyEntry, SalesOrder, StockMovement
from inventory.oversells import decide_cancellation
from tests.channels.sandbox_process import SandboxProcess
from tests.workers import wire
from tests.workers.conftest import QUICK
from tests.workers.night import Night, channel_sku
from tests.workers.row_ends import NIGHTS, End
from workers import desk
from workers.runtime import Runtime

OpenNight = Callable[..., Awaitable[Night]]
DAY_SECONDS = 86_400.0
PENDING: Mapping[str, Any] = {"pending_s": 3600.0}
# What makes each channel's metric a number from the first day on.
METRICS: Mapping[str, Mapping[str, Any]] = {
    "rakuten": {"points_before": 0},
    "shopify": {"fee_percent": 3.4},
}
# So that it is asked each time, not only now and then, for what was cancelled after shipping.
SETTINGS = {"rakuten after shipping": {"live_search_every": 1, "cancelled_search_every": 1}}
# By what a step at the marketplace shows here.
SHOWS: Mapping[str, Callable[[SalesOrder], bool]] = {
    "ship": lambda seen: seen.hint.startswith("shipped"),
    "ask-cancel": lambda seen: seen.buyer_asked_to_cancel,
    # No list shows it, so that it is seen late or, as here, not at all (test_buyers waits for it).
    "mark-prank": lambda _: True,
}


@pytest.fixture
async def open_night(
    runtime: Runtime, start_sandbox: Callable[..., SandboxProcess]
) -> AsyncIterator[OpenNight]:
    """Opens a night with one channel of a kind; its marketplace's options come on top."""
    async with AsyncExitStack() as stack:

        async def start(kind: str, options: Mapping[str, Any] | None = None, **more: Any) -> Night:
            sandbox = start_sandbox(**{**QUICK, kind: {**QUICK[kind], **(options or {})}})
            line = await stack.enter_async_context(wire.opened(sandbox.url))
            night = Night(runtime, sandbox, line)
            await night.open(kind, **{"units": 40, "metrics": METRICS.get(kind, {}), **more})
            return night

        yield start
        for _, adapter in runtime._adapters.values():
            await adapter.aclose()
        runtime._adapters.clear()


def bought(night: Night, kind: str, end: End) -> str:
    """An order that will end: two mugs."""
    line = {"key": channel_sku(kind, "MUG"), "quantity": 2}
    purchase = {"lines": [line], "by_channel": end.by_channel}
    return str(night.sandbox._json("POST", f"/_sandbox/{kind}/orders", purchase)["ref"])


async def released(night: Night) -> list[int]:
    """What was taken off the reservations, one by one."""
    moves = await night.rows(select(StockMovement).order_by(StockMovement.revision))
    return [move.reserved_delta for move in moves if move.reserved_delta < 0]


async def all_pulled(
    night: Night, kind: str, refs: list[str], holds: Callable[[SalesOrder], bool]
) -> None:
    """Pull until something holds of all these orders."""
    for ref in refs:
        await night.pulled_until(kind, ref, holds)


async def worked_twice(night: Night, kind: str) -> None:
    """The desk comes twice, and what the marketplace shows comes again in between."""
    await desk.work(night.runtime)
    await night.pull(kind)
    await desk.work(night.runtime)


def values(entry: PenaltyEntry) -> tuple[float | None, float | None]:
    """The metric's figure before and after."""
    assert entry.metric_before is not None
    assert entry.metric_after is not None
    return entry.metric_before["value"], entry.metric_after["value"]


def moves_by(kind: str, orders: int) -> float:
    """What one order of two mugs moves its metric by: points, yen, or percent of all orders."""
    return {"rakuten": 15.0, "shopify": 68.0}.get(kind, 100 / orders)


async def check(night: Night, kind: str, ref: str, end: End, step: float) -> None:
    """What the house has made of one order that ended."""
    order, row = await night.order(kind, ref), await night.cancellation(kind, ref)
    assert order is not None
    assert row is not None
    assert (order.cancelled_by, order.cancel_reason) == end.shown
    assert (row.state, row.reason, row.reason_code) == ("observed", end.asker, end.shown[1])
    [entry] = await night.rows(select(PenaltyEntry).where(PenaltyEntry.order_ref == ref))
    said = (entry.counts_against_metric, entry.weighs, entry.cause, entry.reason_code)
    assert said == (end.counts, end.weighs, end.asker, end.shown[1])
    before, after = values(entry)
    assert before is not None
    assert after == pytest.approx(before + (step if end.weighs else 0))


@pytest.mark.parametrize("name", NIGHTS)
async def test_an_end_at_a_marketplace_is_what_the_table_says(
    open_night: OpenNight, name: str
) -> None:
    kind, ends = name.partition(" ")[0], NIGHTS[name]
    pending = PENDING if "pending" in name else None
    night = await open_night(kind, pending, settings=SETTINGS.get(name))
    kept = night.buy(kind, 1)
    refs = {bought(night, kind, end): end for end in ends}
    await all_pulled(night, kind, [kept, *refs], lambda _: True)
    ours = sum(not end.by_channel for end in ends)
    assert await night.stock() == (40, 1 + 2 * ours)
    for step, shows in SHOWS.items():
        having = [ref for ref, end in refs.items() if step in end.before]
        for ref in having:
            night.sandbox.act(kind, ref, step)
        await all_pulled(night, kind, having, shows)

    for ref, end in refs.items():
        night.sandbox.act(kind, ref, end.end)
    await all_pulled(night, kind, list(refs), lambda seen: seen.cancelled)
    await worked_twice(night, kind)

    for ref, end in refs.items():
        await check(night, kind, ref, end, moves_by(kind, 1 + ours))
    weighing = sum(end.weighs for end in ends)
    last = (await night.rows(select(PenaltyEntry).order_by(PenaltyEntry.id)))[-1]
    assert values(last)[1] == pytest.approx(weighing * moves_by(kind, 1 + ours))
    assert await night.stock() == (40 - 2 * sum(end.shipped for end in ends), 1)
    assert await released(night) == [-2] * ours


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        # The window holds orders placed in it, and this one was placed ten days ago.
        ({}, (0.0, 0.0)),
        ({"count_by": "cancel_date", "as_of": "2026-11-01"}, (0.0, 100.0)),
    ],
    ids=["by order date", "by cancel date"],
)
async def test_what_amazon_ends_seven_days_after_its_ship_by_date_counts(
    open_night: OpenNight, metrics: dict[str, Any], expected: tuple[float, float]
) -> None:
    night = await open_night("amazon", metrics=metrics)
    ref = night.buy("amazon", 2)
    ship_by = (await night.pulled("amazon", ref)).ship_by
    assert ship_by is not None
    left = (ship_by + timedelta(days=7) - night.runtime.clock.now()).total_seconds()
    with pytest.raises(Exception, match="409"):
        night.sandbox.act("amazon", ref, "lapse")

    night.sandbox.move_clock(left + 60)
    night.runtime.clock.offset = timedelta(seconds=left + 60)
    kept = night.buy("amazon", 1)
    await night.pulled("amazon", kept)
    night.sandbox.act("amazon", ref, "lapse")
    await night.pulled_until("amazon", ref, lambda seen: seen.cancelled)
    await worked_twice(night, "amazon")

    row = await night.cancellation("amazon", ref)
    assert row is not None
    assert (row.state, row.reason) == ("observed", "marketplace_lapsed")
    [entry] = await night.rows(select(PenaltyEntry))
    assert (entry.counts_against_metric, entry.weighs) == ("yes", True)
    assert values(entry) == expected
    assert (await night.stock(), await released(night)) == ((40, 1), [-2])


async def test_a_buyer_who_asked_before_the_units_ran_short_is_the_one_who_ended_it(
    open_night: OpenNight,
) -> None:
    night = await open_night("amazon", units=3, desk_policy="review")
    kept = night.buy("amazon", 1)
    await night.pulled("amazon", kept)
    ref = night.buy("amazon", 2)
    await night.pulled("amazon", ref)
    night.sandbox.act("amazon", ref, "ask-cancel")
    await night.pulled_until("amazon", ref, lambda seen: seen.buyer_asked_to_cancel)
    await night.damage(2)
    await desk.work(night.runtime)

    now = night.runtime.clock.now()
    async with night.runtime.database.transaction() as session:
        told = BuyerAsked(person="mori")
        wish = await buyer_requests.record(session, "amazon", ref, told, by="a key", now=now)
        await decide_cancellation(session, wish.cancellation_id, approve=True, by="mori", now=now)

    async def closed() -> bool:
        [case] = await night.rows(select(Oversell))
        return bool(case.state == "closed")

    await night.desk_until(closed)
    ended = night.sandbox.order("amazon", ref)
    assert (ended["cancelled_by"], ended["cancel_code"]) == ("seller", "BuyerCanceled")
    [entry] = await night.rows(select(PenaltyEntry))
    assert (entry.order_ref, entry.counts_against_metric, entry.weighs) == (ref, "no", False)
    assert values(entry) == (0, 0)
    assert (await night.stock(), await released(night)) == ((1, 1), [-2])


async def test_what_shopify_has_not_captured_costs_no_fee(open_night: OpenNight) -> None:
    night = await open_night(
        "shopify",
        {"capture_at_shipment": True},
        units=3,
        metrics={"fee_percent": 3.4, "captured": "at_shipment"},
    )
    ref = night.buy("shopify", 2)
    await night.pulled("shopify", ref)
    await night.damage(2)

    async def confirmed() -> bool:
        row = await night.cancellation("shopify", ref)
        return row is not None and row.state == "confirmed"

    await night.desk_until(confirmed)
    ended = night.sandbox.order("shopify", ref)
    assert (ended["cancelled_by"], ended["cancel_code"]) == ("seller", "INVENTORY")
    [entry] = await night.rows(select(PenaltyEntry))
    assert (entry.counts_against_metric, values(entry)) == ("no", (0, 0))
    assert (await night.stock(), await released(night)) == ((1, 0), [-2])


# What staff do to an order of two mugs and two tees; then on hand and reserved of each; then what
# is on record of it: units by SKU, and who asked, as far as the channel tells.
PARTS: dict[str, tuple[tuple[str, ...], tuple[int, int], tuple[int, int], dict[str, int], str]] = {
    "rakuten": (("delete-line",), (10, 2), (10, 0), {"TEE": 2}, "unknown"),
    "yahoo": (("lower",), (10, 1), (10, 2), {"MUG": 1}, "unknown"),
    "amazon": (("ship-part", "adjust-rest"), (8, 0), (9, 0), {"TEE": 1}, "shop_out_of_stock"),
    "shopify": (("drop-unit",), (10, 1), (10, 2), {"MUG": 1}, "unknown"),
}


@pytest.mark.parametrize("kind", PARTS)
async def test_a_part_that_staff_take_out_is_released_and_on_record_once(
    open_night: OpenNight, kind: str
) -> None:
    done, mugs, tees, ended, cause = PARTS[kind]
    night = await open_night(kind, units=10, skus=("MUG", "TEE"))
    ref = night.sandbox.buy(kind, {channel_sku(kind, sku): 2 for sku in ("MUG", "TEE")})
    await night.pulled(kind, ref)
    for step in done:
        night.sandbox.act(kind, ref, step)

    async def released_here() -> bool:
        await night.pull(kind)
        return (await night.stock("MUG"), await night.stock("TEE")) == (mugs, tees)

    await night.until(released_here)
    await worked_twice(night, kind)
    assert (await night.stock("MUG"), await night.stock("TEE")) == (mugs, tees)
    assert await night.rows(select(Cancellation)) == []
    [entry] = await night.rows(select(PenaltyEntry))
    assert {line["sku"]: line["units"] for line in entry.lines} == ended
    counts = "no" if kind == "shopify" else "unconfirmed"
    assert (entry.part, entry.cause, entry.counts_against_metric) == (1, cause, counts)
    assert entry.weighs is (kind in {"amazon", "shopify"})
