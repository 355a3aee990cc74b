"""The sale night from the first process to the report."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from inventory import stack
from inventory.db import Database
from inventory.demo import audit, opening, report
from inventory.demo.audit import Put
from inventory.demo.board import Board
from inventory.demo.evidence import Evidence, gather
from inventory.demo.opening import Api
from inventory.demo.receiver import Receiver
from inventory.demo.shop import HOT, KINDS, Article, articles
from inventory.processes import Supervisor
from inventory.security import Scope, create_key

OPENING_SECONDS = 60
DRAIN_SECONDS = 120
DAMAGE_AT = 0.4
WEIGHTS = {"rakuten": 4, "yahoo": 2, "amazon": 2, "shopify": 2}


class Plan(Struct, frozen=True, kw_only=True):
    """How the night shall be. The default rate keeps within what each marketplace lets us read."""

    seed: int = 1
    seconds: float = 60.0
    orders_per_second: float = 2.0


class Night:
    """One night: the house, the sandbox, and the demo's own record of what it put in and broke."""

    def __init__(self, plan: Plan, supervisor: Supervisor, house: stack.House) -> None:
        self.plan = plan
        self.supervisor = supervisor
        self.house = house
        self.board = Board()
        self.receiver = Receiver()
        self.articles = articles()
        self.damaged: dict[str, int] = {}
        self.began = 0.0
        self.database: Database
        self.api: Api
        self.sandbox: Api

    async def run(self, sandbox_url: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Open, sell, drain, audit; the report and the sandbox's books."""
        self.database = Database(self.house.environment["DATABASE_URL"])
        self.sandbox = Api(sandbox_url)
        self.receiver.start()
        try:
            async with self.database.transaction() as session:
                key = await create_key(session, name="demo", scopes=[Scope.ADMIN])
            self.api = Api(self.house.api_url, key)
            await self._open_shop()
            await self._sell()
            return await self._close()
        finally:
            self.receiver.stop()
            await self.sandbox.aclose()
            await self.database.aclose()

    async def _open_shop(self) -> None:
        say = self.board.say
        say(f"API {self.house.api_url}/v1 (ready after {self.house.started_seconds:.1f} s)")
        say(f"  description {self.house.api_url}/schema/openapi.json, {self.house.api_url}/metrics")
        await opening.put_up(self.sandbox, self.articles)
        await self._connect()
        await opening.stock_up(self.api, self.articles)
        self.receiver.secret = await opening.watch(self.api, self.receiver.url)
        say(f"{len(self.articles)} SKUs are listed; waiting until every shop shows its number")
        began = time.monotonic()
        await self._until(self._is_settled, seconds=OPENING_SECONDS, phase="opening", show=False)
        say(f"the shops show what they should after {time.monotonic() - began:.1f} s; doors open")

    async def _connect(self) -> None:
        await opening.connect(self.api, self.sandbox)

    async def _sell(self) -> None:
        await self.sandbox.call("POST", "/_sandbox/night", self._night())
        self.began = time.monotonic()
        self.board.open()
        try:
            await self._buy_what_will_break()
            damage_at = self.plan.seconds * DAMAGE_AT
            await self._until(
                lambda _: self._second() >= damage_at, seconds=damage_at, phase="sale"
            )
            await self._until(
                self._break_all, seconds=self.plan.seconds + DRAIN_SECONDS, phase="sale"
            )
            await self._until(
                self._is_over, seconds=self.plan.seconds + DRAIN_SECONDS, phase="sale"
            )
        finally:
            self.board.close()

    def _night(self) -> dict[str, Any]:
        hot = next(article for article in self.articles if article.sku == HOT)
        broken = [key for one in self.articles if one.damaged for key in one.listings.values()]
        return {
            "seed": self.plan.seed,
            "seconds": self.plan.seconds,
            "orders_per_second": self.plan.orders_per_second,
            "weights": WEIGHTS,
            "hot": hot.listings,
            "hot_factor": 10,
            "shipping": 0.2,
            "buyer_cancel": 0.03,
            "no_ship_keys": broken,
        }

    async def _buy_what_will_break(self) -> None:
        """Each SKU that will be damaged has at least two orders by then."""
        for article in self._fragile():
            for kind, key in article.listings.items():
                for _ in range(2):
                    bought = {"lines": [{"key": key, "quantity": 1}]}
                    await self.sandbox.call("POST", f"/_sandbox/{kind}/orders", bought)

    def _fragile(self) -> list[Article]:
        return [article for article in self.articles if article.damaged]

    async def _break_all(self, evidence: Evidence) -> bool:
        """Damage in the warehouse: on hand falls one unit below what is reserved."""
        levels = {row["sku"]: row for row in evidence.rows["levels"]}
        for article in self._fragile():
            level = levels[article.sku]
            if article.sku in self.damaged or level["reserved"] < 2:  # noqa: PLR2004 -- both orders
                continue
            broken = level["on_hand"] - (level["reserved"] - 1)
            await self.api.call(
                "POST",
                "/v1/movements",
                {
                    "kind": "adjust",
                    "ref": f"damage-{article.sku}",
                    "sku": article.sku,
                    "reason": "damage",
                    "change": -broken,
                },
            )
            self.damaged[article.sku] = broken
        return len(self.damaged) == len(self._fragile())

    async def _close(self) -> tuple[dict[str, Any], dict[str, Any]]:
        drained_from = time.monotonic()
        self.board.open()
        try:
            await self._until(self._is_settled, seconds=DRAIN_SECONDS, phase="draining", must=False)
        finally:
            self.board.close()
        drained = time.monotonic() - drained_from
        evidence = await self._evidence()
        ready = await self.api.get("/health/ready")
        late = [
            f"{found['what']} {found['channel']}: {found['detail']}" for found in ready["findings"]
        ]
        circumstances = report.Circumstances(
            seed=self.plan.seed,
            seconds=self.plan.seconds,
            drain_seconds=drained,
            put=self._put(),
            alerts_delivered=self.receiver.delivered("alert."),
            late=late,
        )
        figures = report.build(evidence, circumstances) | await self._more(evidence)
        await self.api.aclose()
        return figures, evidence.books

    async def _tend(self, _: Evidence) -> None:
        """What people of the house do meanwhile; called at every look."""

    async def _more(self, _: Evidence) -> dict[str, Any]:
        """What a scenario has to tell besides."""
        return {}

    async def _evidence(self) -> Evidence:
        books = await self.sandbox.get("/_sandbox/books")
        async with self.database.sessions() as session:
            return await gather(session, books)

    def _second(self) -> float:
        return time.monotonic() - self.began

    def _is_over(self, evidence: Evidence) -> bool:
        return not evidence.books["night"]["running"]

    def _is_settled(self, evidence: Evidence) -> bool:
        """Nothing is left to do: no event, no case, no delivery, and every listing is right."""
        held = {(row["kind"], row["order_ref"]) for row in evidence.rows["orders"]}
        live = sum(
            row["state"] in {"proposed", "approved", "submitted"}
            for row in evidence.rows["cancellations"]
        )
        return (
            len(evidence.rows["channels"]) == len(KINDS)
            and not audit.stale(evidence)
            and not evidence.rows["stale_marks"][0]["marks"]
            and not live
            and not any(row["state"] == "open" for row in evidence.rows["cases"])
            and not any(row["state"] == "new" for row in evidence.rows["events"])
            and not any(row["state"] == "pending" for row in evidence.rows["deliveries"])
            and all((kind, order["ref"]) in held for kind, order in evidence.placed())
            and not audit.disagreements(evidence, self._put())
        )

    def _put(self) -> dict[str, Put]:
        return {
            article.sku: Put(units=article.units, damaged=self.damaged.get(article.sku, 0))
            for article in self.articles
        }

    async def _until(
        self,
        is_done: Callable[[Evidence], Any],
        *,
        seconds: float,
        phase: str,
        must: bool = True,
        show: bool = True,
    ) -> None:
        """Look every second, and show it, until something is so.

        After `seconds` it raises `TimeoutError`, or goes on where it need not be so.
        """
        ends = time.monotonic() + seconds
        while True:
            self.supervisor.check()
            evidence = await self._evidence()
            await self._tend(evidence)
            if show:
                alerts = self.receiver.delivered("alert.")
                self.board.show(evidence, second=self._second(), phase=phase, alerts=alerts)
            done = is_done(evidence)
            if await done if asyncio.iscoroutine(done) else done:
                return
            if time.monotonic() > ends:
                if must:
                    raise TimeoutError(f"{phase} did not end: {_why(evidence, self._put())}")
                return
            await asyncio.sleep(1)


def _why(evidence: Evidence, put: dict[str, Put]) -> str:
    found = audit.stale(evidence)[:5] + audit.disagreements(evidence, put)[:5]
    return "; ".join(found) or "something is still under way"


def run(
    plan: Plan, *, data_dir: Path | None = None, scenario: type[Night] = Night
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Start everything, run the night, stop everything; the report and the sandbox's books.

    The data folder is a temporary one unless given; it and its logs stay when the night fails, and
    go when a person breaks it off.
    """
    folder = data_dir or Path(tempfile.mkdtemp(prefix="hikiate-demo-"))
    try:
        figures, books = _run(plan, folder, scenario)
    except Exception:
        Board().say(f"logs are kept in {folder / 'logs'}")
        raise
    except BaseException:
        if data_dir is None:
            shutil.rmtree(folder, ignore_errors=True)
            Board().say("broken off; nothing of this night is kept")
        raise
    if data_dir is None and report.clean(figures):
        shutil.rmtree(folder, ignore_errors=True)
    elif data_dir is None:
        Board().say(f"database and logs are kept in {folder}")
    return figures, books


def _run(plan: Plan, folder: Path, scenario: type[Night]) -> tuple[dict[str, Any], dict[str, Any]]:
    extra = {"HIKIATE_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    with Supervisor(folder / "logs") as supervisor:
        house = stack.start(supervisor, folder, extra=extra)
        sandbox_url = stack.start_sandbox(supervisor, seed=plan.seed)
        return asyncio.run(scenario(plan, supervisor, house).run(sandbox_url))
