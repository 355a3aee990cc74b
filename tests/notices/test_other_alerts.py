"""Alerts that are not about low stock: oversells, health, whatever has a kind and a subject."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from inventory import alerts
from inventory.db import Database
from inventory.health import Finding
from tests.conftest import HandClock
from tests.factories import NOON
from tests.notices.buyers import told
from tests.notices.conftest import Endpoint


async def test_other_alerts_fire_once_and_close_once(
    database: Database, endpoint: Endpoint, clock: HandClock
) -> None:
    await endpoint()
    now = clock.now()
    detail = {"shortage": 2, "since": now}

    async def fire(kind: str) -> bool:
        async with database.transaction() as session:
            return await alerts.fire(session, kind=kind, subject="sku:MUG", detail=detail, now=now)

    async def close(kind: str) -> bool:
        async with database.transaction() as session:
            return await alerts.close(session, kind=kind, subject="sku:MUG", now=now)

    assert [await fire("oversell"), await fire("oversell"), await fire("x")] == [True, False, True]
    assert [await close("oversell"), await close("oversell")] == [True, False]
    messages = await told(database)
    assert [(event, data["kind"]) for event, data in messages] == [
        ("alert.fired", "oversell"),
        ("alert.fired", "x"),
        ("alert.closed", "oversell"),
    ]
    assert messages[0][1]["detail"] == {"shortage": 2, "since": "2026-11-21T12:00:00Z"}


async def test_ten_workers_fire_the_same_alert_once(database: Database) -> None:
    async def fire() -> bool:
        async with database.transaction() as session:
            return await alerts.fire(
                session, kind="oversell", subject="sku:MUG", detail={}, now=NOON
            )

    assert sorted(await asyncio.gather(*(fire() for _ in range(10)))) == [False] * 9 + [True]


async def test_health_findings_become_alerts_and_end_with_them(
    database: Database, endpoint: Endpoint
) -> None:
    silent = Finding(what="channel_silent", channel="shop-1", age_seconds=700.0, detail="silent")
    late = Finding(what="deliveries_late", age_seconds=900.0, detail="2 webhooks are late")
    await endpoint()

    async def match(findings: Sequence[Finding]) -> int:
        async with database.transaction() as session:
            await alerts.fire(session, kind="oversell", subject="sku:MUG", detail={}, now=NOON)
            return await alerts.match_health(session, findings, NOON)

    assert [await match([late, silent]), await match([silent, late])] == [2, 0]
    assert [await match([late]), await match([])] == [1, 1]
    seen = [(event, data["kind"], data["subject"]) for event, data in await told(database)]
    assert seen == [
        ("alert.fired", "oversell", "sku:MUG"),
        ("alert.fired", "health.channel_silent", "channel:shop-1"),
        ("alert.fired", "health.deliveries_late", "house"),
        ("alert.closed", "health.channel_silent", "channel:shop-1"),
        ("alert.closed", "health.deliveries_late", "house"),
    ]
