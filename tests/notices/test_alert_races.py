"""Workers, the watch and people at the same alerts at once: nobody waits in a circle."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import select

from inventory import alerts, listings
from inventory.alerting import beat, people
from inventory.alerting.rules import remove_rule
from inventory.alerting.sql import LOCK
from inventory.db import Database
from inventory.errors import InventoryError
from inventory.listings import Margins
from inventory.models import Alert, Sku
from tests.conftest import Save
from tests.factories import NOON, SkuFactory, StockLevelFactory
from tests.notices.buyers import Buyers, told
from tests.rivals import until_waiting

ROUNDS = 6


async def test_flapping_digests_escalations_and_people_at_once(
    buyers: Buyers, database: Database, save: Save
) -> None:
    skus = [SkuFactory.build(code=f"S-{number:02}") for number in range(20)]
    await save(*skus)
    await save(*(StockLevelFactory.build(sku_id=sku.id, on_hand=9) for sku in skus))
    await buyers.team("heads", digest_over=0, digest_minutes=1)
    await buyers.team(
        "night", escalates_to="heads", escalate_minutes=1, digest_over=0, digest_minutes=1
    )
    await buyers.rule(level=5, sku=None, team="night")
    pool = await database.pool()

    async def flap(turn: int) -> None:
        await pool.execute("UPDATE stock_level SET on_hand = $1", 2 if turn % 2 else 9)
        async with database.transaction() as session:
            ids = list(await session.scalars(select(Sku.id).order_by(Sku.id.desc())))
            await alerts.evaluate(session, ids, NOON + timedelta(minutes=turn))

    async def person(turn: int) -> None:
        now = NOON + timedelta(minutes=turn)
        async with database.sessions() as session:
            ids = list(await session.scalars(select(Alert.id).where(Alert.state == "open")))
        for alert_id in ids[::3]:
            try:
                async with database.transaction() as session:
                    until = now + timedelta(minutes=1)
                    await people.snooze(session, alert_id, until=until, by="sato", now=now)
            except InventoryError:  # it has closed itself meanwhile
                continue

    for turn in range(ROUNDS):
        at = NOON + timedelta(minutes=turn, seconds=30)
        await asyncio.gather(flap(turn), person(turn), buyers.beat(at), flap(turn), person(turn))

    await flap(ROUNDS)
    states = await pool.fetch("SELECT state, count(*) FROM alert GROUP BY state")
    assert [row["state"] for row in states] == ["closed"]
    for minute in (20, 40):
        await buyers.beat(NOON + timedelta(minutes=minute))
    assert await pool.fetchval("SELECT count(*) FROM alert_message WHERE told_at IS NULL") == 0
    assert {event for event, _ in await told(database)} <= {"alert.digest"}


async def test_expected_supply_is_looked_at_without_being_asked(
    buyers: Buyers, database: Database, margins: Margins
) -> None:
    """The ledger leaves a stale mark where only what is expected has changed."""
    await buyers.pace(2.0)
    await buyers.rule(level=None, kind="stock_out")
    async with database.transaction() as session:
        await listings.refresh(session, margins=margins, now=NOON)
    assert [state for state, *_ in await buyers.held()] == ["open"]

    await buyers.expect(50, (NOON + timedelta(days=1)).date())
    async with database.transaction() as session:
        marked = await listings.refresh(session, margins=margins, now=NOON)
        await alerts.evaluate(session, marked, NOON)
    assert [state for state, *_ in await buyers.held()] == ["closed"]


async def test_a_rule_is_removed_while_a_worker_judges_its_skus(
    buyers: Buyers, database: Database
) -> None:
    """The worker has the SKU, and closes the alert that the removal closes as well."""
    rule = await buyers.rule(level=8)
    await buyers.look()
    await buyers.move(5)

    async def remove() -> None:
        async with database.transaction() as session:
            await remove_rule(session, rule, by="mori", now=NOON)

    async with database.transaction() as session:
        sku_ids = list(await session.scalars(select(Sku.id)))
        await session.execute(LOCK, {"all": False, "ids": sku_ids})
        removal = asyncio.create_task(remove())
        await until_waiting(database, removal)
        await alerts.evaluate(session, sku_ids, NOON)
    await removal

    assert [state for state, *_ in await buyers.held()] == ["closed"]


async def test_two_at_the_same_digest_send_one(buyers: Buyers, database: Database) -> None:
    await buyers.team("night", digest_over=0)
    await buyers.rule(level=8, team="night")
    await buyers.look()
    later = NOON + timedelta(minutes=2)

    async def send() -> int:
        async with database.transaction() as session:
            return await beat.digests(session, later)

    async with database.transaction() as session:
        assert await beat.digests(session, later) == 1
        rival = asyncio.create_task(send())
        await until_waiting(database, rival)

    assert await rival == 0
    assert [event for event, _ in await told(database)] == ["alert.digest"]
