"""How much dead webhook endpoints slow the living down: with and without them, side by side."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from statistics import median
from typing import Any

from msgspec import Struct, to_builtins
from sqlalchemy import update

from inventory import deliveries, stack
from inventory.bench import machine
from inventory.bench.machine import Machine
from inventory.db import Database
from inventory.doorbell import Doorbell, make_celery
from inventory.models import WebhookEndpoint
from inventory.outgoing.endpoints import add_endpoint
from inventory.processes import Supervisor
from inventory.security import Vault

Say = Callable[[str], None]

LOOPBACK = "127.0.0.0/8"
MEASURED, OTHERS = 18, 2
ROUND_SECONDS = 12.0
EVERY_SECONDS = 1.0
SETTLE_SECONDS = 3.0
WARM_SECONDS = 3.0
RATIO_MOST = 1.1
EVENT = "bench.tick"


class Side(Struct, frozen=True, kw_only=True):
    """How long messages took to living endpoints, from before the commit until they were there."""

    messages: int
    lost: int
    p50_ms: float
    p99_ms: float
    rounds_p99_ms: list[float]


class WebhooksReport(Struct, frozen=True, kw_only=True):
    """One run. `p99_ratio` is with dead endpoints against without: the median of the rounds' p99.

    `p99_ratio_pooled` is that of all rounds together, which one burst can move.
    """

    started_at: datetime
    took_seconds: float
    machine: Machine
    endpoints: int
    dead: int
    living: Side
    beside_dead: Side
    p99_ratio: float
    p99_ratio_pooled: float

    @property
    def ok(self) -> bool:
        """Whether every message to a living endpoint came in."""
        return self.living.lost == self.beside_dead.lost == 0

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        found: dict[str, Any] = to_builtins(self)
        return found | {"ratio_most": RATIO_MOST, "isolated": self.p99_ratio <= RATIO_MOST}

    def lines(self) -> list[str]:
        """For people."""
        heads = f"{self.endpoints} endpoints, {self.dead} of them dead in every other round"
        rows = [
            f"{name:<28}{side.p50_ms:>8.1f}{side.p99_ms:>8.1f}{side.messages:>10}{side.lost:>6}"
            for name, side in (("all living", self.living), ("beside the dead", self.beside_dead))
        ]
        return [
            heads,
            f"{'ms from commit to receiver':<28}{'p50':>8}{'p99':>8}{'messages':>10}{'lost':>6}",
            *rows,
            (
                f"p99 beside the dead / all living: of all {self.p99_ratio_pooled:.2f},"
                f" median of the rounds {self.p99_ratio:.2f} (at most {RATIO_MOST:.2f})"
            ),
        ]


class _Receivers:
    """A receiver for all living endpoints, told apart by path, and two kinds of dead ones."""

    def __init__(self) -> None:
        self.came: dict[tuple[str, int], float] = {}
        self._servers: list[asyncio.Server] = []
        self._held: list[asyncio.StreamWriter] = []

    async def start(self) -> list[str]:
        """Listen; the addresses of a living, a silent and a closed one."""
        urls = []
        for serve in (self._living, self._silent):
            server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
            self._servers.append(server)
            urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            return [*urls, f"http://127.0.0.1:{unused.getsockname()[1]}"]

    async def _living(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            path = head.split(" ", 2)[1]
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            body = await reader.readexactly(length)
            self.came.setdefault((path, json.loads(body)["data"]["n"]), time.perf_counter())
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _silent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._held.append(writer)
        await reader.read()

    def stop(self) -> None:
        """Let everyone go."""
        for writer in self._held:
            writer.close()
        for server in self._servers:
            server.close()


class WebhooksBench:
    """The parts of one run."""

    def __init__(self, house: stack.House, say: Say, rounds: int) -> None:
        self._house, self._say, self._rounds = house, say, rounds
        self._database = Database(house.environment["DATABASE_URL"])
        self._doorbell = Doorbell(make_celery(house.environment["REDIS_URL"]))
        self._receivers = _Receivers()
        self._ids: dict[str, list[int]] = {}
        self._sent: dict[int, tuple[bool, int, float]] = {}

    async def run(self, folder: Path) -> WebhooksReport:
        """Round after round, with and without dead endpoints, in the order ABBA."""
        began, started_at = time.monotonic(), datetime.now(UTC)
        found = await machine.describe(self._house.environment["DATABASE_URL"], folder)
        await self._open()
        try:
            self._say("warming up")
            await self._round(dead=False, number=-1, seconds=WARM_SECONDS)
            for number in range(self._rounds):
                for dead in (False, True) if number % 2 == 0 else (True, False):
                    what = "10 % dead" if dead else "all living"
                    self._say(f"round {number + 1} of {self._rounds}: {what}")
                    await self._round(dead=dead, number=number, seconds=ROUND_SECONDS)
        finally:
            self._receivers.stop()
            await self._database.aclose()
        living, beside = self._side(dead=False), self._side(dead=True)
        return WebhooksReport(
            started_at=started_at,
            took_seconds=time.monotonic() - began,
            machine=found,
            endpoints=MEASURED + OTHERS,
            dead=OTHERS,
            living=living,
            beside_dead=beside,
            p99_ratio=round(median(beside.rounds_p99_ms) / median(living.rounds_p99_ms), 3),
            p99_ratio_pooled=round(beside.p99_ms / living.p99_ms, 3),
        )

    async def _open(self) -> None:
        living, silent, closed = await self._receivers.start()
        vault = Vault(self._house.environment["HIKIATE_SECRET_KEY"])
        urls = {
            "measured": [f"{living}/{n}" for n in range(MEASURED)],
            "well": [f"{living}/other{n}" for n in range(OTHERS)],
            "dead": [f"{(silent, closed)[n % 2]}/{n}" for n in range(OTHERS)],
        }
        async with self._database.transaction() as session:
            for name, group in urls.items():
                self._ids[name] = []
                for url in group:
                    made, _ = await add_endpoint(
                        session, vault, url=url, events=[EVENT], networks=[ip_network(LOOPBACK)]
                    )
                    self._ids[name].append(made.id)

    async def _round(self, *, dead: bool, number: int, seconds: float) -> None:
        """One message a second to everyone; the dead are not yet known as such."""
        async with self._database.transaction() as session:
            for name in ("well", "dead"):
                await session.execute(
                    update(WebhookEndpoint)
                    .where(WebhookEndpoint.id.in_(self._ids[name]))
                    .values(active=dead == (name == "dead"), failing_since=None)
                )
        ends = time.perf_counter() + seconds
        while (now := time.perf_counter()) < ends:
            n = len(self._sent)
            self._sent[n] = (dead, number, now)
            async with self._database.transaction() as session:
                await deliveries.enqueue(session, EVENT, {"n": n}, datetime.now(UTC))
            await asyncio.to_thread(self._doorbell.ring, "notify")
            await asyncio.sleep(max(0.0, now + EVERY_SECONDS - time.perf_counter()))
        await asyncio.sleep(SETTLE_SECONDS)

    def _side(self, *, dead: bool) -> Side:
        rounds: list[list[float]] = [[] for _ in range(self._rounds)]
        lost = 0
        for n, (was_dead, number, at) in self._sent.items():
            if was_dead != dead or number < 0:
                continue
            for endpoint in range(MEASURED):
                came = self._receivers.came.get((f"/{endpoint}", n))
                lost += came is None
                if came is not None:
                    rounds[number].append((came - at) * 1_000)
        every = [each for found in rounds for each in found]
        return Side(
            messages=len(every) + lost,
            lost=lost,
            p50_ms=_quantile(every, 0.5),
            p99_ms=_quantile(every, 0.99),
            rounds_p99_ms=[_quantile(found, 0.99) for found in rounds],
        )


def _quantile(found: list[float], share: float) -> float:
    """The smallest value that at least this share does not exceed, in ms; 0 of none."""
    if not found:
        return 0.0
    return round(sorted(found)[min(len(found) - 1, int(share * len(found)))], 1)


def run(say: Say, *, rounds: int) -> WebhooksReport:
    """Measure on servers of the bench's own, in a temporary folder that is removed.

    Raises `ProcessError` when a process of the house ends.
    """
    folder = Path(tempfile.mkdtemp(prefix="hikiate-bench-"))
    try:
        with Supervisor(folder / "logs") as supervisor:
            extra = {"HIKIATE_WEBHOOK_NETWORKS": LOOPBACK}
            house = stack.start(supervisor, folder, extra=extra)

            async def measured() -> WebhooksReport:
                return await WebhooksBench(house, say, rounds).run(folder)

            return asyncio.run(measured())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
