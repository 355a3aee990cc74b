"""The hard night: three shelves hold less than the books say, and a stocktake finds it too late."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from inventory import stack
from inventory.clock import JST
from inventory.demo import case_evidence, case_report, opening
from inventory.demo.audit import Put
from inventory.demo.evidence import Evidence
from inventory.demo.night import Night, Plan
from inventory.demo.shop import KINDS, ON_SHELF, Article
from inventory.processes import Supervisor

# On each channel; on four channels more than what is on the shelf.
PROMISES_EACH = 2
TWO_UNITS_SHARE = 0.25
ANOTHER_ARTICLE_SHARE = 0.3
# Of the first SKU units lie in the annex, of the last a supplier brings some tomorrow.
MAIN = "main"
ANNEX, ANNEX_SKU, ANNEX_UNITS = "annex", "MUG-RED", 2
SUPPLY, SUPPLY_SKU, SUPPLY_UNITS = "po-1", "LAMP-BLACK", 2
# A campaign at Amazon, whose rate leaves room for one cancellation from the 41st order on.
CAMPAIGN_ORDERS = 50
LIVE = frozenset({"proposed", "approved", "submitted"})
# Yahoo! publishes no limit: this is the shop's own, set on the day.
METRICS: Mapping[str, Mapping[str, Any]] = {
    **opening.METRICS,
    "yahoo": {"limit_percent": 10, "as_of": "2026-11-01"},
}


class ShortNight(Night):
    """A night in which the stocktake leaves more promised than there is, on four channels."""

    def __init__(self, plan: Plan, supervisor: Supervisor, house: stack.House) -> None:
        super().__init__(plan, supervisor, house)
        self.articles = [article for article in self.articles if not article.damaged]
        self.brought: dict[str, int] = {}
        self.carted = False
        self.promised: set[tuple[str, str]] = set()
        self._dice = random.Random(plan.seed)  # noqa: S311 -- no secret is made of it

    async def _connect(self) -> None:
        rules = {"locations": [MAIN]}
        await opening.connect(self.api, self.sandbox, metrics=METRICS, rules=rules)

    async def _open_shop(self) -> None:
        await super()._open_shop()
        await self.api.call("POST", "/v1/locations", {"code": ANNEX})
        supply = {"supply_ref": SUPPLY, "sku": SUPPLY_SKU, "quantity": SUPPLY_UNITS}
        tomorrow = datetime.now(JST).date() + timedelta(days=1)
        due = {"due_on": tomorrow.isoformat()}
        await self._move("supply", f"{SUPPLY}-told", **supply, **due)

    def _night(self) -> dict[str, Any]:
        short = [key for article in self._fragile() for key in article.listings.values()]
        return super()._night() | {"hot": {}, "no_ship_keys": short}

    def _fragile(self) -> list[Article]:
        return [article for article in self.articles if article.sku in ON_SHELF]

    async def _buy_what_will_break(self) -> None:
        """Each short SKU is promised to buyers of all four channels, more units than there are."""
        others = [article for article in self.articles if article.sku not in ON_SHELF]
        for number in range(CAMPAIGN_ORDERS):
            basket = [(others[number % len(others)], 1)]
            self.promised.add(("amazon", await self._buy("amazon", basket)))
        for kind, basket in promises(self.articles, self._dice):
            self.promised.add((kind, await self._buy(kind, basket)))

    async def _buy(self, kind: str, basket: list[tuple[Article, int]]) -> str:
        lines = [
            {"key": article.listings[kind], "quantity": quantity} for article, quantity in basket
        ]
        bought = await self.sandbox.call("POST", f"/_sandbox/{kind}/orders", {"lines": lines})
        return str(bought["ref"])

    async def _break_all(self, evidence: Evidence) -> bool:
        """Count the three shelves, once all promises are in the ledger."""
        if not self.promised <= {
            (row["kind"], row["order_ref"]) for row in evidence.rows["orders"]
        }:
            return False
        found = {"sku": ANNEX_SKU, "quantity": ANNEX_UNITS, "location": ANNEX}
        await self._move("receive", "annex-told", **found)
        self.brought[ANNEX_SKU] = ANNEX_UNITS
        for article in self._fragile():
            shelf = ON_SHELF[article.sku]
            await self._count(article.sku, shelf)
            self.damaged[article.sku] = article.units - shelf
            self.board.say(
                f"{article.sku}: the books say {article.units}, on the shelf are {shelf}"
            )
        return True

    async def _count(self, sku: str, units: int) -> None:
        """A count far from the book is asked for once more, and then believed."""
        ref = f"count-{sku}"
        told = await self._move("count", ref, sku=sku, on_hand=units, occurred_at=_moment())
        if told["code"] == "recount_wanted":
            again = {"on_hand": units, "occurred_at": _moment(), "recount_of": ref}
            await self._move("count", f"{ref}-again", sku=sku, **again)

    async def _move(self, kind: str, ref: str, **content: Any) -> Any:
        return await self.api.call("POST", "/v1/movements", {"kind": kind, "ref": ref, **content})

    async def _tend(self, evidence: Evidence) -> None:
        """The warehouse brings what the desk asks for; the supplier comes when all else is done."""
        if not self.damaged:
            return
        async with self.database.sessions() as session:
            covering = await case_evidence.covering(session)
        if "other_location" in covering and not self.carted:
            route = {"from_location": ANNEX, "to_location": MAIN}
            await self._move("transfer", "cart", sku=ANNEX_SKU, quantity=ANNEX_UNITS, **route)
            self.carted = True
            self.board.say(f"{ANNEX_UNITS} {ANNEX_SKU} are brought from the {ANNEX}")
        busy = evidence.books["night"]["running"] or any(
            row["state"] in LIVE for row in evidence.rows["cancellations"]
        )
        if "inbound_supply" in covering and not busy and SUPPLY_SKU not in self.brought:
            came = {"sku": SUPPLY_SKU, "quantity": SUPPLY_UNITS, "supply_ref": SUPPLY}
            await self._move("receive", f"{SUPPLY}-here", **came)
            self.brought[SUPPLY_SKU] = SUPPLY_UNITS
            self.board.say(f"the supplier brings {SUPPLY_UNITS} {SUPPLY_SKU}")

    def _put(self) -> dict[str, Put]:
        return {
            sku: Put(units=put.units + self.brought.get(sku, 0), damaged=put.damaged)
            for sku, put in super()._put().items()
        }

    async def _more(self, evidence: Evidence) -> dict[str, Any]:
        async with self.database.sessions() as session:
            found = await case_evidence.read(session)
        return case_report.build(found, evidence)


def promises(
    articles: Sequence[Article], dice: random.Random
) -> list[tuple[str, list[tuple[Article, int]]]]:
    """The orders that are there on any seed: (channel, articles and units), in the dice's order.

    Of every short SKU as many on each channel, some of two units, some with another article.
    """
    short = [article for article in articles if article.sku in ON_SHELF]
    others = [article for article in articles if article.sku not in ON_SHELF]
    found = [(kind, article) for article in short for kind in KINDS for _ in range(PROMISES_EACH)]
    dice.shuffle(found)
    orders = []
    for kind, article in found:
        basket = [(article, 2 if dice.random() < TWO_UNITS_SHARE else 1)]
        if dice.random() < ANOTHER_ARTICLE_SHARE:
            basket.append((dice.choice(others), 1))
        orders.append((kind, basket))
    return orders


def _moment() -> str:
    return datetime.now(UTC).isoformat()
