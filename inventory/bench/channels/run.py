"""One run of `bench channels`: house and sandbox, and one measurement after the other."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from inventory import stack
from inventory.bench import machine
from inventory.bench.channels import resync, sales, shop
from inventory.bench.channels.bounds import BOUNDS, KINDS
from inventory.bench.channels.report import ChannelFigures, ChannelsReport
from inventory.bench.channels.sales import Sale
from inventory.bench.channels.watch import Say, Watch, backlog, limits, refused
from inventory.db import Database
from inventory.demo.opening import Api
from inventory.processes import Supervisor
from inventory.security import Scope, create_key

SHARE = 0.8
OPENING_SECONDS = 120
READ_PER_SECOND_LEAST = 250
BACKLOG_SECONDS = 90
RESYNC_SECONDS = 90
SALE_SECONDS = 60
# The two that take many orders a second sell one after the other, beside the two that take few.
TURNS = {"rakuten": (0, 25), "shopify": (30, 25), "yahoo": (0, SALE_SECONDS), "amazon": (0, 60)}
SETTLE_SECONDS = 20
DRAIN_SECONDS = 90


class Began(NamedTuple):
    """A burst's sales, when it began, and the calls used and permitted by then."""

    sales: list[Sale]
    at: float
    used: int
    permitted: int


def run(kinds: Sequence[str], say: Say, *, listings: int | None = None) -> ChannelsReport:
    """Measure on servers of the bench's own, in a temporary folder that is removed.

    With `listings` on each channel, only their resync is measured, and a sale in its middle.
    `say` is told of every step. After a failure the logs are kept. Raises `ProcessError` when a
    process of the house ends, `RuntimeError` when its API refuses something.
    """
    folder = Path(tempfile.mkdtemp(prefix="hikiate-bench-"))
    try:
        with Supervisor(folder / "logs") as supervisor:
            house = stack.start(supervisor, folder)
            sandbox_url = stack.start_sandbox(supervisor, seed=1)
            bench = ChannelsBench(kinds, say, supervisor, house, folder, listings)
            report = asyncio.run(bench.run(sandbox_url))
    except BaseException:
        shutil.rmtree(folder / "postgres", ignore_errors=True)
        say(f"logs are kept in {folder / 'logs'}")
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return report


class ChannelsBench:
    """The parts of one run."""

    def __init__(
        self,
        kinds: Sequence[str],
        say: Say,
        supervisor: Supervisor,
        house: stack.House,
        folder: Path,
        listings: int | None,
    ) -> None:
        self._kinds = kinds
        self._say = say
        self._supervisor = supervisor
        self._house = house
        self._folder = folder
        self._listings = listings
        self._shop = shop.plan(kinds, listings=listings)
        self._found = {kind: ChannelFigures(kind=kind) for kind in kinds}
        self._watch: Watch
        self._api: Api

    async def run(self, sandbox_url: str) -> ChannelsReport:
        """Open, then measure backlog, resync, sales and bursts; the report."""
        began, started_at = time.monotonic(), datetime.now(UTC)
        url = self._house.environment["DATABASE_URL"]
        found = await machine.describe(url, self._folder)
        database, sandbox = Database(url), Api(sandbox_url)
        self._watch = Watch(
            sandbox=sandbox, database=database, supervisor=self._supervisor, say=self._say
        )
        try:
            async with database.transaction() as session:
                key = await create_key(session, name="bench", scopes=[Scope.ADMIN])
            self._api = Api(self._house.api_url, key)
            await self._open()
            if not self._listings:
                await self._backlog()
            await self._resync()
            if not self._listings:
                await self._sell()
            await self._close()
            await self._api.aclose()
        finally:
            await sandbox.aclose()
            await database.aclose()
        return ChannelsReport(
            started_at=started_at,
            took_seconds=time.monotonic() - began,
            machine=found,
            channels=list(self._found.values()),
        )

    async def _open(self) -> None:
        many = sum(1 for _ in self._shop.articles())
        self._say(f"opening a shop of {many:,} SKUs; their numbers are read")
        await shop.open_shop(
            self._shop,
            api=self._api,
            sandbox=self._watch.sandbox,
            database=self._watch.database,
        )
        seconds = OPENING_SECONDS + many / READ_PER_SECOND_LEAST
        await self._watch.until_quiet(KINDS, "to be read", seconds=seconds)

    async def _backlog(self) -> None:
        self._say("publishing is stopped, and every quiet SKU loses a unit")
        await self._api.call("POST", "/v1/freeze")
        quiet = [article for articles in self._shop.quiet.values() for article in articles]
        await shop.take_one_of_each(quiet, self._api, name="backlog")
        await self._watch.until_worked_out(seconds=OPENING_SECONDS)
        self._say("publishing goes on: all numbers have to be written")
        await self._api.call("POST", "/v1/unfreeze")
        looks = await self._watch.until_quiet(self._kinds, "to be written", seconds=BACKLOG_SECONDS)
        for kind in self._kinds:
            self._found[kind].backlog = backlog(kind, looks)

    async def _resync(self) -> None:
        self._say("every number is written once more (resync)")
        seconds = float(RESYNC_SECONDS)
        sells = {}
        if self._listings:
            seconds = max(2 * BOUNDS[kind].push_seconds(self._listings) for kind in self._kinds)
            sells = {kind: articles[-1] for kind, articles in self._shop.busy.items()}
        found = await resync.measure(self._watch, self._kinds, seconds=seconds, sells=sells)
        for kind, each in found.items():
            self._found[kind].resync = each

    async def _sell(self) -> None:
        self._say(f"people buy at {SHARE:.0%} of what each channel's limits let in")
        async with asyncio.TaskGroup() as group:
            turns = {kind: group.create_task(self._turn(kind)) for kind in self._kinds}
        sold = {kind: turn.result() for kind, turn in turns.items()}
        ends = time.monotonic() + SETTLE_SECONDS
        await sales.drained(self._watch, sold, ends=ends)
        bursts = {}
        for kind in self._kinds:
            bursts[kind] = await self._burst(kind)
        await self._reckon(sold, bursts)

    async def _turn(self, kind: str) -> list[Sale]:
        begins, seconds = TURNS[kind]
        await asyncio.sleep(begins)
        rate = SHARE * BOUNDS[kind].orders_per_second
        return await sales.shop(
            self._watch, kind, self._shop.busy[kind], per_second=rate, seconds=seconds
        )

    async def _burst(self, kind: str) -> Began:
        self._say(f"a burst at {kind}")
        limit = (await self._watch.calls())[kind][BOUNDS[kind].intake_limit]
        began = time.monotonic()
        some = await sales.shop(
            self._watch,
            kind,
            self._shop.busy[kind],
            per_second=sales.BURST_ORDERS_PER_SECOND,
            seconds=sales.BURST_SECONDS,
        )
        return Began(some, began, limit["used"], limit["permitted"])

    async def _reckon(self, sold: dict[str, list[Sale]], bursts: dict[str, Began]) -> None:
        waited = {kind: burst.sales for kind, burst in bursts.items()}
        ends = time.monotonic() + DRAIN_SECONDS
        found = await sales.drained(self._watch, waited, ends=ends)
        calls = await self._watch.calls()
        watched_until = time.monotonic()
        books = await self._watch.sandbox.get("/_sandbox/books")
        for kind, burst in bursts.items():
            figures, bound = self._found[kind], BOUNDS[kind]
            articles = self._shop.busy[kind]
            figures.sale_to_shown = sales.shown(kind, sold[kind], articles, books)
            figures.burst = sales.burst(
                kind,
                burst.sales,
                found[kind],
                saved=min(bound.intake_saved, burst.permitted - burst.used),
                used=calls[kind][bound.intake_limit]["used"] - burst.used,
                watched_seconds=watched_until - burst.at,
            )

    async def _close(self) -> None:
        calls = await self._watch.calls()
        for kind, figures in self._found.items():
            figures.exceeded = refused(calls, kind)
            figures.limits = limits(calls, kind)
