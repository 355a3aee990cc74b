"""Low stock and other alerts: fired once on crossing, closed by themselves, told once each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text

from inventory import alerts
from inventory.alerting.rules import NewRule, add_rule, remove_rule
from inventory.db import Database
from inventory.errors import BadInput, NotFound, UnknownSku
from inventory.facts import (
    SaleLine,
    SaleReceived,
    StockTransferred,
)
from inventory.ledger import Ledger
from inventory.models import Location, Sku
from tests.conftest import Save
from tests.factories import NOON, SkuFactory, StockLevelFactory
from tests.notices.buyers import Buyers, told
from tests.notices.conftest import Endpoint


async def test_fires_once_when_stock_falls_to_the_level_and_closes_above_it(
    buyers: Buyers, database: Database
) -> None:
    await buyers.rule(level=5)
    changes = []
    for change in (-2, -1, -1, +1, -3, +4, +1):  # 6, 5, 4, 5, 2, 6, 7
        await buyers.move(change)
        changes.append(await buyers.look())

    assert changes == [0, 1, 0, 0, 0, 1, 0]
    assert await buyers.held() == [("closed", "sku:MUG", 5, 5)]
    [(fired, first), (closed, second)] = await told(database)
    assert (fired, closed) == ("alert.fired", "alert.closed")
    advice = first.pop("advice")
    assert (advice["sku"], advice["available"], advice["sold_per_day"]) == ("MUG", 5, None)
    assert first == {
        "team": None,
        "id": first["id"],
        "kind": "low_stock",
        "subject": "sku:MUG",
        "rule_id": 1,
        "detail": {"sku": "MUG", "name": "Blue mug", "available": 5, "level": 5},
        "fired_at": "2026-11-21T12:00:00Z",
        "closed_at": None,
    }
    assert second == {
        "team": None,
        "advice": None,
        "id": first["id"],
        "kind": "low_stock",
        "subject": "sku:MUG",
        "rule_id": 1,
        "detail": {"sku": "MUG", "name": "Blue mug", "available": 6, "level": 5},
        "fired_at": "2026-11-21T12:00:00Z",
        "closed_at": "2026-11-21T12:00:00Z",
    }


async def test_next_crossing_is_a_new_alert(buyers: Buyers) -> None:
    await buyers.rule(level=5)
    for change in (-3, +1, -1):
        await buyers.move(change)
        assert await buyers.look() == 1

    assert await buyers.held() == [("closed", "sku:MUG", 5, 5), ("open", "sku:MUG", 5, 5)]


async def test_ten_evaluations_at_once_fire_one_alert(buyers: Buyers, database: Database) -> None:
    await buyers.rule(level=5)
    await buyers.move(-3)

    changes = await asyncio.gather(*(buyers.look() for _ in range(10)))

    assert sorted(changes) == [0] * 9 + [1]
    assert await buyers.held() == [("open", "sku:MUG", 5, 5)]
    assert [event for event, _ in await told(database)] == ["alert.fired"]


async def test_database_itself_refuses_a_second_open_alert(
    buyers: Buyers, database: Database
) -> None:
    await buyers.rule(level=5)
    await buyers.move(-3)
    await buyers.look()
    statement = text(
        "INSERT INTO alert (kind, subject, rule_id, detail, fired_at)"
        " SELECT kind, subject, rule_id, detail, fired_at FROM alert"
        " ON CONFLICT DO NOTHING RETURNING id"
    )

    async with database.transaction() as session:
        assert (await session.execute(statement)).all() == []


async def test_the_last_one_to_look_has_the_last_word(buyers: Buyers, database: Database) -> None:
    """Stock is back before the alert of the shortage is committed: it must not stay open."""
    await buyers.rule(level=5)
    await buyers.move(-3)
    async with database.transaction() as session:
        sku_ids = list(await session.scalars(select(Sku.id)))
        assert await alerts.evaluate(session, sku_ids, NOON) == 1
        await buyers.move(+3)
        later = asyncio.create_task(buyers.look())
        await _until_it_waits(database, later)

    assert await later == 1
    assert await buyers.held() == [("closed", "sku:MUG", 5, 5)]


async def _until_it_waits(database: Database, task: asyncio.Task[Any]) -> None:
    """Until the task's transaction waits for a lock, or the task is done. No event says so."""
    pool = await database.pool()
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not task.done() and not await pool.fetchval(query):  # noqa: ASYNC110 -- see above
        await asyncio.sleep(0.01)


async def test_reserved_units_and_stock_that_cannot_be_sold_do_not_count(
    buyers: Buyers, ledger: Ledger, save: Save
) -> None:
    await save(Location(code="repair", sellable=False))
    await buyers.rule(level=5)
    await ledger.apply(
        [
            SaleReceived(
                channel_id=0,
                fact_ref="o-1",
                order_ref="o-1",
                occurred_at=NOON,
                lines=(SaleLine(line_ref="1", sku="MUG", quantity=2),),
            )
        ]
    )
    assert await buyers.look() == 0
    await ledger.apply(
        [
            StockTransferred(
                channel_id=0,
                fact_ref="t-1",
                occurred_at=NOON,
                sku="MUG",
                quantity=1,
                from_location="main",
                to_location="repair",
            )
        ]
    )

    assert await buyers.look() == 1
    assert await buyers.held() == [("open", "sku:MUG", 5, 5)]


async def test_general_rule_is_for_every_sku_without_a_rule_of_its_own(
    buyers: Buyers, save: Save
) -> None:
    await save(SkuFactory.build(code="TEE"), SkuFactory.build(code="PEN"))
    await buyers.move(3, sku="TEE")
    await buyers.move(4, sku="PEN")
    await buyers.rule(level=1, sku="TEE")

    await buyers.rule(level=3, sku=None)
    assert await buyers.held() == []
    await buyers.move(-1, sku="PEN")
    await buyers.move(-1, sku="TEE")
    await buyers.move(-5)
    assert await buyers.look() == 2

    assert await buyers.held() == [("open", "sku:MUG", 3, 3), ("open", "sku:PEN", 3, 3)]
    await buyers.move(-1, sku="TEE")
    assert await buyers.look() == 1
    assert (await buyers.held())[2:] == [("open", "sku:TEE", 1, 1)]


async def test_sku_gets_a_rule_of_its_own_and_the_general_alert_closes(buyers: Buyers) -> None:
    await buyers.move(-4)
    await buyers.rule(level=5, sku=None)
    await buyers.rule(level=2)

    assert await buyers.held() == [("closed", "sku:MUG", 4, 5)]


async def test_sku_never_received_counts_as_nothing_available(buyers: Buyers, save: Save) -> None:
    await save(SkuFactory.build(code="NEW"))
    await buyers.rule(level=0, sku=None)

    assert await buyers.held() == [("open", "sku:NEW", 0, 0)]


async def test_new_rule_tells_of_what_is_low_already(buyers: Buyers, database: Database) -> None:
    await buyers.rule(level=8)

    assert await buyers.held() == [("open", "sku:MUG", 8, 8)]
    assert [event for event, _ in await told(database)] == ["alert.fired"]


async def test_removed_rule_closes_its_alert_and_the_general_rule_takes_over(
    buyers: Buyers, database: Database
) -> None:
    await buyers.rule(level=9, sku=None)
    own = await buyers.rule(level=8)
    assert [state for state, *_ in await buyers.held()] == ["closed", "open"]

    async with database.transaction() as session:
        await remove_rule(session, own, by="mori", now=NOON)

    assert await buyers.held() == [
        ("closed", "sku:MUG", 8, 9),
        ("closed", "sku:MUG", 8, 8),
        ("open", "sku:MUG", 8, 9),
    ]
    async with database.transaction() as session:
        with pytest.raises(NotFound):
            await remove_rule(session, own, by="mori", now=NOON)
        with pytest.raises(NotFound):
            await remove_rule(session, 999, by="mori", now=NOON)


@pytest.mark.parametrize("level", [-1, 1_000_000_001])
async def test_absurd_level_and_unknown_sku_are_refused(
    buyers: Buyers, database: Database, level: int
) -> None:
    async with database.transaction() as session:
        with pytest.raises(BadInput):
            await add_rule(session, NewRule(sku="MUG", level=level), by="mori", now=NOON)
        with pytest.raises(UnknownSku):
            await add_rule(session, NewRule(sku="CUP", level=1), by="mori", now=NOON)
        assert (await session.execute(text("SELECT count(*) FROM alert_rule"))).scalar_one() == 0


async def test_evaluating_nothing_changes_nothing(buyers: Buyers, database: Database) -> None:
    await buyers.move(-8)
    await buyers.rule(level=-0)
    async with database.transaction() as session:
        assert await alerts.evaluate(session, [], NOON) == 0
        assert await alerts.evaluate(session, [999], NOON) == 0
    assert [state for state, *_ in await buyers.held()] == ["open"]


async def test_a_hundred_skus_in_one_evaluation(
    database: Database, save: Save, endpoint: Endpoint
) -> None:
    skus = [SkuFactory.build(code=f"S-{number:03}") for number in range(100)]
    await save(*skus)
    await save(*(StockLevelFactory.build(sku_id=sku.id, on_hand=sku.id % 10) for sku in skus))
    low = sum(sku.id % 10 <= 3 for sku in skus)
    await endpoint()

    async with database.transaction() as session:
        await add_rule(session, NewRule(level=3), by="mori", now=NOON)
        fired = await session.scalar(text("SELECT count(*) FROM alert WHERE state = 'open'"))

    assert fired == low == 40
    assert await told(database) == []
