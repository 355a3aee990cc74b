"""Teams and suppliers are removed when nothing names them; endpoints name teams that are there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts
from inventory.alerting import people, rules, suppliers, teams
from inventory.alerting.people import Which
from inventory.alerting.suppliers import remove_supplier
from inventory.alerting.teams import TEAMS_MAX, remove_team, team_by_code
from inventory.db import Database
from inventory.errors import BadInput, NotFound, WrongState
from inventory.models import Audit, WebhookEndpoint
from inventory.outgoing import edits, endpoints
from inventory.outgoing.edits import EndpointChange
from inventory.outgoing.endpoints import NewEndpoint
from inventory.security import Vault
from tests.factories import NOON
from tests.notices.buyers import Buyers
from tests.notices.conftest import LOOPBACK, Endpoint
from tests.rivals import until_waiting

SHOP = "https://shop.example/hook"


async def do(database: Database, work: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
    async with database.transaction() as session:
        return await work(session)


async def remove(database: Database, code: str) -> None:
    await do(database, lambda session: remove_team(session, code, by="mori", now=NOON))


async def change(database: Database, endpoint_id: int = 1, **wish: Any) -> WebhookEndpoint:
    wanted = EndpointChange(**wish)
    made: WebhookEndpoint = await do(
        database,
        lambda session: edits.change(session, endpoint_id, wanted, by="mori", now=NOON),
    )
    return made


async def test_endpoint_names_a_team_that_is_there(
    buyers: Buyers, database: Database, vault: Vault
) -> None:
    async def add(team: str) -> None:
        wanted = NewEndpoint(url=SHOP, team=team)
        await do(database, lambda session: endpoints.add(session, vault, wanted, LOOPBACK))

    with pytest.raises(NotFound, match="no team 'night': there is none yet"):
        await add("night")
    for number in range(11):
        await buyers.team(f"team-{number:02}")
    with pytest.raises(NotFound, match=r"no team '仕入': there are team-00, .*, team-09 and more$"):
        await add("仕入")
    with pytest.raises(NotFound, match="no team 'night': there are"):
        await change(database, team="night")

    await add("team-10")

    async with database.transaction() as session:
        rows = await session.scalars(select(WebhookEndpoint).order_by(WebhookEndpoint.id))
        assert [row.team for row in rows] == [None, "team-10"], "the first is the fixture's"


async def test_name_team_and_events_are_changed_and_noted(
    buyers: Buyers, database: Database, endpoint: Endpoint
) -> None:
    await buyers.team("night")
    await endpoint(SHOP, ("alert.fired",))

    await change(database, 2, name="夜", team="night")
    made = await change(database, 2, team="night", events=["c.d", "a.b", "a.b"])
    assert (made.name, made.team, made.events) == ("夜", "night", ["a.b", "c.d"])
    await change(database, 2)
    made = await change(database, 2, team=None, events=[])
    assert (made.name, made.team, made.events) == ("夜", None, [])

    async with database.transaction() as session:
        noted = list(
            await session.execute(
                select(Audit.done_by, Audit.detail)
                .where(Audit.action == "endpoint.changed")
                .order_by(Audit.id)
            )
        )
    before: list[dict[str, Any]] = [
        {"name": "", "team": None},
        {"events": ["alert.fired"]},
        {"team": "night", "events": ["a.b", "c.d"]},
    ]
    after: list[dict[str, Any]] = [
        {"name": "夜", "team": "night"},
        {"events": ["a.b", "c.d"]},
        {"team": None, "events": []},
    ]
    assert [tuple(row) for row in noted] == [
        ("mori", {"endpoint": 2, "before": old} | new)
        for old, new in zip(before, after, strict=True)
    ]
    for wish in ({"events": ["no event"]}, {"events": ["a.b"] * 51}):
        with pytest.raises(BadInput):
            await change(database, 2, **wish)
    with pytest.raises(NotFound, match="endpoint 9"):
        await change(database, 9, name="x")


async def test_chat_takes_no_numbers_after_a_change_either(
    database: Database, vault: Vault
) -> None:
    wanted = NewEndpoint(kind="slack", url="https://hooks.slack.example/x")
    await do(database, lambda session: endpoints.add(session, vault, wanted, LOOPBACK))
    with pytest.raises(BadInput, match="for programs"):
        await change(database, events=["listing.quantity"])


async def test_team_is_removed_when_nothing_names_it(
    buyers: Buyers, database: Database, endpoint: Endpoint
) -> None:
    await buyers.team("night", name="夜")
    await buyers.team("day", escalates_to="night")
    await endpoint(SHOP)
    await change(database, 2, team="night")
    rule = await buyers.rule(level=10, team="night")
    used = "team 'night' is used by team day, endpoint 2, rule 1, open alert 1"
    with pytest.raises(WrongState, match=f"^{used}$"):
        await remove(database, "night")

    await buyers.team("day")
    await change(database, 2, team=None)
    await do(database, lambda session: rules.remove_rule(session, rule, by="mori", now=NOON))
    await remove(database, "night")

    async with database.transaction() as session:
        assert [row.code for row in await teams.teams(session)] == ["day"]
        [alert] = await people.rows(session, Which(), before_id=9, limit=9, now=NOON)
        assert (alert.state, alert.team) == ("closed", "night"), "what was is still told"
        assert await session.scalar(select(Audit.detail).where(Audit.action == "team.removed")) == {
            "team": "night"
        }
    with pytest.raises(NotFound, match="no team 'night': there are day"):
        await remove(database, "night")
    with pytest.raises(NotFound):
        await buyers.team("day", escalates_to="night")
    with pytest.raises(NotFound):
        await buyers.rule(level=10, team="night")


async def test_open_alert_that_went_on_to_a_team_keeps_it(
    buyers: Buyers, database: Database
) -> None:
    """Health and oversells fire by a rule and outlive it."""
    await buyers.team("night")
    rule = await buyers.rule(level=None, margin=None, sku=None, kind="oversell", team="night")
    what: dict[str, Any] = {"kind": "oversell", "subject": "sku:MUG", "now": NOON}
    await do(database, lambda session: alerts.fire(session, **what, detail={}))
    await do(database, lambda session: rules.remove_rule(session, rule, by="mori", now=NOON))
    with pytest.raises(WrongState, match=r"open alert 1$"):
        await remove(database, "night")
    await do(database, lambda session: alerts.close(session, **what))
    await remove(database, "night")


async def test_removed_team_is_there_again_by_its_code(buyers: Buyers, database: Database) -> None:
    await buyers.team("night", name="夜")
    for number in range(TEAMS_MAX - 1):
        await buyers.team(f"team-{number}")
    await remove(database, "night")
    await buyers.team("other")
    with pytest.raises(BadInput, match="100 teams"):
        await buyers.team("night")
    await remove(database, "other")

    await buyers.team("night", digest_over=2)

    async with database.transaction() as session:
        [night] = [row for row in await teams.teams(session) if row.code == "night"]
    assert (night.name, night.digest_over) == ("", 2)


async def test_who_names_a_team_and_who_removes_it_wait_for_each_other(
    buyers: Buyers, database: Database, vault: Vault
) -> None:
    await buyers.team("night")
    wanted = NewEndpoint(url=SHOP, team="night")
    async with database.transaction() as session:
        await endpoints.add(session, vault, wanted, LOOPBACK)
        removing = asyncio.create_task(remove(database, "night"))
        await until_waiting(database, removing)
    with pytest.raises(WrongState, match="endpoint 2"):
        await removing

    await do(database, lambda session: endpoints.remove(session, 2, NOON))
    async with database.transaction() as session:
        await remove_team(session, "night", by="mori", now=NOON)
        naming = asyncio.create_task(
            do(database, lambda other: endpoints.add(other, vault, wanted, LOOPBACK))
        )
        await until_waiting(database, naming)
    with pytest.raises(NotFound, match="no team 'night'"):
        await naming


async def test_two_teams_that_are_put_before_each_other_do_not_wait_in_a_circle(
    buyers: Buyers, database: Database
) -> None:
    await buyers.team("a")
    await buyers.team("b")
    async with asyncio.timeout(10), database.transaction() as session:
        await team_by_code(session, "b")
        await buyers.team("b", escalates_to="a")
        await team_by_code(session, "a")


async def test_supplier_is_removed_when_nothing_names_it(
    buyers: Buyers, database: Database
) -> None:
    async def remove_it() -> None:
        work = remove_supplier
        await do(database, lambda session: work(session, "nagoya", by="mori", now=NOON))

    async def codes() -> list[str]:
        async with database.transaction() as session:
            return [row.code for row in await suppliers.suppliers(session)]

    await buyers.supplier("nagoya", lead_days=7)
    await buyers.terms("MUG", supplier="nagoya")
    rule = await buyers.rule(level=3, sku=None, supplier="nagoya")
    with pytest.raises(WrongState, match=r"^supplier 'nagoya' is used by rule 1, SKU MUG$"):
        await remove_it()
    await buyers.terms("MUG", category="食器")
    await do(database, lambda session: rules.remove_rule(session, rule, by="mori", now=NOON))

    await remove_it()

    assert await codes() == []
    for wish in (
        remove_it(),
        buyers.terms("MUG", supplier="nagoya"),
        buyers.rule(level=3, sku=None, supplier="nagoya"),
    ):
        with pytest.raises(NotFound, match=r"no supplier '?nagoya"):
            await wish
    await buyers.supplier("nagoya")
    assert await codes() == ["nagoya"]


async def test_who_buys_from_a_supplier_and_who_removes_it_wait_for_each_other(
    buyers: Buyers, database: Database
) -> None:
    await buyers.supplier("nagoya")
    async with database.transaction() as session:
        await remove_supplier(session, "nagoya", by="mori", now=NOON)
        buying = asyncio.create_task(buyers.terms("MUG", supplier="nagoya"))
        await until_waiting(database, buying)
    with pytest.raises(NotFound, match="nagoya"):
        await buying
