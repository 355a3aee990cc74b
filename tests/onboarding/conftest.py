"""A worker's parts at a standing clock, and a shop to connect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import select
from typer.testing import CliRunner, Result

from channels import registry
from channels.rakuten.settings import RakutenCredentials, RakutenSettings
from inventory import catalogue, connections
from inventory.app import check_by_adapter
from inventory.catalogue import NewSku
from inventory.cli import app
from inventory.config import Settings
from inventory.connections import NewChannel
from inventory.db import Database
from inventory.models import Channel
from tests.conftest import HandClock
from tests.onboarding.fake_shop import FakeShop
from workers.runtime import Runtime

SECRET_KEY = "only for tests: forty characters or more"
NEW = NewChannel(
    code="shop",
    kind="rakuten",
    base_url="https://api.rms.example",
    credentials={"service_secret": "SP-secret-1", "license_key": "SL-license-1"},
)
Connect = Callable[..., Awaitable[Channel]]
Hikiate = Callable[..., Any]


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
async def runtime(settings: Settings, clock: HandClock) -> AsyncIterator[Runtime]:
    """One worker process's parts."""
    runtime = Runtime(settings, clock=clock)
    yield runtime
    await runtime.aclose()


@pytest.fixture
def shop(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> FakeShop:
    """The shop that every Rakuten channel is."""
    shop = FakeShop(clock)
    recipe = registry.Recipe(
        settings=RakutenSettings, credentials=RakutenCredentials, build=shop.build
    )
    monkeypatch.setitem(registry.RECIPES, "rakuten", recipe)
    return shop


@pytest.fixture
def connect(runtime: Runtime) -> Connect:
    """Connects the shop, read only unless told otherwise."""

    async def connect(*, skus: tuple[str, ...] = (), **changes: object) -> Channel:
        now = runtime.clock.now()
        async with runtime.database.transaction() as session:
            for code in skus:
                await catalogue.create_sku(session, NewSku(code=code), by="mori", now=now)
            return await connections.connect(
                session,
                structs.replace(NEW, **changes),
                vault=runtime.vault,
                check=check_by_adapter,
                by="mori",
                now=now,
            )

    return connect


@pytest.fixture
def hikiate(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Hikiate:
    """Runs a command in a thread of its own, as it makes a loop of its own."""
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("HIKIATE_SECRET_KEY", settings.secret_key)
    # A process of its own sends its logs elsewhere; here they would be those of all tests.
    monkeypatch.setattr("inventory.logs.setup", lambda _: None)

    async def hikiate(*arguments: str, typed: str | bytes | None = None) -> Result:
        def invoke() -> Result:
            return CliRunner().invoke(app, arguments, input=typed)

        return await asyncio.to_thread(invoke)

    return hikiate


async def channel(database: Database) -> Channel:
    """The shop as it is stored."""
    async with database.sessions() as session:
        found = await session.scalar(select(Channel).where(Channel.code == "shop"))
    assert found is not None
    return found


async def added(hikiate: Hikiate) -> None:
    """The shop is connected."""
    done = await hikiate("channel", "add", "--from-file", "-", typed=msgspec.json.encode(NEW))
    assert done.exit_code == 0, done.output
