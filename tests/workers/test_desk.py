"""The oversell desk against real marketplaces: from a broken cup to a truthful cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from inventory.models import Oversell, OversellStep, PenaltyEntry
from inventory.oversells import decide_cancellation
from tests.workers.night import KINDS, Night
from workers import desk
from workers.runtime import Runtime

CODES = {"rakuten": "8", "yahoo": "210", "amazon": "NoInventory", "shopify": "INVENTORY"}
# Only the last of a cancellation's calls can be done without an answer.
CANCELS = {
    "rakuten": "cancelOrder",
    "yahoo": "orderStatusChange",
    "amazon": "feedType",
    "shopify": "orderCancel",
}


async def oversold(night: Night, kind: str, **channel: Any) -> str:
    """Ten cups, six of them sold in two orders, and then only three left: the newest order."""
    await night.open(kind, units=10, **channel)
    old = night.buy(kind, 3)
    await night.pulled(kind, old)
    await night.full_second()
    new = night.buy(kind, 3)
    await night.pulled(kind, new)
    await night.damage(7)
    await night.round()
    return new


async def case_closed(night: Night) -> bool:
    """Whether the one case is closed."""
    [case] = await night.rows(select(Oversell))
    return bool(case.state == "closed")


async def penalties(night: Night) -> list[tuple[str, str]]:
    """The penalties on record: (order, reason code)."""
    entries = await night.rows(select(PenaltyEntry))
    return [(entry.order_ref, entry.reason_code) for entry in entries]


def given_up(night: Night, kind: str) -> list[tuple[str, str, str, bool]]:
    """What the marketplace has cancelled: (order, by, code, whether put back on display)."""
    return [
        (order["ref"], order["cancelled_by"], order["cancel_code"], order["restocked"])
        for order in night.sandbox.books(kind)["orders"]
        if order["state"] == "cancelled"
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_shortage_ends_in_one_truthful_cancellation(night: Night, kind: str) -> None:
    new = await oversold(night, kind)
    zeroed = night.shown()

    await night.desk_until(lambda: case_closed(night))

    assert zeroed == {kind: 0}
    assert given_up(night, kind) == [(new, "seller", CODES[kind], False)]
    cancellation = await night.cancellation(kind, new)
    assert cancellation is not None
    assert (cancellation.state, cancellation.attempts) == ("confirmed", 1)
    assert await penalties(night) == [(new, CODES[kind])]
    assert await night.stock() == (3, 3)
    assert night.shown() == {kind: 0}
    steps = {step.step for step in await night.rows(select(OversellStep))}
    assert {"detected", "listings_to_zero", "chosen", "submitted", "confirmed", "closed"} <= steps


@pytest.mark.parametrize(
    ("kind", "done"), [*((kind, True) for kind in KINDS), ("yahoo", False), ("shopify", False)]
)
async def test_a_cancellation_without_an_answer_is_looked_at_before_it_is_sent_again(
    night: Night, kind: str, done: bool
) -> None:
    new = await oversold(night, kind)
    night.wire.cut(CANCELS[kind], before=not done)

    await desk.work(night.runtime)
    cancellation = await night.cancellation(kind, new)
    assert cancellation is not None
    assert (cancellation.state, cancellation.reference) == ("submitted", None)
    if not done:
        # The time in which a late effect may still show is over.
        await night.execute("UPDATE cancellation SET submitted_at = now() - interval '3 minutes'")
    await night.desk_until(lambda: case_closed(night))

    assert given_up(night, kind) == [(new, "seller", CODES[kind], False)]
    cancellation = await night.cancellation(kind, new)
    assert cancellation is not None
    assert (cancellation.state, cancellation.attempts) == ("confirmed", 1 if done else 2)
    assert len(await penalties(night)) == 1


@pytest.mark.parametrize("kind", ["rakuten", "shopify"])
async def test_a_cancellation_taken_and_ignored_is_never_called_confirmed(
    night: Night, kind: str
) -> None:
    new = await oversold(night, kind)
    night.sandbox.break_with(kind, ignore_writes=1)

    for _ in range(3):
        await desk.work(night.runtime)
        await night.patience()

    cancellation = await night.cancellation(kind, new)
    assert cancellation is not None
    assert cancellation.state == "submitted"
    assert given_up(night, kind) == []
    assert await penalties(night) == []


async def test_a_shop_that_reviews_gives_up_no_order_before_a_person_says_so(night: Night) -> None:
    new = await oversold(night, "shopify", desk_policy="review")

    for _ in range(3):
        await desk.work(night.runtime)
    waiting = await night.cancellation("shopify", new)
    assert waiting is not None
    assert (waiting.state, given_up(night, "shopify")) == ("proposed", [])
    assert ("cancellation_proposed", f"cancellation:{waiting.id}") in await night.alerts()

    async with night.runtime.database.transaction() as session:
        now = night.runtime.clock.now()
        await decide_cancellation(session, waiting.id, approve=True, by="mori", now=now)
    await night.desk_until(lambda: case_closed(night))

    assert given_up(night, "shopify") == [(new, "seller", "INVENTORY", False)]


async def test_what_yahoo_closes_stays_closed_until_a_person_opens_it_there(night: Night) -> None:
    await oversold(night, "yahoo")
    await night.desk_until(lambda: case_closed(night))
    await night.rounds(1)
    closed = await night.listing("yahoo")
    await night.receive("MUG", 5)
    await night.rounds(2)
    still = night.sandbox.displayed("yahoo")

    night.reopen("yahoo", 0)
    await night.agree(5)

    assert (closed.closed_by_channel, still) == (True, {"mug:x": 0})
    assert not (await night.listing("yahoo")).closed_by_channel


@pytest.mark.parametrize("kind", ["rakuten", "amazon"])
async def test_two_desks_cancel_once(night: Night, rival: Runtime, kind: str) -> None:
    new = await oversold(night, kind)

    async def both_closed() -> bool:
        await night.patience()
        await asyncio.gather(desk.work(night.runtime), desk.work(rival))
        return await case_closed(night)

    await night.until(both_closed)

    assert given_up(night, kind) == [(new, "seller", CODES[kind], False)]
    assert await penalties(night) == [(new, CODES[kind])]
    cancellation = await night.cancellation(kind, new)
    assert cancellation is not None
    assert cancellation.attempts == 1
