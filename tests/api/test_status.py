"""The overview, health and metrics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from inventory import checks
from inventory.api.context import Services
from inventory.db import Database
from inventory.models import (
    Cancellation,
    Channel,
    Delivery,
    InboundEvent,
    Listing,
    Push,
    PushRow,
    WebhookEndpoint,
)
from tests.conftest import HandClock, Save

NOON = "2026-11-21T12:00:00Z"


async def findings(client: httpx.AsyncClient) -> list[tuple[str, str | None, float | None]]:
    """What is late, on which channel, since how many seconds."""
    answer = await client.get("/health/ready")
    body = answer.json()
    assert answer.status_code == (503 if body["findings"] else 200)
    assert body["status"] == ("late" if body["findings"] else "ready")
    return [(each["what"], each["channel"], each["age_seconds"]) for each in body["findings"]]


async def test_quiet_house_is_live_and_ready(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/health/live")).json() == {"status": "live"}
    ready = await stranger.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "findings": []})


async def test_status_counts_sales_pushes_and_old_numbers(
    admin: httpx.AsyncClient, store: str, save: Save, clock: HandClock, services: Services
) -> None:
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": 3}
    for number, day in ((1, "2026-11-21T00:30:00+09:00"), (2, "2026-11-20T23:30:00+09:00")):
        order = {"event_id": f"e-{number}", "order_ref": f"o-{number}", "lines": [line]}
        await admin.post(f"{store}/orders", json=order | {"occurred_at": day})
    async with services.database.transaction() as session:
        listing = await session.get_one(Listing, 1)
        listing.revision_wanted, listing.wanted_at = 2, clock.now() - timedelta(seconds=7)
        channel = await session.get_one(Channel, 1)
        channel.watermark = channel.pulled_at = clock.now() - timedelta(seconds=5)
    pushes = [
        Push(channel_id=1, lane="number", sent_at=clock.now() - timedelta(seconds=age))
        for age in (30, 90)
    ]
    await save(*pushes)
    for push in pushes:
        row = PushRow(push_id=push.id, listing_id=1, quantity=4, lane="lower", revision=1)
        row.stock_revision, row.decided_at, row.unseen = 1, clock.now(), 0
        await save(row)

    status = (await admin.get("/status")).json()

    assert status["channels"][0]["live_at"] is not None
    assert status == {
        "as_of": NOON,
        "frozen": False,
        "channels": [
            {
                "channel": "web",
                "kind": "own_store",
                "frozen": False,
                "live_at": status["channels"][0]["live_at"],
                "pulled_at": "2026-11-21T11:59:55Z",
                "watermark": "2026-11-21T11:59:55Z",
                "listings": 1,
                "listings_stale": 1,
                "oldest_stale_seconds": 7.0,
                "orders_today": 1,
                "units_today": 3,
                "pushes_last_minute": 1,
                "failing_since": None,
                "failure": None,
            }
        ],
        "events_new": 0,
        "events_parked": 0,
        "events_in_conflict": 0,
        "oversells_open": 0,
        "cancellations_proposed": 0,
        "alerts_open": 0,
        "deliveries_pending": 0,
        "deliveries_parked": 0,
    }


@pytest.fixture
async def late(save: Save, clock: HandClock, admin: httpx.AsyncClient, store: str) -> None:
    """One of everything that can be late, a second before its time."""
    now = clock.now()
    channel = Channel(code="rmart", kind="rakuten", connected_at=now - timedelta(seconds=599))
    channel.failing_since, channel.failure = now - timedelta(seconds=59), "throttled: wait"
    endpoint = WebhookEndpoint(url="https://shop.example/", secret=b"sealed")
    await save(channel, endpoint)
    event: dict[str, Any] = {"channel_id": channel.id, "kind": "sale", "body": {}}
    event |= {"received_at": now - timedelta(seconds=299), "subject": "o-1"}
    listing = Listing(channel_id=channel.id, channel_sku="R-MUG", sku_id=1, revision_wanted=1)
    listing.wanted_at = now - timedelta(seconds=59)
    delivery: dict[str, Any] = {"endpoint_id": endpoint.id, "event": "a.b", "body": {}}
    delivery |= {"created_at": now - timedelta(seconds=599), "due_at": now}
    line = {"line_ref": "1", "channel_sku": "W-MUG", "quantity": 1}
    order = {"event_id": "e-1", "order_ref": "o-1", "lines": [line]}
    await admin.post(f"{store}/orders", json=order)
    await save(
        InboundEvent(**event, event_id="1", content_hash=b"1", state="new"),
        InboundEvent(**event, event_id="2", content_hash=b"2", state="parked", code="malformed"),
        InboundEvent(**event, event_id="3", content_hash=b"3", state="conflict"),
        listing,
        Delivery(**delivery, message_id="m-1"),
        Cancellation(
            channel_id=channel.id,
            order_id=1,
            state="submitted",
            reason="out_of_stock",
            reason_code="8",
            proposed_at=now - timedelta(seconds=400),
            submitted_at=now - timedelta(seconds=299),
        ),
    )


async def test_what_is_late_turns_health_red_and_names_channel_and_age(
    stranger: httpx.AsyncClient, late: None, clock: HandClock
) -> None:
    assert await findings(stranger) == [("events_parked", "rmart", 299.0)]

    clock.moment += timedelta(seconds=2)

    assert await findings(stranger) == [
        ("channel_silent", "rmart", 601.0),
        ("deliveries_late", None, 601.0),
        ("events_unhandled", "rmart", 301.0),
        ("events_parked", "rmart", 301.0),
        ("cancellations_late", "rmart", 301.0),
        ("listings_stale", "rmart", 61.0),
        ("channel_failing", "rmart", 61.0),
    ]
    detail = {
        each["what"]: each["detail"]
        for each in (await stranger.get("/health/ready")).json()["findings"]
    }
    assert detail["events_parked"] == "1 events wait for a person: malformed"
    assert detail["channel_failing"] == "throttled: wait"
    assert detail["listings_stale"] == "1 listings show an old number"


async def test_frozen_channel_is_not_late_and_waiting_skus_are(
    stranger: httpx.AsyncClient, admin: httpx.AsyncClient, late: None, clock: HandClock
) -> None:
    await admin.post("/freeze")
    clock.moment += timedelta(seconds=61)

    found = await findings(stranger)

    assert "listings_stale" not in {what for what, _, _ in found}
    assert ("skus_stale", None, 61.0) in found


async def test_parked_message_is_red_until_its_endpoint_is_gone(
    stranger: httpx.AsyncClient, admin: httpx.AsyncClient, save: Save, clock: HandClock
) -> None:
    await save(WebhookEndpoint(url="https://shop.example/", secret=b"sealed"))
    delivery = Delivery(endpoint_id=1, message_id="m-1", event="a.b", body={}, state="parked")
    delivery.created_at = delivery.due_at = clock.now()
    await save(delivery)
    assert await findings(stranger) == [("deliveries_parked", None, 0.0)]

    await admin.delete("/webhook-endpoints/1")

    assert await findings(stranger) == []


async def test_ledger_that_does_not_balance_is_found(
    stranger: httpx.AsyncClient, store: str, database: Database, clock: HandClock
) -> None:
    assert (await checks.check(database, clock.now())).differences == ()
    assert await findings(stranger) == []

    async with database.transaction() as session:
        await session.execute(text("UPDATE stock_level SET on_hand = 11"))
    [wrong] = (await checks.check(database, clock.now())).differences

    assert (wrong.what, wrong.sku, wrong.location, wrong.revision) == ("sum", "MUG", "main", 1)
    clock.moment += timedelta(seconds=30)
    assert await findings(stranger) == [("ledger_unbalanced", None, 30.0)]

    async with database.transaction() as session:
        await session.execute(text("UPDATE stock_level SET on_hand = 10"))
    await checks.check(database, clock.now())
    assert await findings(stranger) == []
    clock.moment += timedelta(seconds=3601)
    found = await findings(stranger)
    assert ("ledger_unchecked", None, 3601.0) in found


async def test_missing_redis_and_database_are_found(
    stranger: httpx.AsyncClient, services: Services
) -> None:
    redis, database = services.redis, services.database
    services.redis = redis.from_url("redis://127.0.0.1:1/0")
    services.database = Database("postgresql://app@127.0.0.1:1/none")
    try:
        found = await findings(stranger)
        refused = await stranger.get("/v1/skus", headers={"Authorization": "Bearer hk_some-key"})
    finally:
        await services.database.aclose()
        services.redis, services.database = redis, database

    assert found == [("redis_unreachable", None, None), ("postgresql_unreachable", None, None)]
    assert refused.status_code == 503
    assert refused.json()["code"] == "unavailable"
    assert refused.headers["retry-after"] == "1"


async def test_metrics_are_prometheus_text(
    stranger: httpx.AsyncClient, admin: httpx.AsyncClient, store: str
) -> None:
    await admin.get("/skus/NO-SUCH")
    answer = await stranger.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    for line in (
        'hikiate_channel_listings{channel="web",kind="own_store"} 1.0',
        'hikiate_channel_frozen{channel="web",kind="own_store"} 0.0',
        "hikiate_oversells_open 0.0",
        "hikiate_ledger_on_hand 10.0",
        "hikiate_ledger_skus_stale 1.0",
        'hikiate_http_requests_total{method="POST",route="/v1/skus",status="201"} 1.0',
        'hikiate_http_requests_total{method="GET",route="/v1/skus/{sku}",status="404"} 1.0',
    ):
        assert line in lines
    assert "NO-SUCH" not in answer.text


async def test_metrics_count_calls_by_endpoint(
    stranger: httpx.AsyncClient, store: str, services: Services, clock: HandClock
) -> None:
    async with services.database.sessions() as session:
        [(channel_id, code, kind)] = await session.execute(
            text("SELECT id, code, kind FROM channel WHERE kind <> 'house'")
        )
    key = f"calls:{channel_id}"
    await services.redis.hset(key, mapping={"some.call": 7, "some.call:refused": 2})

    metrics = (await stranger.get("/metrics")).text.splitlines()

    labels = f'{{channel="{code}",endpoint="some.call",kind="{kind}"}}'
    assert f"hikiate_channel_calls_used{labels} 7.0" in metrics
    assert f"hikiate_channel_calls_refused{labels} 2.0" in metrics
    await services.redis.delete(key)
