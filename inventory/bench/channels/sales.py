"""Shoppers at the marketplaces, and what became of their orders: booked when, shown when."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import text

from inventory.bench.channels.bounds import BOUNDS
from inventory.bench.channels.shop import MIRROR, UNITS, Article
from inventory.bench.channels.watch import Watch
from inventory.db import Database
from inventory.demo.audit import percentile

BURST_ORDERS_PER_SECOND = 100
BURST_SECONDS = 10
DRAIN_LOOK_SECONDS = 1.0
DRAIN_SAY_SECONDS = 10.0
SHARE_LEAST = 0.01

_BOOKED = text("""
SELECT o.order_ref, o.recorded_at FROM sales_order o JOIN channel c ON c.id = o.channel_id
WHERE c.kind = :kind
""")


class Sale(Struct, frozen=True):
    """One order of one unit, as the marketplace took it."""

    kind: str
    ref: str
    sku: str
    placed_at: datetime


class Shown(Struct, frozen=True, kw_only=True):
    """Sale to shown: until another channel shows no more than what is left, in milliseconds.

    `missing` of the orders were not shown when the measurement ended; a figure that lies among
    them is None.
    """

    orders: int
    orders_per_second: float
    share_of_bound: float
    p50_ms: float | None
    p99_ms: float | None
    missing: int


class Burst(Struct, frozen=True, kw_only=True):
    """What became of a burst. All seconds are counted from its first order.

    `intake_used`: the share of the calls (or points) permitted that was used meanwhile.
    `drain_seconds` is None where the last order had not come in when the measurement ended;
    `reckoned_seconds` then adds those missing, at the pace seen. `bound_seconds`: what the limit
    needs at least for the whole burst, with what it had saved up.
    """

    orders: int
    booked: int
    intake_used: float
    drain_seconds: float | None
    reckoned_seconds: float
    bound_seconds: float
    beyond_bound_seconds: float


async def shop(
    watch: Watch, kind: str, articles: Sequence[Article], *, per_second: float, seconds: float
) -> list[Sale]:
    """Buy single units at moments drawn by dice, as many as the rate wants; in their order."""
    dice = random.Random(f"bench/{kind}")  # noqa: S311 -- a repeatable seed is wanted
    began = time.monotonic()
    moments = sorted(dice.uniform(0, seconds) for _ in range(round(per_second * seconds)))
    visits = []
    async with asyncio.TaskGroup() as group:
        for at in moments:
            await asyncio.sleep(max(began + at - time.monotonic(), 0))
            visits.append(group.create_task(buy(watch, kind, dice.choice(articles))))
    return sorted((visit.result() for visit in visits), key=lambda sale: sale.placed_at)


async def buy(watch: Watch, kind: str, article: Article) -> Sale:
    """One unit is bought."""
    basket = {"lines": [{"key": article.listings[kind], "quantity": 1}]}
    order = await watch.sandbox.call("POST", f"/_sandbox/{kind}/orders", basket)
    return Sale(kind, order["ref"], article.sku, datetime.fromisoformat(order["placed_at"]))


def shown(
    kind: str, sales: Sequence[Sale], articles: Sequence[Article], books: Mapping[str, Any]
) -> Shown:
    """When each sale was seen on the mirror, from the marketplaces' own books."""
    mirror = MIRROR[kind]
    keys = {article.listings[mirror]: article.sku for article in articles}
    writes: defaultdict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for write in books["markets"][mirror]["writes"]:
        if write["key"] in keys:
            when = datetime.fromisoformat(write["at"])
            writes[keys[write["key"]]].append((when, write["after"]))
    waits: list[float] = []
    never = float("inf")
    left: defaultdict[str, int] = defaultdict(lambda: UNITS)
    for sale in sales:
        left[sale.sku] -= 1
        most = left[sale.sku]
        low = [at for at, number in writes[sale.sku] if number <= most]
        waits.append(max((low[0] - sale.placed_at).total_seconds(), 0) * 1000 if low else never)
    seconds = (sales[-1].placed_at - sales[0].placed_at).total_seconds() if sales else 0.0
    rate = len(sales) / seconds if seconds else 0.0
    return Shown(
        orders=len(sales),
        orders_per_second=round(rate, 3),
        share_of_bound=round(rate / BOUNDS[kind].orders_per_second, 3),
        p50_ms=_finite(percentile(waits, 0.5)),
        p99_ms=_finite(percentile(waits, 0.99)),
        missing=sum(wait == never for wait in waits),
    )


def _finite(figure: float | None) -> float | None:
    return None if figure is None or math.isinf(figure) else round(figure, 1)


async def booked(database: Database, kind: str) -> dict[str, datetime]:
    """Order number → when it came into our books."""
    async with database.sessions() as session:
        return dict((await session.execute(_BOOKED, {"kind": kind})).tuples().all())


async def drained(
    watch: Watch, sales: Mapping[str, Sequence[Sale]], *, ends: float
) -> dict[str, dict[str, datetime]]:
    """Look until every order is booked, or until `ends` (monotonic): kind → what is booked."""
    said = 0.0
    while True:
        found = {kind: await booked(watch.database, kind) for kind in sales}
        left = {
            kind: sum(sale.ref not in found[kind] for sale in some) for kind, some in sales.items()
        }
        if not any(left.values()) or time.monotonic() > ends:
            return found
        if time.monotonic() - said > DRAIN_SAY_SECONDS:
            said = time.monotonic()
            told = ", ".join(f"{kind} {n:,}" for kind, n in left.items())
            watch.say(f"  still to be read: {told}")
        await asyncio.sleep(DRAIN_LOOK_SECONDS)


def burst(
    kind: str,
    sales: Sequence[Sale],
    found: Mapping[str, datetime],
    *,
    saved: float,
    used: float,
    watched_seconds: float,
) -> Burst:
    """Reckon a burst; `saved` calls (or points) could be made at once when it began.

    `used` were made in the seconds that were watched.
    """
    bound, began = BOUNDS[kind], sales[0].placed_at
    ages = [(found[sale.ref] - began).total_seconds() for sale in sales if sale.ref in found]
    missing = len(sales) - len(ages)
    bound_seconds = max(bound.drain_seconds(len(sales), saved=saved), BURST_SECONDS)
    last = max(ages, default=0.0)
    share = min(used / (saved + bound.intake_per_second * watched_seconds), 1.0)
    rest = bound.drain_seconds(missing, saved=0) / max(share, SHARE_LEAST)
    reckoned = watched_seconds + rest if missing else last
    return Burst(
        orders=len(sales),
        booked=len(ages),
        intake_used=round(share, 3),
        drain_seconds=None if missing else round(last, 1),
        reckoned_seconds=round(reckoned, 1),
        bound_seconds=round(bound_seconds, 1),
        beyond_bound_seconds=round(reckoned - bound_seconds, 1),
    )
