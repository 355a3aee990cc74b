"""Teams hear of alerts: digests on a sale night, escalation, snooze, and silence where asked."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from inventory import alerts
from inventory.alerting import people
from inventory.db import Database
from inventory.errors import BadInput, NotFound, WrongState
from inventory.facts import SaleLine, SaleReceived
from inventory.ledger import Ledger
from tests.conftest import HandClock, Save
from tests.factories import NOON, SkuFactory, StockLevelFactory
from tests.notices.buyers import Buyers, told
from workers import push, sweep
from workers.runtime import Runtime

SKUS = 300


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


async def heard(database: Database) -> list[tuple[str, str | None]]:
    """(event, team) of every message, oldest first."""
    return [(event, data["team"]) for event, data in await told(database)]


async def sale_night(save: Save, ledger: Ledger, buyers: Buyers) -> None:
    """300 SKUs of two categories, each with its team, sell down to their level in one night."""
    skus = [SkuFactory.build(code=f"S-{number:03}", name="赤いマグ" * 20) for number in range(SKUS)]
    await save(*skus)
    await save(*(StockLevelFactory.build(sku_id=sku.id, on_hand=6) for sku in skus))
    for number, category in enumerate(("tableware", "kitchen")):
        codes = [sku.code for sku in skus[number::2]]
        await buyers.terms(*codes, category=category)
        await buyers.team(f"{category}-buyers")
        await buyers.rule(level=5, sku=None, category=category, team=f"{category}-buyers")
    for start in range(0, SKUS, 50):
        lines = [SaleLine(line_ref=sku.code, sku=sku.code, quantity=1) for sku in skus[start:][:50]]
        ref = f"o-{start}"
        name: dict[str, Any] = {"channel_id": 0, "fact_ref": ref, "occurred_at": NOON}
        await ledger.apply([SaleReceived(**name, order_ref=ref, lines=tuple(lines))])


async def test_three_hundred_crossings_are_one_digest_for_each_team(
    save: Save, ledger: Ledger, buyers: Buyers, runtime: Runtime, clock: HandClock
) -> None:
    await sale_night(save, ledger, buyers)

    assert await push.refresh(runtime) >= SKUS
    assert await heard(buyers.database) == []
    await sweep.watch(runtime)
    assert await heard(buyers.database) == []
    await (await buyers.database.pool()).execute("UPDATE sku_pace SET per_day = 1.5")
    clock.moment = later(1)
    await sweep.watch(runtime)
    clock.moment = later(9)
    await sweep.watch(runtime)

    messages = await told(buyers.database)
    assert sorted((event, data["team"]) for event, data in messages) == [
        ("alert.digest", "kitchen-buyers"),
        ("alert.digest", "tableware-buyers"),
    ]
    for _, data in messages:
        assert data["counts"] == {"fired": 150, "reminded": 0, "escalated": 0, "closed": 0}
        assert len(data["alerts"]) + data["more"] == 150
        assert len(data["alerts"]) >= 20
        assert len(msgspec.json.encode(data)) < 64_000
        first = data["alerts"][0]
        assert (first["event"], first["kind"]) == ("fired", "low_stock")
        assert first["advice"]["sold_per_day"] == 1.5
        assert first["advice"]["suggested_quantity"] == 37  # 28 days at 1.5 less 5
    await all_of_a_digest_can_be_read(buyers.database, messages[0][1]["digest"])


async def all_of_a_digest_can_be_read(database: Database, digest: int) -> None:
    async with database.sessions() as session:
        which = people.Which(digest_id=digest)
        rows = await people.rows(session, which, before_id=2**40, limit=500, now=NOON)
    assert len(rows) == 150
    assert Counter(row.team for row in rows).most_common(1)[0][1] == 150


async def test_a_few_are_told_at_once_and_the_rest_together(
    buyers: Buyers, save: Save, database: Database
) -> None:
    codes = [f"S-{number}" for number in range(9)]
    await save(*(SkuFactory.build(code=code) for code in codes))
    await buyers.team("night", digest_over=3, digest_minutes=15)
    for code in codes:
        await buyers.move(6, sku=code)
    await buyers.rule(level=5, sku=None, team="night")
    for minute, code in enumerate(codes):  # one a minute
        await buyers.move(-1, sku=code)
        await buyers.look(later(minute))
        await buyers.beat(later(minute))

    assert await heard(database) == [
        *[("alert.fired", "night")] * 3,  # minutes 0 to 2
        ("alert.digest", "night"),  # minute 4, of minutes 3 and 4
    ]
    await buyers.beat(later(18))
    assert len(await heard(database)) == 4
    await buyers.beat(later(19))
    digests = [data for event, data in await told(database) if event == "alert.digest"]
    assert [data["counts"]["fired"] for data in digests] == [2, 4]


@pytest.mark.parametrize(
    "kind",
    [
        *("cancellation_proposed", "cancellation_overdue", "cancelled_and_shipped"),
        *("oversell_stuck", "order_lapses", "repayment_due", "transfer_wanted"),
    ],
)
@pytest.mark.usefixtures("buyers")
async def test_what_has_a_deadline_never_waits_for_a_digest(database: Database, kind: str) -> None:
    async with database.transaction() as session:
        for number in range(10):
            subject = f"listing:{number}"
            await alerts.fire(session, kind="drift", subject=subject, detail={}, now=NOON)
        await alerts.fire(session, kind=kind, subject="cancellation:1", detail={}, now=NOON)

    at_once = [data["kind"] for _, data in await told(database)]
    assert (at_once.count("drift"), at_once.count(kind)) == (5, 1)


async def test_what_ended_before_it_was_told_is_never_told(
    buyers: Buyers, database: Database
) -> None:
    await buyers.team("night", digest_over=0)
    await buyers.rule(level=7, team="night")
    await buyers.move(-1)
    assert await buyers.look() == 1
    await buyers.move(+4)
    assert await buyers.look() == 1

    await buyers.beat(later(60))
    assert await heard(database) == []


async def test_unacknowledged_goes_once_to_the_next_team(
    buyers: Buyers, database: Database
) -> None:
    await buyers.team("heads")
    await buyers.team("buyers", escalates_to="heads", escalate_minutes=30)
    await buyers.rule(level=8, team="buyers")
    assert await heard(database) == [("alert.fired", "buyers")]

    await buyers.beat(later(29))
    assert len(await heard(database)) == 1
    for minute in (30, 60, 600):
        await buyers.beat(later(minute))
    assert (await heard(database))[1:] == [("alert.escalated", "heads")]
    assert (await told(database))[1][1]["advice"]["sku"] == "MUG"

    await buyers.move(+10)
    assert await buyers.look(later(700)) == 1
    assert sorted((await heard(database))[2:]) == [
        ("alert.closed", "buyers"),
        ("alert.closed", "heads"),
    ]


async def test_acknowledged_is_not_escalated(buyers: Buyers, database: Database) -> None:
    await buyers.team("heads")
    await buyers.team("buyers", escalates_to="heads", escalate_minutes=30)
    await buyers.rule(level=8, team="buyers")
    alert_id = await buyers.open_id()
    async with database.transaction() as session:
        await people.acknowledge(session, alert_id, by="sato", now=later(5))
        await people.acknowledge(session, alert_id, by="ito", now=later(6))
        shown = await people.one(session, alert_id, later(6))
    assert (shown.acknowledged_by, shown.acknowledged_at) == ("sato", later(5))

    await buyers.beat(later(600))
    assert await heard(database) == [("alert.fired", "buyers")]


async def test_escalations_of_a_sale_night_are_one_digest_too(
    buyers: Buyers, save: Save, database: Database
) -> None:
    await save(*(SkuFactory.build(code=f"S-{number}") for number in range(20)))
    await buyers.team("heads")
    await buyers.team("buyers", escalates_to="heads", escalate_minutes=30)
    await buyers.rule(level=8, sku=None, team="buyers")
    await buyers.beat(later(1))
    assert await heard(database) == [("alert.digest", "buyers")]

    await buyers.beat(later(31))
    await buyers.beat(later(32))
    assert (await heard(database))[1:] == [("alert.digest", "heads")]
    assert (await told(database))[1][1]["counts"]["escalated"] == 21


async def test_snoozed_says_nothing_and_speaks_after(buyers: Buyers, database: Database) -> None:
    await buyers.team("heads")
    await buyers.team("buyers", escalates_to="heads", escalate_minutes=30)
    await buyers.rule(level=8, team="buyers")
    async with database.transaction() as session:
        alert_id = await buyers.open_id()
        await people.snooze(session, alert_id, until=later(120), by="sato", now=later(1))

    await buyers.move(+2)  # it ends, and begins anew, and nobody hears of it
    assert await buyers.look(later(10)) == 1
    await buyers.move(-3)
    assert await buyers.look(later(20)) == 1
    await buyers.beat(later(119))
    assert await heard(database) == [("alert.fired", "buyers")]
    await buyers.beat(later(120))
    await buyers.beat(later(121))
    assert (await heard(database))[1:] == [("alert.reminded", "buyers")]
    assert (await told(database))[1][1]["advice"]["available"] == 7

    await buyers.beat(later(151))  # nobody has acknowledged it since
    assert (await heard(database))[2:] == [("alert.escalated", "heads")]


async def test_after_a_snooze_the_time_to_acknowledge_starts_when_the_team_hears(
    buyers: Buyers, database: Database
) -> None:
    await buyers.team("heads")
    await buyers.team(
        "buyers", escalates_to="heads", escalate_minutes=30, digest_over=0, digest_minutes=60
    )
    await buyers.rule(level=8, team="buyers")
    await buyers.beat(later(1))
    await buyers.beat(later(31))
    assert await heard(database) == [("alert.digest", "buyers"), ("alert.escalated", "heads")]
    async with database.transaction() as session:
        await people.snooze(
            session, await buyers.open_id(), until=later(120), by="sato", now=later(32)
        )

    await buyers.beat(later(120))  # it waits for the digest, and nobody has been told yet
    assert len(await heard(database)) == 2
    await buyers.beat(later(121))
    await buyers.beat(later(150))
    assert (await heard(database))[2:] == [("alert.digest", "buyers")]
    await buyers.beat(later(151))
    assert (await heard(database))[3:] == [("alert.escalated", "heads")]


async def test_snoozed_and_over_says_nothing_at_all(buyers: Buyers, database: Database) -> None:
    await buyers.rule(level=8)
    async with database.transaction() as session:
        alert_id = await buyers.open_id()
        await people.snooze(session, alert_id, until=later(120), by="sato", now=later(1))
    await buyers.move(+2)
    assert await buyers.look(later(10)) == 1

    await buyers.beat(later(200))
    assert await heard(database) == [("alert.fired", None)]
    async with database.transaction() as session:
        with pytest.raises(WrongState):
            await people.acknowledge(session, alert_id, by="sato", now=later(200))
        with pytest.raises(NotFound):
            await people.acknowledge(session, 999, by="sato", now=later(200))


@pytest.mark.parametrize("minutes", [0, -5, 90 * 24 * 60 + 1])
async def test_a_snooze_ends(buyers: Buyers, database: Database, minutes: int) -> None:
    await buyers.rule(level=8)
    alert_id = await buyers.open_id()
    async with database.transaction() as session:
        with pytest.raises(BadInput):
            await people.snooze(session, alert_id, until=later(minutes), by="s", now=NOON)


async def test_a_team_is_not_its_own_next(buyers: Buyers) -> None:
    with pytest.raises(BadInput):
        await buyers.team("night", escalates_to="night")
    with pytest.raises(NotFound):
        await buyers.team("night", escalates_to="day")
