"""A worker's parts at a standing clock, and a shop to connect."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from msgspec import structs

from channels import registry
from channels.rakuten.settings import RakutenCredentials, RakutenSettings
from inventory import catalogue, connections
from inventory.app import check_by_adapter
from inventory.catalogue import NewSku
from inventory.config import Settings
from inventory.connections import NewChannel
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
