"""More is told than the ledger takes up: callers are sent away for a while, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import text

from inventory import ledger
from inventory.api.context import Services
from inventory.db import Database
from tests.api.conftest import problem
from tests.api.test_bulk import receive, sale
from tests.api.test_orders import stock
from tests.api.test_reservations import hold


@asynccontextmanager
async def balances_locked(database: Database) -> AsyncIterator[None]:
    """A rival holds every balance for the time being."""
    async with database.transaction() as session:
        await session.execute(text("SELECT FROM stock_level FOR UPDATE"))
        yield


async def until(true: Callable[[], bool]) -> None:
    """Wait for what other tasks bring about."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 -- no event tells it
            await asyncio.sleep(0.01)


def is_under_way(services: Services) -> bool:
    """Whether all that was told has been taken up, and is not committed yet."""
    combiner = services.ledger.combiner
    drain = combiner._drain
    return drain is not None and not drain.done() and not combiner.waiting


async def test_more_than_may_wait_is_refused_with_the_time_to_come_back(
    admin: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
    store: str,
    services: Services,
    database: Database,
) -> None:
    combiner = services.ledger.combiner
    combiner._waiting_max = 2
    await services.shops.get("web")

    async with balances_locked(database):
        under_way = asyncio.create_task(admin.post(f"{store}/orders", json=sale(1)))
        await until(lambda: is_under_way(services))
        waits = asyncio.create_task(admin.post("/movements", json=receive("a")))
        await until(lambda: combiner.waiting == 1)
        calls: list[Awaitable[httpx.Response]] = [
            admin.post("/movements/batch", json={"lines": [receive("b"), receive("c")]}),
            admin.post(f"{store}/orders", json={"orders": [sale(2), sale(3)]}),
        ]
        refused = list(await asyncio.gather(*calls))
        metrics = (await stranger.get("/metrics")).text.splitlines()
        also_waits = asyncio.create_task(admin.post(f"{store}/reservations", json=hold("b-1", 1)))
        await until(lambda: combiner.waiting == 2)
        refused.append(await admin.post(f"{store}/reservations", json=hold("b-2", 1)))

    assert [problem(answer) for answer in refused] == [(429, "too_busy")] * 3
    assert all(1 <= int(answer.headers["retry-after"]) <= 30 for answer in refused)
    assert "hikiate_ledger_waiting 1.0" in metrics
    done = [await under_way, await waits, await also_waits]
    assert [answer.status_code for answer in done] == [201, 201, 201]
    assert combiner.waiting == 0
    assert await stock(admin) == (11, 2)

    again = await admin.post("/movements/batch", json={"lines": [receive("b"), receive("c")]})
    assert again.json()["recorded"] == 2
    assert "hikiate_ledger_waiting 0.0" in (await stranger.get("/metrics")).text.splitlines()


async def test_lost_database_is_503_and_the_same_may_be_told_again(
    admin: httpx.AsyncClient, store: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LOST_SECONDS_MAX", -1)
    gone = Database("postgresql://app@127.0.0.1:1/none")
    there = services.ledger._database
    await services.shops.get("web")
    services.ledger._database = gone
    try:
        answers = [
            await admin.post("/movements", json=receive("a")),
            await admin.post("/movements/batch", json={"lines": [receive("a")]}),
            await admin.post(f"{store}/reservations", json=hold("b-1", 1)),
            await admin.post(f"{store}/orders", json=sale(1)),
            await admin.post(f"{store}/orders", json={"orders": [sale(1)]}),
        ]
    finally:
        services.ledger._database = there
        await gone.aclose()

    assert [problem(answer) for answer in answers] == [(503, "ledger_unavailable")] * 5
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}
    assert await stock(admin) == (10, 0)
    assert (await admin.post(f"{store}/orders", json=sale(1))).status_code == 201
    assert await stock(admin) == (10, 1)
