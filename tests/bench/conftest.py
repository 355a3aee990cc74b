"""A shop of sixty SKUs on the test server, and a stand that measures for a moment only."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from inventory.bench import place
from inventory.bench.place import Place
from inventory.bench.stand import Pace, Stand
from inventory.embedded import Server
from inventory.processes import Supervisor

SKUS = 60


@pytest.fixture(scope="session")
def shop(postgres: str) -> str:
    """The server, with the template of the shop on it."""
    asyncio.run(place.open_shop(postgres, skus=SKUS))
    return postgres


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Supervisor]:
    """For what a measurement starts and stops by name: the tests' own Valkey is not its to stop."""
    with Supervisor(tmp_path / "logs") as supervisor:
        yield supervisor


@pytest.fixture
def stand(shop: str, supervisor: Supervisor) -> Stand:
    """Measures the tests' own server, which is not durable; no figure of it is looked at."""
    server = Server(
        name="postgres", url=shop, pid=os.getpid(), port=0, started=False, supervisor=supervisor
    )
    return Stand(server, Pace(seconds=0.1, warm_seconds=0.05, try_seconds=0.02))


@pytest.fixture
async def where(stand: Stand) -> AsyncIterator[Place]:
    """A database with the shop as it opens."""
    async with stand.database() as (where, _):
        yield where
