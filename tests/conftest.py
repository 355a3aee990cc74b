"""Fixtures for every test: a fresh database made by the migrations, the ledger, the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from inventory import schema
from inventory.clock import Clock
from inventory.db import Database
from inventory.embedded import start_postgres, start_valkey
from inventory.inbox import Inbox
from inventory.ledger import Ledger
from inventory.listings import Margins
from inventory.models import Base
from inventory.processes import Supervisor

# Helpers that assert say as much as tests when they fail.
pytest.register_assert_rewrite("tests.hostile.agreement", "tests.workers.night")

# An example may take as long as the machine needs: none of them is about speed.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

TEMPLATE = "hikiate_template"
HASTY = ("fsync", "synchronous_commit", "full_page_writes")


class HandClock(Clock):
    """A clock that stands still until a test moves it."""

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        self.moment = moment

    def now(self) -> datetime:
        """The moment that the test has set."""
        return self.moment


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The night takes longest: begin with it, whatever order the dice gave."""
    items.sort(key=lambda item: "test_demo.py" not in item.nodeid)


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Ends the servers of this test run, whatever happens."""
    with Supervisor(tmp_path_factory.mktemp("logs")) as supervisor:
        yield supervisor


@pytest.fixture(scope="session")
def postgres(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a real PostgreSQL's database.

    It does not wait for the disk: making a database for every test is quicker by that, and no test
    here pulls the plug. The demo's test runs on a durable one.
    """
    data = tmp_path_factory.mktemp("data")
    return start_postgres(data, supervisor, settings=dict.fromkeys(HASTY, "off")).url


@pytest.fixture(scope="session")
def valkey(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a real Valkey."""
    return start_valkey(tmp_path_factory.mktemp("data"), supervisor).url


def _beside(url: str, name: str) -> str:
    return url.rsplit("/", 1)[0] + "/" + name


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """A database with the newest schema, made by running the migrations, to be copied per test."""
    name = f"{TEMPLATE}_{uuid4().hex[:8]}"
    asyncio.run(_run(postgres, f"CREATE DATABASE {name}"))
    asyncio.run(schema.migrate(_beside(postgres, name)))
    return name


@pytest.fixture
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    """The address of a database of this test's own."""
    name = f"test_{uuid4().hex}"
    await _run(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _beside(postgres, name)
    await _run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Connections to this test's database."""
    database = Database(database_url)
    yield database
    await database.aclose()


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands at noon (Tokyo: 21:00) of a sale day until it is moved."""
    return HandClock(datetime(2026, 11, 21, 12, 0, tzinfo=UTC))


@pytest.fixture
def ledger(database: Database, clock: HandClock) -> Ledger:
    """The one door to stock."""
    return Ledger(database, clock)


@pytest.fixture
def inbox(database: Database, ledger: Ledger, clock: HandClock) -> Inbox:
    """The inbox on this test's ledger."""
    return Inbox(database, ledger, clock)


@pytest.fixture
def margins() -> Margins:
    """Margins as they are set by default."""
    return Margins(window_seconds=60, quantile=0.999)


Save = Callable[..., Awaitable[None]]


@pytest.fixture
def save(database: Database) -> Save:
    """Adds what a factory has built, in the order given, and commits."""

    async def save(*rows: Base) -> None:
        async with database.transaction() as session:
            for row in rows:
                session.add(row)
                await session.flush()

    return save
