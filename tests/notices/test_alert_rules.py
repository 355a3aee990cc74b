"""What rules judge: levels with a margin, days of cover, stock-outs before the next units come."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from inventory import alerts
from inventory.alerting.rules import NewRule, add_rule
from inventory.db import Database
from inventory.errors import BadInput, NotFound
from inventory.health import Finding
from tests.conftest import Save
from tests.factories import NOON, SkuFactory
from tests.notices.buyers import Buyers, told

TODAY = date(2026, 11, 21)


async def opened(buyers: Buyers) -> list[tuple[str, str]]:
    """(kind, subject) of the open alerts, oldest first."""
    pool = await buyers.database.pool()
    query = "SELECT kind, subject FROM alert WHERE state = 'open' ORDER BY id"
    return [tuple(row) for row in await pool.fetch(query)]


async def test_going_to_and_fro_around_the_level_fires_once(
    buyers: Buyers, database: Database
) -> None:
    await buyers.rule(level=5, margin=None)  # closes above 6
    changes = []
    for change in (-3, +1, -1, +1, -2, +2, +1, -1, +1, -2):  # 5 6 5 6 4 6 7 6 7 5
        await buyers.move(change)
        changes.append(await buyers.look())

    assert changes == [1, 0, 0, 0, 0, 0, 1, 0, 0, 1]
    assert [event for event, _ in await told(database)] == [
        *("alert.fired", "alert.closed", "alert.fired")
    ]


async def test_the_nearest_rule_judges(buyers: Buyers, save: Save) -> None:
    await save(*(SkuFactory.build(code=code) for code in ("CUP", "PAN", "PEN")))
    await buyers.supplier("nagoya", lead_days=7)
    await buyers.terms("CUP", category="tableware", supplier="nagoya")
    await buyers.terms("PAN", supplier="nagoya")
    for sku, units in (("CUP", 10), ("PAN", 10), ("PEN", 10)):
        await buyers.move(units, sku=sku)
    await buyers.move(+2)

    await buyers.rule(level=12, sku=None, category="tableware")
    assert await opened(buyers) == [("low_stock", "sku:CUP")]
    await buyers.rule(level=11, sku=None, supplier="nagoya")
    assert await opened(buyers) == [("low_stock", "sku:CUP"), ("low_stock", "sku:PAN")]
    await buyers.rule(level=9, sku="PAN")
    await buyers.rule(level=10, sku=None)

    assert await opened(buyers) == [*(("low_stock", f"sku:{sku}") for sku in ("CUP", "MUG", "PEN"))]


async def test_sku_that_changes_its_category_leaves_the_rule(buyers: Buyers) -> None:
    await buyers.terms("MUG", category="tableware")
    await buyers.rule(level=9, sku=None, category="tableware")
    assert await opened(buyers) == [("low_stock", "sku:MUG")]

    await buyers.terms("MUG", category="outlet")
    assert await buyers.look() == 1
    assert await opened(buyers) == []


async def test_days_of_cover(buyers: Buyers, database: Database) -> None:
    await buyers.pace(2.0)
    await buyers.rule(level=4, kind="low_cover", margin=None)  # 8 units are four days
    assert await opened(buyers) == []
    changes = []
    for change in (-1, +2, -2, +3, +1):  # 3.5, 4.5, 3.5, 5, 5.5 days
        await buyers.move(change)
        changes.append(await buyers.look())

    assert changes == [1, 0, 0, 1, 0]
    [(_, fired), (_, closed)] = await told(database)
    assert fired["detail"] == {
        "sku": "MUG",
        "name": "Blue mug",
        "level": 4,
        "available": 7,
        "sold_per_day": 2.0,
        "days_of_cover": 3.5,
        "runs_out_on": "2026-11-24",
    }
    assert closed["detail"]["days_of_cover"] == 5.0


async def test_what_does_not_sell_has_cover_enough(buyers: Buyers) -> None:
    await buyers.rule(level=365, kind="low_cover")
    assert await opened(buyers) == []
    await buyers.pace(0.0)
    await buyers.rule(level=365, kind="stock_out")
    assert await buyers.look() == 0


async def test_stock_out_before_the_next_units_come(buyers: Buyers) -> None:
    await buyers.pace(2.0)  # sold out on 25 November
    await buyers.expect(50, TODAY + timedelta(days=4))
    await buyers.rule(level=None, kind="stock_out", margin=None)
    assert await opened(buyers) == []

    await buyers.move(-1)  # on the 24th
    assert await buyers.look() == 1
    [(_, fired)] = await told(buyers.database)
    assert fired["detail"]["runs_out_on"] == "2026-11-24"
    assert fired["detail"]["next_units_on"] == "2026-11-25"
    await buyers.move(+1)  # as soon as they come, which is not yet a day later
    assert await buyers.look() == 0
    await buyers.expect(20, TODAY + timedelta(days=2))
    assert await buyers.look() == 1
    assert await opened(buyers) == []


async def test_it_is_over_when_the_stock_lasts_a_day_longer_than_it_must(buyers: Buyers) -> None:
    await buyers.pace(2.0)
    await buyers.expect(50, TODAY + timedelta(days=4))
    await buyers.move(-1)
    await buyers.rule(level=None, kind="stock_out", margin=None)
    assert await opened(buyers) == [("stock_out", "sku:MUG")]

    await buyers.move(+2)  # nine units: on the day of the next
    assert await buyers.look() == 0
    await buyers.move(+1)  # ten: on the day after it
    assert await buyers.look() == 1
    assert await opened(buyers) == []


async def test_units_that_came_or_never_will_are_not_the_next(buyers: Buyers) -> None:
    await buyers.pace(2.0)  # eight units: on the 25th
    await buyers.supplier("nagoya", lead_days=1)
    await buyers.terms("MUG", supplier="nagoya")
    pool = await buyers.database.pool()
    await buyers.expect(50, TODAY + timedelta(days=9))
    await buyers.rule(level=None, kind="stock_out", margin=0)
    assert await opened(buyers) == [("stock_out", "sku:MUG")]

    await pool.execute("UPDATE inbound_supply SET received = expected")
    assert await buyers.look() == 1  # an order of today would come in time
    await pool.execute("UPDATE inbound_supply SET received = 0, ended = false")
    assert await buyers.look() == 1
    await pool.execute("UPDATE inbound_supply SET ended = true")
    assert await buyers.look() == 1
    assert await opened(buyers) == []


async def test_units_due_today_are_the_next(buyers: Buyers) -> None:
    await buyers.pace(10.0)  # eight units: gone today
    await buyers.expect(50, TODAY)
    await buyers.rule(level=None, kind="stock_out", margin=0)
    assert await opened(buyers) == []


async def test_nothing_expected_and_too_late_to_order(buyers: Buyers) -> None:
    await buyers.pace(1.0)  # eight days
    await buyers.supplier("nagoya", lead_days=8)
    await buyers.terms("MUG", supplier="nagoya")
    await buyers.rule(level=None, kind="stock_out")
    assert await opened(buyers) == []

    await buyers.supplier("nagoya", lead_days=9)
    assert await buyers.look() == 1
    assert await opened(buyers) == [("stock_out", "sku:MUG")]


async def test_a_stock_out_far_away_is_not_told(buyers: Buyers) -> None:
    await buyers.pace(1.0)
    await buyers.rule(level=7, kind="stock_out", margin=None)
    assert await opened(buyers) == []
    await buyers.move(-1)
    assert await buyers.look() == 1
    await buyers.move(+1)  # eight days: within the margin
    assert await buyers.look() == 0
    await buyers.move(+1)
    assert await buyers.look() == 1
    assert await opened(buyers) == []


@pytest.mark.parametrize(
    "wrong",
    [
        NewRule(),
        NewRule(level=3, sku="MUG", category="x"),
        NewRule(level=0, kind="low_cover"),
        NewRule(level=366, kind="stock_out"),
        NewRule(kind="oversell"),
        NewRule(kind="oversell", level=3, team="night"),
        NewRule(kind="drift", clear_margin=3, team="night"),
        NewRule(kind="key_expiring", sku="MUG", team="night"),
    ],
)
async def test_wrong_rules_are_refused(buyers: Buyers, database: Database, wrong: NewRule) -> None:
    await buyers.team("night")
    async with database.transaction() as session:
        with pytest.raises(BadInput):
            await add_rule(session, wrong, by="mori", now=NOON)
    async with database.transaction() as session:
        for unknown in (NewRule(level=1, team="nobody"), NewRule(level=1, supplier="nobody")):
            with pytest.raises(NotFound):
                await add_rule(session, unknown, by="mori", now=NOON)


async def test_oversells_and_health_go_to_the_teams_that_rules_name(
    buyers: Buyers, database: Database
) -> None:
    for team in ("tableware", "desk", "it", "night"):
        await buyers.team(team)
    await buyers.terms("MUG", category="tableware")
    routes = {"oversell": "desk", "key_expiring": "it", "sync_health": "night", "drift": "it"}
    for kind, team in routes.items():
        await buyers.rule(level=None, margin=None, sku=None, kind=kind, team=team)
    await buyers.rule(
        level=None, margin=None, sku=None, kind="oversell", category="tableware", team="tableware"
    )

    async with database.transaction() as session:
        for kind, subject in (("oversell", "sku:MUG"), ("oversell_stuck", "sku:POT")):
            await alerts.fire(session, kind=kind, subject=subject, detail={}, now=NOON)
        detail = {"sku": "MUG"}
        await alerts.fire(session, kind="drift", subject="listing:a/b", detail=detail, now=NOON)
        findings = [
            Finding(what="expiry_near", channel="rmart", detail="soon"),
            Finding(what="channel_silent", channel="rmart", age_seconds=700.0),
        ]
        await alerts.match_health(session, findings, NOON)

    messages = await told(database)
    assert [(data["kind"], data["team"]) for _, data in messages] == [
        ("oversell", "tableware"),
        ("oversell_stuck", "desk"),
        ("drift", "it"),
        ("health.channel_silent", "night"),
        ("health.expiry_near", "it"),
    ]
    assert messages[0][1]["advice"]["sku"] == "MUG"
