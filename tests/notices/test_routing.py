"""Which team is told, what takes the place of what, and the past sent once more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from inventory import alerts, deliveries
from inventory.db import Database
from inventory.errors import BadInput, NotFound, WrongState
from inventory.models import Delivery, Message, WebhookEndpoint
from inventory.outgoing import endpoints, replays
from inventory.outgoing.outbound import Answer
from inventory.security import Vault
from tests.factories import NOON
from tests.notices.conftest import LOOPBACK, Endpoint
from tests.notices.steps import DOWN, OK, claim, end, number, queue, rows, teams

GONE = Answer(status=410, failure="status_410")


async def say(database: Database, team: str | None = None, **body: Any) -> int:
    async with database.transaction() as session:
        return await deliveries.enqueue(session, "alert.fired", body, NOON, team=team)


async def replay(
    database: Database, endpoint_id: int = 1, *, now: datetime = NOON, **where: Any
) -> replays.Replayed:
    async with database.transaction() as session:
        return await replays.replay_past(session, endpoint_id, now=now, **where)


async def deliver_all(database: Database) -> list[str]:
    """Everything due is delivered; the ids in the order in which they went out."""
    found: list[str] = []
    while claimed := await claim(database):
        for due in claimed:
            found.append(due.message_id)
            await end(database, due, OK)
    return found


async def test_a_team_gets_its_own_and_an_endpoint_of_no_team_gets_everything(
    database: Database, vault: Vault
) -> None:
    await teams(database, "buyers", "desk")
    async with database.transaction() as session:
        for team in ("buyers", "desk", None):
            await endpoints.add_endpoint(
                session, vault, url="https://a.example/", events=(), networks=(), team=team
            )

    assert [await say(database, team) for team in ("buyers", "desk", "other", None)] == [2, 2, 1, 3]

    found = {(row.endpoint_id, row.version) for row in await rows(database)}
    assert found == {(1, 1), (3, 1), (2, 2), (3, 2), (3, 3), (1, 4), (2, 4), (3, 4)}


async def test_newer_alert_about_a_sku_takes_the_place_of_the_waiting_one(
    database: Database, endpoint: Endpoint
) -> None:
    """The dead endpoint gets one message in the end; the living had both, in order."""
    dead, _ = await endpoint()
    living, _ = await endpoint()

    async def change(what: Any) -> None:
        async with database.transaction() as session:
            await what(session, kind="oversell", subject="sku:MUG", now=NOON)

    async with database.transaction() as session:
        await alerts.fire(session, kind="oversell", subject="sku:MUG", detail={}, now=NOON)
    for due in await claim(database):
        await end(database, due, OK if due.endpoint_id == living.id else DOWN)
    await change(alerts.close)
    for due in await claim(database):
        assert due.endpoint_id == living.id
        await end(database, due, OK)

    found = [(row.endpoint_id, row.event, row.state, row.version) for row in await rows(database)]
    assert sorted(found) == [
        (dead.id, "alert.closed", "pending", 2),
        (living.id, "alert.closed", "delivered", 2),
        (living.id, "alert.fired", "delivered", 1),
    ]
    assert {row.topic for row in await rows(database)} == {"alert/oversell/sku:MUG/"}


async def test_alerts_of_two_rules_or_two_skus_do_not_meet(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    low: dict[str, Any] = {"kind": "low_stock", "id": 1}
    for body in (
        low | {"subject": "sku:A", "rule_id": 1},
        low | {"subject": "sku:A", "rule_id": 2},
        low | {"subject": "sku:B", "rule_id": 1},
        low | {"subject": "sku:A"},
        low | {"subject": "sku:A", "id": 2},
    ):
        assert await say(database, **body) == 1
    assert len(await rows(database)) == 5
    assert await say(database, **low, subject="sku:A", rule_id=1) == 1
    assert len(await rows(database)) == 5


async def test_release_takes_the_place_of_a_hold_that_was_not_heard(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    for event in ("shipping.hold", "shipping.release"):
        await queue(database, event, cancellation=4, order_ref="o-1")
    [row] = await rows(database)
    assert (row.event, row.version) == ("shipping.release", 2)


async def test_newer_alert_on_the_way_of_an_older_one_keeps_both(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await say(database, kind="x", subject="sku:A", rule_id=None)
    [due] = await claim(database)
    await say(database, kind="x", subject="sku:A", rule_id=None)
    assert await claim(database) == []
    await end(database, due, OK)

    [newer] = await claim(database)
    assert (due.version, newer.version) == (1, 2)
    await end(database, newer, OK)
    assert [(row.version, row.state) for row in await rows(database)] == [
        (1, "delivered"),
        (2, "delivered"),
    ]


async def test_the_past_comes_again_in_pages_under_its_old_ids(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    for n in range(5):
        await queue(database, n=n)
    first = await deliver_all(database)

    one = await replay(database, limit=2)
    two = await replay(database, limit=2, after=one.next)
    three = await replay(database, limit=2, after=two.next)

    assert [(each.queued, each.outdated) for each in (one, two, three)] == [(2, 0), (2, 0), (1, 0)]
    assert three.next is None
    again = await replay(database)
    assert again.queued == 0, "what waits already waits once"
    assert await deliver_all(database) == first
    assert len(await rows(database)) == 5


async def test_of_a_topic_the_newest_alone_comes_again(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    for revision in (1, 2, 3):
        await number(database, revision, revision)
        await deliver_all(database)
    await number(database, 9, 1, sku="B")
    await deliver_all(database)

    found = await replay(database)

    assert (found.queued, found.outdated) == (2, 2)
    assert {due.body["quantity"] for due in await claim(database)} == {3, 9}


async def test_what_another_team_hears_later_outdates_nothing_for_this_one(
    database: Database, vault: Vault
) -> None:
    """An alert that went on to the next team is still open for the team that was told first."""
    await teams(database, "buyers")
    async with database.transaction() as session:
        for team in ("buyers", None):
            await endpoints.add_endpoint(
                session, vault, url="https://a.example/", events=(), networks=(), team=team
            )
    alert = {"kind": "low_stock", "subject": "sku:A", "rule_id": 1}
    for team in ("buyers", "heads"):
        await say(database, team, **alert)
        await deliver_all(database)

    mine, everything = await replay(database, 1), await replay(database, 2)

    assert (mine.queued, mine.outdated) == (1, 0)
    assert (everything.queued, everything.outdated) == (1, 1)


async def test_what_was_missed_while_disabled_or_before_it_was_made_comes(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    await queue(database, n=0)
    [due] = await claim(database)
    await end(database, due, GONE)
    assert await queue(database, n=1) == 0
    with pytest.raises(WrongState, match="enable"):
        await replay(database)

    async with database.transaction() as session:
        await endpoints.enable(session, 1)
    later, _ = await endpoint(events=("alert.fired",))
    await queue(database, "stock.low", n=2)

    assert (await replay(database)).queued == 2, "the third waits already"
    waiting = [row for row in await rows(database) if row.endpoint_id == 1]
    assert sorted(row.body["n"] for row in waiting if row.state == "pending") == [0, 1, 2]
    assert (await replay(database, later.id)).queued == 2


async def test_replay_has_bounds(database: Database, endpoint: Endpoint) -> None:
    await endpoint()
    async with database.transaction() as session:
        for days in (31, 29, 1):
            await deliveries.enqueue(session, "a.b", {"d": days}, NOON - timedelta(days=days))
        await session.execute(delete(Delivery))

    assert (await replay(database, since=NOON - timedelta(days=2))).queued == 1
    assert (await replay(database, since=NOON - timedelta(days=90))).queued == 1
    for limit in (0, 501):
        with pytest.raises(BadInput):
            await replay(database, limit=limit)
    with pytest.raises(NotFound):
        await replay(database, 9)
    async with database.transaction() as session:
        await deliveries.tidy(session, NOON)
        assert [row.body["d"] for row in await session.scalars(select(Message))] == [29, 1]


async def test_removed_endpoint_leaves_nothing_of_its_address(
    database: Database, endpoint: Endpoint
) -> None:
    await endpoint()
    async with database.transaction() as session:
        await endpoints.remove(session, 1, NOON)
    async with database.transaction() as session:
        row = await session.get_one(WebhookEndpoint, 1)
        assert (row.address, row.secret, row.active) == (b"", b"", False)
        with pytest.raises(NotFound):
            await endpoints.enable(session, 1)
        assert await deliveries.enqueue(session, "a.b", {}, NOON) == 0
        assert (await session.scalars(select(Message))).all() == [], "nobody could be told"


async def test_ping_goes_to_one_endpoint_whatever_it_takes(
    database: Database, endpoint: Endpoint, vault: Vault
) -> None:
    await endpoint()
    await teams(database, "buyers")
    wanted = endpoints.NewEndpoint(url="https://a.example/", events=["a.b"], team="buyers")
    async with database.transaction() as session:
        made, _ = await endpoints.add(session, vault, wanted, LOOPBACK)
        await deliveries.ping(session, made, NOON)
    [due] = await claim(database)
    assert (due.endpoint_id, due.event, due.topic) == (made.id, "endpoint.ping", None)
    async with database.transaction() as session:
        made = await endpoints.find(session, made.id)
        made.active = False
        with pytest.raises(WrongState):
            await deliveries.ping(session, made, NOON)
