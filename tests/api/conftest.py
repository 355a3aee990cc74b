"""The app on this test's database, callers with keys, and a look at everything that is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text

from inventory.api.context import Services
from inventory.app import create_app
from inventory.config import Settings
from inventory.db import Database
from inventory.models import Base
from inventory.security import create_key
from tests.conftest import HandClock

SECRET_KEY = "only for tests: forty characters or more"

# A shop as it is connected.
RAKUTEN: dict[str, Any] = {
    "code": "rmart",
    "kind": "rakuten",
    "base_url": "https://api.rms.example",
    "settings": {"window_hours": 12.0},
    "credentials": {"service_secret": "SP-secret-1", "license_key": "SL-license-1"},
    "safety_stock": 1,
    "live": True,
}

Contents = dict[str, list[str]]
Look = Callable[[], Awaitable[Contents]]
Caller = Callable[..., Awaitable[httpx.AsyncClient]]
Rung = Callable[[], Awaitable[list[str]]]


@pytest.fixture
def settings(database_url: str, valkey: str) -> Settings:
    """Settings with this test's database and a real Valkey."""
    return Settings(
        database_url=database_url,
        redis_url=valkey,
        secret_key=SECRET_KEY,
        data_dir=Path("nowhere"),
    )


@pytest.fixture
def rings() -> list[str]:
    """The work that was rung for."""
    return []


@pytest.fixture
async def app(
    settings: Settings, clock: HandClock, rings: list[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Litestar]:
    """The app, started; its doorbell writes down at once what it was asked to ring for."""
    monkeypatch.setattr("inventory.api.context.BELL_PAUSE_SECONDS", 0)
    app = create_app(settings, ring=rings.append, clock=clock)
    started, stop = asyncio.Event(), asyncio.Event()

    # The lifespan must begin and end in one task; a fixture's two halves run in two.
    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stop.wait()

    life = asyncio.create_task(live())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({life, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if life.done():
        waiting.cancel()
        await life
    yield app
    stop.set()
    await life


@pytest.fixture
def services(app: Litestar) -> Services:
    """The parts that the app works with."""
    services: Services = app.state.services
    return services


@pytest.fixture
def rung(services: Services, rings: list[str]) -> Rung:
    """What was rung for since the last look, once every ring is out."""

    async def rung() -> list[str]:
        await services.bell.quiet()
        heard = rings.copy()
        rings.clear()
        return heard

    return rung


def over(app: Litestar) -> httpx.ASGITransport:
    """The way to the app without a socket."""
    asgi: Any = app
    return httpx.ASGITransport(asgi, raise_app_exceptions=False)


@pytest.fixture
async def stranger(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """Calls without a key."""
    async with httpx.AsyncClient(transport=over(app), base_url="http://hikiate") as client:
        yield client


@pytest.fixture
async def caller(app: Litestar, database: Database) -> AsyncIterator[Caller]:
    """Makes a caller whose key has the scopes given and, maybe, one channel."""
    clients: list[httpx.AsyncClient] = []

    async def caller(*scopes: str, channel: str | None = None) -> httpx.AsyncClient:
        async with database.transaction() as session:
            key = await create_key(session, name="tester", scopes=scopes, channel=channel)
        headers = {"Authorization": f"Bearer {key}"}
        client = httpx.AsyncClient(
            transport=over(app), base_url="http://hikiate/v1", headers=headers
        )
        clients.append(client)
        return client

    yield caller
    for client in clients:
        await client.aclose()


@pytest.fixture
async def admin(caller: Caller) -> httpx.AsyncClient:
    """May do everything."""
    return await caller("admin")


@pytest.fixture
def contents(database: Database) -> Look:
    """Every row of every table but the keys; two looks are equal if nothing changed."""

    async def contents() -> Contents:
        found: Contents = {}
        async with database.sessions() as session:
            for table in Base.metadata.sorted_tables:
                if table.name == "api_key":
                    continue
                rows = await session.execute(text(f"SELECT t::text FROM {table.name} t ORDER BY 1"))  # noqa: S608 -- our own tables
                found[table.name] = list(rows.scalars())
        return found

    return contents


@pytest.fixture
async def mug(admin: httpx.AsyncClient) -> dict[str, Any]:
    """The SKU MUG with ten units at the first location."""
    answer = await admin.post("/skus", json={"code": "MUG"})
    assert answer.status_code == 201, answer.text
    received = {"kind": "receive", "ref": "delivery-1", "sku": "MUG", "quantity": 10}
    assert (await admin.post("/movements", json=received)).status_code == 201
    found: dict[str, Any] = (await admin.get("/skus/MUG")).json()
    return found


@pytest.fixture
async def store(admin: httpx.AsyncClient, mug: dict[str, Any]) -> str:
    """An own store that lists MUG as W-MUG; the part of the address that names it."""
    answer = await admin.post("/channels", json={"code": "web", "kind": "own_store"})
    assert answer.status_code == 201, answer.text
    rows = {"listings": [{"channel_sku": "W-MUG", "sku": "MUG"}]}
    assert (await admin.put("/channels/web/listings", json=rows)).status_code == 200
    return "/channels/web"


def problem(answer: httpx.Response) -> tuple[int, str]:
    """The status and code of a problem; checks that it is a whole one."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:hikiate:problem:{body['code']}"
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
    return answer.status_code, body["code"]
