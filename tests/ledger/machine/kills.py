"""Kill -9 in the middle of load: the API, sessions at their COMMIT, PostgreSQL itself."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import asyncpg
import httpx
from msgspec import Struct, field

from inventory import schema
from inventory.clock import Clock
from inventory.db import Database
from inventory.embedded import Server, start_postgres, start_valkey
from inventory.facts import StockReceived
from inventory.ledger import Ledger
from inventory.models import Channel, Listing, Sku
from inventory.processes import Supervisor, free_port
from inventory.security import create_key
from tests.ledger.machine.load import Door, Load

VICTIMS = ("session", "api", "postgres")
CHANNEL = "web"
# Fewer units than are asked for, so that some holds are refused.
HELD_UNITS = 100
READY_SECONDS = 60
# Between two kills so many facts are answered at least.
PROGRESS = 20
SESSIONS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name LIKE 'hikiate%' AND state = 'active' AND query ILIKE $1"
)
COMMIT_SECONDS_MAX = 2.0


class Report(Struct, kw_only=True):
    """What a run of kills came to."""

    kills: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    told_in_vain: int = 0
    differences: list[str] = field(default_factory=list)


class Shop:
    """PostgreSQL (durable), Valkey and the API in one folder, on ports that stay."""

    def __init__(self, supervisor: Supervisor, folder: Path) -> None:
        self._supervisor = supervisor
        self._folder = folder
        self._postgres: Server = start_postgres(folder, supervisor)
        self.database_url = self._postgres.url
        valkey = start_valkey(folder, supervisor)
        asyncio.run(schema.migrate(self.database_url))
        self._port = free_port()
        self._environment = dict(os.environ) | {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": valkey.url,
            "HIKIATE_SECRET_KEY": "only for this run: forty characters or more",
            "HIKIATE_LOG_LEVEL": "ERROR",
            "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
        }
        self.start_api()

    @property
    def api_url(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self._port}"

    def start_api(self) -> None:
        """Start the API and wait until it answers."""
        api = [sys.executable, "-m", "inventory", "api", "--port", str(self._port)]
        self._api = self._supervisor.start("api", api, env=self._environment)
        self._supervisor.wait_until(self._answers, what="the API", seconds=READY_SECONDS)

    def _answers(self) -> bool:
        try:
            answer = httpx.get(self.api_url + "/health/live", timeout=2, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    def kill_api(self) -> None:
        """Kill -9, and start it anew."""
        os.kill(self._api.pid, signal.SIGKILL)
        self._supervisor.stop("api")
        self.start_api()

    def kill_postgres(self) -> None:
        """Kill -9, and start it anew on the same data and port; it recovers by itself."""
        port = self._postgres.port
        os.kill(self._postgres.pid, signal.SIGKILL)
        self._supervisor.stop("postgres")
        with mock.patch("inventory.embedded.server.free_port", return_value=port):
            self._postgres = start_postgres(self._folder, self._supervisor)
        if self._postgres.url != self.database_url:
            raise RuntimeError("PostgreSQL came back at another address")

    def kill_session(self) -> None:
        """End a session that commits, or any that works where none is seen to commit."""
        asyncio.run(self._kill_session())

    async def _kill_session(self) -> None:
        rival = await asyncpg.connect(self.database_url)
        try:
            until = time.monotonic() + COMMIT_SECONDS_MAX
            while time.monotonic() < until:
                if await rival.fetchval(SESSIONS, "COMMIT%"):
                    return
            await rival.fetchval(SESSIONS, "%")
        finally:
            await rival.close()


def run_kills(supervisor: Supervisor, folder: Path, victims: Sequence[str], *, seed: int) -> Report:
    """Kill one victim after another under load; what is wrong afterwards is in the report."""
    dice = random.Random(seed)
    shop = Shop(supervisor, folder)
    door = asyncio.run(_stocked(shop))
    kill = {
        "api": shop.kill_api,
        "session": shop.kill_session,
        "postgres": shop.kill_postgres,
    }
    load = Load(door)
    load.start()
    try:
        for victim in victims:
            _wait_for(load, PROGRESS)
            time.sleep(dice.uniform(0, 0.2))
            kill[victim]()
        _wait_for(load, PROGRESS)
    finally:
        load.stop()
    return Report(
        kills=dict(Counter(victims)),
        acknowledged=load.acknowledged,
        told_in_vain=load.vain,
        differences=asyncio.run(_differences(load)),
    )


def _wait_for(load: Load, more: int) -> None:
    goal, until = load.acknowledged + more, time.monotonic() + READY_SECONDS
    while load.acknowledged < goal and load.failure is None:
        if time.monotonic() > until:
            raise TimeoutError("nothing is answered any more")
        time.sleep(0.01)


async def _stocked(shop: Shop) -> Door:
    database = Database(shop.database_url)
    try:
        async with database.transaction() as session:
            channel = Channel(code=CHANNEL, kind="own_store")
            skus = [Sku(code="SOLD"), Sku(code="HELD")]
            session.add_all([channel, *skus])
            await session.flush()
            session.add_all(
                Listing(channel_id=channel.id, sku_id=sku.id, channel_sku=sku.code.lower())
                for sku in skus
            )
            key = await create_key(session, name="load", scopes=["orders:write"], channel=CHANNEL)
            channel_id = channel.id
        received = StockReceived(
            channel_id=0,
            fact_ref="first",
            occurred_at=Clock().now(),
            sku="HELD",
            quantity=HELD_UNITS,
        )
        await Ledger(database, Clock()).apply([received])
    finally:
        await database.aclose()
    return Door(
        database_url=shop.database_url,
        api_url=shop.api_url,
        key=key,
        channel=CHANNEL,
        channel_id=channel_id,
        sold="sold",
        held="held",
    )


_SALES = """
SELECT o.order_ref, l.ordered, (SELECT sum(p.reserved) FROM order_part p WHERE p.order_id = o.id)
FROM sales_order o LEFT JOIN order_line l ON l.order_id = o.id
"""
_HOLDS = "SELECT f.fact_ref FROM reservation r JOIN fact f ON f.id = r.fact_id"
_MOVED = """
SELECT s.code, v.on_hand, v.reserved, v.revision, sum(m.on_hand_delta), sum(m.reserved_delta),
  count(*), max(m.revision)
FROM stock_level v JOIN sku s ON s.id = v.sku_id
JOIN movement m USING (sku_id, location_id) GROUP BY s.code, v.on_hand, v.reserved, v.revision
"""


async def _differences(load: Load) -> list[str]:
    """Every acknowledged fact is there once, nothing else is, and the books agree."""
    connection = await asyncpg.connect(load.door.database_url)
    try:
        sales = [tuple(row) for row in await connection.fetch(_SALES)]
        holds = [row[0] for row in await connection.fetch(_HOLDS)]
        moved = await connection.fetch(_MOVED)
    finally:
        await connection.close()
    granted = [f"h{ref}" for ref, granted in load.holds.items() if granted]
    told = [(f"o{ref}", units, units) for ref, units in load.sales.items()]
    wrong = [
        *_both("sale", told, sales),
        *_both("hold", granted, holds),
    ]
    reserved = {"SOLD": sum(load.sales.values()), "HELD": len(granted)}
    for code, on_hand, held, revision, *sums, entries, newest in moved:
        if sums != [on_hand, held] or not revision == entries == newest:
            wrong.append(f"{code}: {on_hand}, {held}, {revision} is not {sums}, {entries}")
        if held != reserved[code]:
            wrong.append(f"{code}: {held} are reserved, {reserved[code]} were acknowledged")
    if len(granted) != min(HELD_UNITS, len(load.holds)):
        wrong.append(f"{len(granted)} of {len(load.holds)} holds were granted")
    return wrong


def _both(what: str, told: Sequence[Any], found: Sequence[Any]) -> list[str]:
    told_times, found_times = Counter(told), Counter(found)
    return [
        f"{what} {each}: told and acknowledged {told_times[each]} times, there {found_times[each]}"
        for each in told_times.keys() | found_times.keys()
        if told_times[each] != found_times[each]
    ]
