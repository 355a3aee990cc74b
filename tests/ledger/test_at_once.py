"""Calls of many at once on a real ledger: a bad line, a basket, a lost answer hurt nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest

from inventory import ledger as door
from inventory.booking import ledger_write
from inventory.db import Database
from inventory.errors import LedgerUnavailable
from inventory.facts import (
    RECORDED,
    LineUnits,
    ReservationAsked,
    SaleLine,
    Status,
    StockReceived,
)
from inventory.ledger import Ledger
from tests.conftest import HandClock
from tests.factories import NOON
from tests.ledger.told import ask, cancel, levels, received, sale, statuses
from tests.rivals import ANSWER, Staged

SEVERAL = 5


async def test_a_caller_that_goes_away_during_the_commit_has_told_its_fact(
    database: Database, ledger: Ledger, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, begun = ledger_write.write, asyncio.Event()

    async def noted(*args: Any, **kwargs: Any) -> None:
        begun.set()
        await write(*args, **kwargs)

    monkeypatch.setattr(ledger_write, "write", noted)
    leaving = asyncio.create_task(ledger.apply([sale("o-1", 2)]))
    staying = asyncio.create_task(ledger.apply([sale("o-2", 3)]))
    await begun.wait()
    leaving.cancel()
    await staying
    [again] = await ledger.apply([sale("o-1", 2)])
    assert leaving.cancelled()
    assert again.repeated
    assert await levels(database) == {(mug, "main"): (8, 5)}


TOO_MANY = StockReceived(
    channel_id=0, fact_ref="in-many", occurred_at=NOON, sku="MUG", quantity=1_000_000
)
BAD: dict[str, tuple[Any, str]] = {
    "a channel that is not there": (
        cancel("o-9", LineUnits(line_ref="1", quantity=1), ref="c-9"),
        "bad_input",
    ),
    "a text that PostgreSQL cannot hold": (sale("o\x009"), "too_many"),
    "a time without its zone": (received("in-9", 1), "bad_input"),
    "half of a letter": (sale("o-\ud800"), "bad_input"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_line_fails_alone_among_the_calls_of_others(
    database: Database, ledger: Ledger, mug: str, name: str
) -> None:
    bad, code = BAD[name]
    if "channel" in name:
        bad = msgspec.structs.replace(bad, channel_id=999)
    if "zone" in name:
        bad = msgspec.structs.replace(bad, occurred_at=NOON.replace(tzinfo=None))
    good = [ledger.apply([sale(f"o-{n}")]) for n in range(SEVERAL)]
    [refused], *answers = await asyncio.gather(ledger.apply([bad]), *good)
    assert (refused.status, refused.code) == (Status.REFUSED, code)
    assert answers == [[RECORDED]] * SEVERAL
    assert await levels(database) == {(mug, "main"): (8, SEVERAL)}


async def test_a_balance_that_would_leave_its_column_fails_alone(
    database: Database, ledger: Ledger, mug: str
) -> None:
    pool = await database.pool()
    await pool.execute(
        "INSERT INTO movement (fact_id, revision, recorded_at, occurred_at, sku_id, location_id,"
        " on_hand_delta, reserved_delta, line, kind)"
        " SELECT 1, 2, now(), now(), sku_id, location_id, 2147000000, 0, 0, 'receive'"
        " FROM stock_level"
    )
    await pool.execute("UPDATE stock_level SET on_hand = on_hand + 2147000000, revision = 2")
    answers = await asyncio.gather(
        *(ledger.apply([sale(f"o-{n}")]) for n in range(SEVERAL)),
        ledger.apply([sale("o-10"), TOO_MANY, sale("o-11")]),
        ledger.apply([sale("o-12"), TOO_MANY], together=True),
    )
    codes = [[outcome.code for outcome in answer] for answer in answers]
    assert codes == [[""]] * SEVERAL + [["", "too_many", ""], ["too_many", "too_many"]]
    assert await levels(database) == {(mug, "main"): (2147000008, SEVERAL + 2)}


async def test_baskets_are_all_or_nothing_in_the_midst_of_others(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([received("in-2", 3, sku="TEE")])

    def basket(ref: str, mugs: int, tees: int) -> ReservationAsked:
        lines = (
            SaleLine(line_ref="1", sku="MUG", quantity=mugs),
            SaleLine(line_ref="2", sku="TEE", quantity=tees),
            SaleLine(line_ref="3", sku="MUG", quantity=1),
        )
        return ReservationAsked(channel_id=0, fact_ref=ref, occurred_at=NOON, lines=lines)

    answers = await asyncio.gather(
        ledger.apply([basket("b-1", 2, 2)]),
        ledger.apply([basket("b-2", 1, 2)]),  # one TEE is left
        ledger.apply([basket("b-3", 5, 1)]),  # five MUGs are left, and it wants six
        ledger.apply([basket("b-4", 4, 1)]),
        ledger.apply([ask("r-1", 1)]),
    )
    granted, refused = Status.GRANTED, Status.REFUSED
    assert [status for [status] in map(statuses, answers)] == [
        *(granted, refused, refused, granted, refused),
    ]
    assert await levels(database) == {(mug, "main"): (8, 8), ("TEE", "main"): (3, 3)}


async def test_facts_that_belong_together_leave_nothing_in_the_midst_of_others(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([sale("o-0")])
    answers = await asyncio.gather(
        ledger.apply([sale("o-1"), sale("o-2")], together=True),
        ledger.apply(
            [sale("o-0"), sale("o-3"), sale("o-4", sku="NONE"), cancel("o-1")], together=True
        ),
        ledger.apply([sale("o-3", 2)]),
        ledger.apply([sale("o-3"), sale("o-5")], together=True),
    )
    codes = [[outcome.code for outcome in answer] for answer in answers]
    assert codes == [
        ["", ""],
        # What was booked before the call is answered as it was then.
        ["", "not_together", "unknown_sku", "not_together"],
        [""],
        ["content_differs", "not_together"],
    ]
    assert answers[1][0].repeated
    assert await levels(database) == {(mug, "main"): (8, 5)}


async def test_a_name_that_is_always_taken_hurts_nobody_else(
    database: Database, ledger: Ledger, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the cause of it: here a batch with this sale always meets its name."""
    write = ledger_write.write

    async def refused(connection: Any, page: Any, entries: Any, **kwargs: Any) -> None:
        if any(entry.fact_ref == "o-bad" for entry in entries):
            raise asyncpg.UniqueViolationError("duplicate key value")
        await write(connection, page, entries, **kwargs)

    monkeypatch.setattr(ledger_write, "write", refused)
    answers = await asyncio.gather(
        *(ledger.apply([sale(ref)]) for ref in ("o-1", "o-bad", "o-2", "o-3")),
        return_exceptions=True,
    )
    assert isinstance(answers.pop(1), asyncpg.UniqueViolationError)
    assert answers == [[RECORDED]] * 3
    assert await levels(database) == {(mug, "main"): (8, 3)}


async def test_when_the_database_stays_away_all_are_told_and_may_tell_again(
    database_url: str, database: Database, clock: HandClock, mug: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(door, "LOST_SECONDS_MAX", 0.0)
    stage = Staged(database_url)
    ledger = Ledger(stage, clock)
    stage.play({ANSWER: stage.lose_answer})
    lost = await asyncio.gather(
        *(ledger.apply([sale(f"o-{n}")]) for n in range(SEVERAL)), return_exceptions=True
    )
    monkeypatch.undo()
    again = await asyncio.gather(*(ledger.apply([sale(f"o-{n}")]) for n in range(SEVERAL)))
    await stage.aclose()
    kinds = {type(answer) for answer in lost}
    assert LedgerUnavailable in kinds
    assert kinds <= {LedgerUnavailable, list}
    assert all(answer.status is Status.RECORDED for [answer] in again)
    assert await levels(database) == {(mug, "main"): (8, SEVERAL)}
