"""What the tests of alerts and webhooks share: an endpoint, a runtime, ways out to this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from inventory.config import Settings
from inventory.db import Database
from inventory.ledger import Ledger
from inventory.models import WebhookEndpoint
from inventory.outgoing.endpoints import add_endpoint
from inventory.outgoing.outbound import Outbound
from inventory.security import Vault
from tests.conftest import HandClock, Save
from tests.factories import SkuFactory
from tests.notices.buyers import Buyers
from tests.notices.receiver import Receiver
from tests.notices.worker import Worker
from workers.runtime import Runtime

SECRET_KEY = "a secret key of more than 32 characters"
LOOPBACK = (ip_network("127.0.0.0/8"),)

Endpoint = Callable[..., Awaitable[tuple[WebhookEndpoint, str]]]


@pytest.fixture
def vault() -> Vault:
    """Seals the secrets of these tests."""
    return Vault(SECRET_KEY)


@pytest.fixture
def endpoint(database: Database, vault: Vault) -> Endpoint:
    """Adds an endpoint and commits; returned with its secret."""

    async def endpoint(
        url: str = "https://shop.example/hook", events: tuple[str, ...] = ()
    ) -> tuple[WebhookEndpoint, str]:
        async with database.transaction() as session:
            return await add_endpoint(session, vault, url=url, events=events, networks=LOOPBACK)

    return endpoint


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that says 204 to everything."""
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    """A way out that may reach this machine; given up after two seconds."""
    outbound = Outbound(LOOPBACK, total_seconds=2.0)
    yield outbound
    await outbound.aclose()


@pytest.fixture
async def runtime(database_url: str, clock: HandClock, tmp_path: Path) -> AsyncIterator[Runtime]:
    """What a worker has; its Redis is never asked."""
    settings = Settings(
        database_url=database_url,
        redis_url="redis://127.0.0.1:1/0",
        secret_key=SECRET_KEY,
        data_dir=tmp_path,
        webhook_networks=LOOPBACK,
    )
    runtime = Runtime(settings, clock=clock)
    yield runtime
    await runtime.aclose()


@pytest.fixture
def worker(runtime: Runtime, database: Database, clock: HandClock, outbound: Outbound) -> Worker:
    """The worker that sends messages; it reaches this machine."""
    return Worker(runtime, database, clock, outbound)


@pytest.fixture
async def buyers(database: Database, ledger: Ledger, save: Save, endpoint: Endpoint) -> Buyers:
    """MUG with eight units, and an endpoint that wants every event."""
    await save(SkuFactory.build(code="MUG", name="Blue mug"))
    await endpoint()
    buyers = Buyers(database, ledger)
    await buyers.move(8)
    return buyers
