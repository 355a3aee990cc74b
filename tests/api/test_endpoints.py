"""Endpoints over the API: made, tested, rotated, replayed; nothing that is a key is shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from inventory.api.context import Services
from inventory.db import Database
from inventory.models import Delivery, WebhookEndpoint
from tests.api.conftest import Look, Rung, problem

CHAT = {
    "kind": "chatwork",
    "name": "仕入",
    "team": "buyers",
    "room": "123",
    "token": "token-canary",
    "events": ["alert.fired"],
}


async def made(admin: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await admin.post(
        "/webhook-endpoints", json={"url": "https://shop.example/hook?key=canary"} | body
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_chat_is_made_for_a_team_and_shows_no_token(
    admin: httpx.AsyncClient, contents: Look
) -> None:
    refused = await admin.post("/webhook-endpoints", json=CHAT)
    assert problem(refused) == (404, "not_found")
    assert "no team 'buyers': there is none yet" in refused.text
    await admin.put("/teams/buyers", json={})
    answer = await admin.post("/webhook-endpoints", json=CHAT)

    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["secret"], shown["public_key"], shown["url"]) == (
        None,
        None,
        "https://api.chatwork.com/…",
    )
    assert (shown["kind"], shown["team"], shown["name"]) == ("chatwork", "buyers", "仕入")
    listed = await admin.get("/webhook-endpoints")
    assert "canary" not in answer.text + listed.text + str(await contents())
    for wrong in ({"room": ""}, {"token": ""}, {"kind": "fax"}, {"team": "a b"}, {"sender": "x"}):
        refused = await admin.post("/webhook-endpoints", json=CHAT | wrong)
        assert refused.status_code == 400, wrong
        assert "canary" not in refused.text


async def test_endpoint_is_changed_in_part(admin: httpx.AsyncClient, contents: Look) -> None:
    first = await made(admin, events=["a.b"])
    del first["secret"]
    await admin.put("/teams/night", json={})

    answer = await admin.patch("/webhook-endpoints/1", json={"name": "夜", "team": "night"})

    changed = first | {"name": "夜", "team": "night"}
    assert (answer.status_code, answer.json()) == (200, changed)
    assert (await admin.patch("/webhook-endpoints/1", json={})).json() == changed
    everything: dict[str, Any] = {"team": None, "events": []}
    answer = await admin.patch("/webhook-endpoints/1", json=everything)
    assert answer.json() == changed | everything
    before = await contents()
    for wrong in ({"url": "https://b.example/"}, {"events": ["x"]}, {"name": None}, {"team": ""}):
        refused = await admin.patch("/webhook-endpoints/1", json={"name": "x"} | wrong)
        assert problem(refused) == (400, "bad_input"), wrong
    unknown = await admin.patch("/webhook-endpoints/1", json={"name": "x", "team": "day"})
    assert problem(unknown) == (404, "not_found")
    assert "there are night" in unknown.text
    absent = await admin.patch("/webhook-endpoints/9", json={"name": "x"})
    assert problem(absent) == (404, "not_found")
    assert await contents() == before


async def test_rotation_shows_the_new_secret_once_and_both_public_keys(
    admin: httpx.AsyncClient,
) -> None:
    first = await made(admin)

    answer = await admin.post("/webhook-endpoints/1/rotate", json={"hours": 48})

    assert answer.status_code == 200
    second = answer.json()
    assert second["secret"] != first["secret"]
    assert second["public_key_previous"] == first["public_key"] != second["public_key"]
    assert second["previous_until"] == "2026-11-23T12:00:00Z"
    [listed] = (await admin.get("/webhook-endpoints")).json()["items"]
    assert listed == {name: value for name, value in second.items() if name != "secret"}
    assert "canary" not in answer.text
    wrong = await admin.post("/webhook-endpoints/1/rotate", json={"hours": 169})
    assert wrong.status_code == 400
    absent = await admin.post("/webhook-endpoints/9/rotate", json={})
    assert problem(absent) == (404, "not_found")


async def test_ping_is_queued_for_one_and_rung_for(admin: httpx.AsyncClient, rung: Rung) -> None:
    await made(admin, events=["a.b"])
    await rung()

    answer = await admin.post("/webhook-endpoints/1/test")

    assert (answer.status_code, answer.json()["event"]) == (201, "endpoint.ping")
    assert await rung() == ["notify"]
    assert problem(await admin.post("/webhook-endpoints/9/test")) == (404, "not_found")


async def test_disabled_endpoint_is_listed_enabled_and_sent_its_past(
    admin: httpx.AsyncClient, store: str, database: Database
) -> None:
    await made(admin)
    async with database.transaction() as session:
        await session.execute(update(WebhookEndpoint).values(active=False))
    await admin.post("/alert-rules", json={"sku": "MUG", "level": 10})
    await admin.post("/alert-rules", json={"sku": "MUG", "level": 20})
    [listed] = (await admin.get("/webhook-endpoints")).json()["items"]
    assert listed["active"] is False
    refused = await admin.post("/webhook-endpoints/1/replay", json={})
    assert problem(refused) == (409, "wrong_state")
    assert problem(await admin.post("/webhook-endpoints/1/test")) == (409, "wrong_state")

    assert (await admin.post("/webhook-endpoints/1/enable")).json()["active"] is True
    one = (await admin.post("/webhook-endpoints/1/replay", json={"limit": 1})).json()
    two = await admin.post("/webhook-endpoints/1/replay", json={"cursor": one["next"]})

    assert (one["queued"], two.json()) == (1, {"queued": 1, "outdated": 0, "next": None})
    assert len((await admin.get("/deliveries")).json()["items"]) == 2
    later = {"since": "2026-11-21T12:00:01Z"}
    none = await admin.post("/webhook-endpoints/1/replay", json=later)
    assert none.json()["queued"] == 0
    for wrong in ({"cursor": "x"}, {"limit": 501}, {"since": "yesterday"}):
        assert (await admin.post("/webhook-endpoints/1/replay", json=wrong)).status_code == 400


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [4, 3, 2, 1]),
        ({"endpoint": 2}, [4, 2]),
        ({"event": "a.b"}, [2, 1]),
        ({"state": "parked"}, [3]),
        ({"since": "2026-11-21T13:00:00Z"}, [4, 3]),
        ({"until": "2026-11-21T13:00:00Z", "endpoint": 1}, [1]),
        ({"limit": 2}, [4, 3]),
    ],
)
async def test_log_is_filtered_and_read_in_pages(
    admin: httpx.AsyncClient,
    database: Database,
    services: Services,
    asked: dict[str, Any],
    expected: list[int],
) -> None:
    await made(admin)
    await made(admin)
    now = services.clock.now()
    async with database.transaction() as session:
        for n, (event, state) in enumerate(
            [("a.b", "pending"), ("a.b", "delivered"), ("c.d", "parked"), ("c.d", "pending")]
        ):
            at = now + timedelta(hours=n // 2)
            session.add(
                Delivery(
                    endpoint_id=1 + n % 2,
                    message_id=f"m-{n}",
                    event=event,
                    body={},
                    state=state,
                    due_at=at,
                    created_at=at,
                    last_failure="status_500",
                )
            )
            await session.flush()

    answer = await admin.get("/deliveries", params=asked)

    assert [row["id"] for row in answer.json()["items"]] == expected
    assert (answer.json()["next"] is not None) is ("limit" in asked)
    for wrong in ({"endpoint": 0}, {"state": "lost"}, {"since": "soon"}, {"limit": 501}):
        assert (await admin.get("/deliveries", params=wrong)).status_code == 400, wrong


async def test_delivery_is_told_with_every_try(
    admin: httpx.AsyncClient, database: Database
) -> None:
    await made(admin)
    row = (await admin.post("/webhook-endpoints/1/test")).json()
    first = {"at": "2026-11-21T12:00:00+00:00", "version": row["version"]}
    ended = {"status": 503, "failure": "status_503", "milliseconds": 41}
    async with database.transaction() as session:
        await session.execute(update(Delivery).values(tries=[first | ended, first]))

    told = (await admin.get("/deliveries/1")).json()

    first["at"] = "2026-11-21T12:00:00Z"
    under_way = {"status": None, "failure": None, "milliseconds": None}
    assert told.pop("tries") == [first | ended, first | under_way]
    assert told == row
    assert problem(await admin.get("/deliveries/2")) == (404, "not_found")


async def test_removed_endpoint_is_gone_for_every_address(admin: httpx.AsyncClient) -> None:
    await made(admin)
    assert (await admin.delete("/webhook-endpoints/1")).status_code == 204
    for path in ("rotate", "test", "enable", "replay"):
        answer = await admin.post(f"/webhook-endpoints/1/{path}", json={})
        assert problem(answer) == (404, "not_found"), path
