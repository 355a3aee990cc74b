"""Alert rules, alerts, webhook endpoints and the delivery log over the API."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import httpx
from sqlalchemy import select

from inventory import alerts
from inventory.db import Database
from inventory.models import Audit, WebhookEndpoint
from inventory.security import Vault
from tests.api.conftest import SECRET_KEY, Look, Rung, problem

NOON = "2026-11-21T12:00:00Z"
MOMENT = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def test_rule_fires_for_what_is_low_already_and_closes_with_it(
    admin: httpx.AsyncClient, store: str, rung: Rung
) -> None:
    made = await admin.post("/alert-rules", json={"sku": "MUG", "level": 10})

    rule = {
        "id": 1,
        "kind": "low_stock",
        "sku": "MUG",
        "category": None,
        "supplier": None,
        "level": 10,
        "clear_margin": 2,
        "team": None,
        "created_at": NOON,
    }
    assert (made.status_code, made.json()) == (201, rule)
    assert (await rung())[-1] == "notify"
    assert (await admin.get("/alert-rules")).json() == {"items": [rule], "next": None}
    [alert] = (await admin.get("/alerts", params={"state": "open"})).json()["items"]
    advice = alert.pop("advice")
    assert (advice["sku"], advice["available"]) == ("MUG", 10)
    assert [place["channel_sku"] for place in advice["sells_on"]] == ["W-MUG"]
    answers = ("acknowledged_at", "acknowledged_by", "snoozed_until", "escalated_at")
    assert [alert.pop(name) for name in (*answers, "escalated_to", "team")] == [None] * 6
    assert alert == {
        "id": 1,
        "kind": "low_stock",
        "subject": "sku:MUG",
        "rule_id": 1,
        "state": "open",
        "detail": {"sku": "MUG", "name": "", "available": 10, "level": 10},
        "fired_at": NOON,
        "closed_at": None,
    }

    assert (await admin.delete("/alert-rules/1")).status_code == 204
    assert (await admin.get("/alert-rules")).json()["items"] == []
    assert (await admin.get("/alerts", params={"state": "open"})).json()["items"] == []
    [closed] = (await admin.get("/alerts")).json()["items"]
    assert (closed["state"], closed["closed_at"]) == ("closed", NOON)


async def test_wrong_rules_change_nothing(admin: httpx.AsyncClient, contents: Look) -> None:
    before = await contents()
    unknown = await admin.post("/alert-rules", json={"sku": "NO", "level": 1})
    assert problem(unknown) == (404, "unknown_sku")
    assert problem(await admin.post("/alert-rules", json={"level": -1})) == (400, "bad_input")
    assert problem(await admin.delete("/alert-rules/9")) == (404, "not_found")
    assert problem(await admin.delete("/webhook-endpoints/9")) == (404, "not_found")
    assert problem(await admin.post("/deliveries/9/replay")) == (404, "not_found")
    assert await contents() == before


async def test_secret_of_an_endpoint_is_shown_once_and_sealed(
    admin: httpx.AsyncClient, database: Database, contents: Look
) -> None:
    made = await admin.post(
        "/webhook-endpoints", json={"url": "https://shop.example/hook", "events": ["alert.fired"]}
    )

    assert made.status_code == 201
    secret = made.json().pop("secret")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    [listed] = (await admin.get("/webhook-endpoints")).json()["items"]
    assert listed == {name: value for name, value in made.json().items() if name != "secret"}
    assert (listed["url"], listed["events"], listed["failing_since"]) == (
        "https://shop.example/…",
        ["alert.fired"],
        None,
    )
    assert secret not in str(await contents())
    async with database.sessions() as session:
        endpoint = (await session.scalars(select(WebhookEndpoint))).one()
        actions = list(await session.scalars(select(Audit.action)))
    assert Vault(SECRET_KEY).open(endpoint.secret)["secret"] == secret
    assert "shop.example/hook" not in str(await contents())
    assert actions == ["endpoint.created"]


async def test_endpoints_that_may_not_be_reached_are_refused(
    admin: httpx.AsyncClient, contents: Look
) -> None:
    before = await contents()
    for url in ("http://127.0.0.1/x", "http://169.254.169.254/latest", "https://[::1]/"):
        answer = await admin.post("/webhook-endpoints", json={"url": url})
        assert problem(answer) == (400, "address_refused"), url
        assert url not in answer.text
    for wrong in ({"url": "https://shop.example/", "events": ["Not An Event"]}, {"url": ""}):
        answer = await admin.post("/webhook-endpoints", json=wrong)
        assert answer.status_code == 400
    assert await contents() == before


async def test_messages_are_logged_and_sent_again(
    admin: httpx.AsyncClient, store: str, rung: Rung
) -> None:
    await admin.post("/webhook-endpoints", json={"url": "https://shop.example/hook"})
    await admin.post("/alert-rules", json={"sku": "MUG", "level": 10})

    [message] = (await admin.get("/deliveries", params={"state": "pending"})).json()["items"]

    assert message.pop("message_id").startswith("msg_")
    assert message.pop("body")["detail"]["sku"] == "MUG"
    assert message == {
        "id": 1,
        "endpoint_id": 1,
        "event": "alert.fired",
        "topic": "alert/low_stock/sku:MUG/1",
        "version": 1,
        "state": "pending",
        "attempts": 0,
        "due_at": NOON,
        "last_status": None,
        "last_failure": None,
        "created_at": NOON,
        "delivered_at": None,
    }
    await rung()
    again = await admin.post("/deliveries/1/replay")
    assert (again.status_code, again.json()["state"]) == (200, "pending")
    assert await rung() == ["notify"]

    assert (await admin.delete("/webhook-endpoints/1")).status_code == 204
    assert (await admin.get("/webhook-endpoints")).json()["items"] == []
    assert problem(await admin.post("/deliveries/1/replay")) == (409, "wrong_state")
    assert problem(await admin.delete("/webhook-endpoints/1")) == (404, "not_found")


async def test_only_an_alert_that_does_not_close_itself_is_closed_by_hand(
    admin: httpx.AsyncClient, store: str, database: Database
) -> None:
    await admin.post("/alert-rules", json={"sku": "MUG", "level": 10})
    async with database.transaction() as session:
        detail = {"endpoint": 7}
        await alerts.fire(
            session, kind="endpoint_disabled", subject="endpoint:7", detail=detail, now=MOMENT
        )

    refused = await admin.post("/alerts/1/close")
    closed = await admin.post("/alerts/2/close")
    again = await admin.post("/alerts/2/close")
    missing = await admin.post("/alerts/9/close")

    assert problem(refused) == (409, "wrong_state")
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    assert again.json() == closed.json()
    assert problem(missing) == (404, "not_found")
    [still_open] = (await admin.get("/alerts", params={"state": "open"})).json()["items"]
    assert still_open["id"] == 1
