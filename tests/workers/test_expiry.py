"""Reservations whose time is over are given back, each once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from inventory.facts import ReservationAsked, SaleLine, SaleReceived, Status, StockReceived
from inventory.models import Fact, Reservation, StockLevel
from tests.conftest import Save
from tests.factories import SkuFactory
from workers import process, sweep
from workers.runtime import Runtime

LINE = SaleLine(line_ref="1", sku="MUG", quantity=2)


@pytest.fixture
async def mug(runtime: Runtime, save: Save) -> None:
    """The SKU MUG with 100 units on the shelf."""
    await save(SkuFactory.build(code="MUG"))
    now = runtime.clock.now()
    await runtime.ledger.apply(
        [StockReceived(channel_id=0, fact_ref="in", occurred_at=now, sku="MUG", quantity=100)]
    )


async def hold(runtime: Runtime, ref: str, *, seconds: float | None) -> None:
    """Two mugs are held until `seconds` from now, or without an end."""
    now = runtime.clock.now()
    ends = None if seconds is None else now + timedelta(seconds=seconds)
    asked = ReservationAsked(
        channel_id=0, fact_ref=ref, occurred_at=now, lines=(LINE,), expires_at=ends
    )
    [outcome] = await runtime.ledger.apply([asked])
    assert outcome.status is Status.GRANTED


async def balance(runtime: Runtime) -> tuple[int, int]:
    """On hand and reserved of MUG."""
    async with runtime.database.sessions() as session:
        level = (await session.scalars(select(StockLevel))).one()
    return level.on_hand, level.reserved


async def given_back(runtime: Runtime) -> list[str]:
    """The names of all releases."""
    async with runtime.database.sessions() as session:
        query = select(Fact.fact_ref).where(Fact.kind == "release").order_by(Fact.fact_ref)
        return list(await session.scalars(query))


async def test_a_reservation_ends_at_its_time_and_only_once(
    runtime: Runtime, rival: Runtime, mug: None
) -> None:
    for ref, seconds in (("r-0", -1), ("r-1", 3600), ("r-2", None)):
        await hold(runtime, ref, seconds=seconds)

    await asyncio.gather(process.expire(runtime), process.expire(rival))

    assert await process.expire(runtime) == 0
    assert await given_back(runtime) == ["expired:r-0"]
    assert await balance(runtime) == (100, 4)


async def test_many_that_end_at_once_are_given_back_in_modest_commits_until_none_is_left(
    runtime: Runtime, mug: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "EXPIRE_BATCH", 3)
    monkeypatch.setattr(process, "EXPIRE_READ", 7)
    monkeypatch.setattr(process, "PAUSE_TIMES", 0)
    commits: list[int] = []
    apply = runtime.ledger.apply

    async def watched(facts: list[ReservationAsked]) -> object:
        commits.append(len(facts))
        return await apply(facts)

    for number in range(20):
        await hold(runtime, f"r-{number:02}", seconds=-1)
    monkeypatch.setattr(runtime.ledger, "apply", watched)

    assert await process.expire(runtime) == 20

    assert commits == [3, 3, 1, 3, 3, 1, 3, 3]
    assert await given_back(runtime) == [f"expired:r-{number:02}" for number in range(20)]
    assert await balance(runtime) == (100, 0)
    async with runtime.database.sessions() as session:
        assert not list(await session.scalars(select(Reservation.fact_id)))


async def test_what_is_left_after_a_minute_is_rung_for_again(
    runtime: Runtime, mug: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rings: list[str] = []
    monkeypatch.setattr(process, "EXPIRE_READ", 2)
    monkeypatch.setattr(process, "EXPIRE_SECONDS_MAX", -1)
    monkeypatch.setattr(runtime, "ring", lambda name, *_: rings.append(name))
    for number in range(5):
        await hold(runtime, f"r-{number}", seconds=-1)

    for left in (3, 1, 0):
        rings.clear()
        await process.expire(runtime)
        assert rings == ["refresh"]
        await sweep.work(runtime)
        assert ("expire" in rings) is bool(left)
        assert await balance(runtime) == (100, 2 * left)


async def test_one_that_an_order_has_taken_meanwhile_is_not_given_back_a_second_time(
    runtime: Runtime, mug: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order comes between the look at what is over and the commit that gives it back."""
    await hold(runtime, "r-0", seconds=-1)
    await hold(runtime, "r-1", seconds=-1)
    give_back = process._give_back

    async def order_comes_first(runtime: Runtime, over: list[process.Over]) -> int:
        now = runtime.clock.now()
        sale = SaleReceived(
            channel_id=0,
            fact_ref="sale:o-1",
            occurred_at=now,
            order_ref="o-1",
            lines=(LINE,),
            reservation_ref="r-0",
        )
        await runtime.ledger.apply([sale])
        return await give_back(runtime, over)

    monkeypatch.setattr(process, "_give_back", order_comes_first)

    await process.expire(runtime)

    assert await balance(runtime) == (100, 2)
