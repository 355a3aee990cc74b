"""The shop that is measured: many quiet listings on each marketplace, and a few that sell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import insert

from inventory.bench.channels.bounds import BOUNDS, KINDS
from inventory.db import Database
from inventory.demo.opening import Api
from inventory.models import Sku

T = TypeVar("T")
BATCH = 1000
UNITS = 5000
BUSY_EACH = 3
# Where what sells on a channel is listed as well: its number there shows that the sale is known.
MIRROR: Mapping[str, str] = {
    "rakuten": "yahoo",
    "yahoo": "rakuten",
    "amazon": "rakuten",
    "shopify": "rakuten",
}


class Article(Struct, frozen=True):
    """One SKU: its code, and its listings by kind."""

    sku: str
    listings: dict[str, str]


class Shop(Struct, frozen=True, kw_only=True):
    """`quiet`: kind → what is listed there alone; `busy`: kind → what sells there."""

    quiet: dict[str, list[Article]]
    busy: dict[str, list[Article]]

    def articles(self) -> Iterator[Article]:
        """All of them."""
        for part in (self.quiet, self.busy):
            for articles in part.values():
                yield from articles


def plan(kinds: Sequence[str], *, listings: int | None = None) -> Shop:
    """The shop for a measurement of these kinds; the other channels are only mirrors.

    `listings` on each, where that is not what the kind's bound says.
    """
    quiet = {
        kind: [_article(f"Q{kind[0]}{number:05d}", (kind,)) for number in range(most)]
        for kind in kinds
        if (most := listings or BOUNDS[kind].listings)
    }
    busy = {
        kind: [_article(f"B{kind[0]}{number}", (kind, MIRROR[kind])) for number in range(BUSY_EACH)]
        for kind in kinds
    }
    return Shop(quiet=quiet, busy=busy)


def _article(code: str, kinds: Sequence[str]) -> Article:
    sku = code.upper()
    return Article(sku, {kind: channel_sku(kind, code.lower()) for kind in kinds})


def channel_sku(kind: str, code: str) -> str:
    """How a marketplace calls a SKU; each has its own way."""
    return {
        "rakuten": f"item-{code}/{code}",
        "yahoo": f"item{code}:{code}",
        "amazon": f"{code}-JP".upper(),
        "shopify": f"hk_{code}",
    }[kind]


async def open_shop(shop: Shop, *, api: Api, sandbox: Api, database: Database) -> None:
    """Everything is displayed as it should be from the first moment, and only has to be read."""
    articles = list(shop.articles())
    async with database.transaction() as session:
        for some in _parts(articles):
            await session.execute(insert(Sku), [{"code": article.sku} for article in some])
    for some in _parts(articles):
        lines = [
            {"kind": "receive", "ref": f"opening-{one.sku}", "sku": one.sku, "quantity": UNITS}
            for one in some
        ]
        await api.call("POST", "/v1/movements/batch", {"lines": lines})
    for kind in KINDS:
        rows = [(one.sku, one.listings[kind]) for one in articles if kind in one.listings]
        for part in _parts(rows):
            shown = [{"key": key, "quantity": UNITS} for _, key in part]
            await sandbox.call("POST", f"/_sandbox/{kind}/listings", shown)
    known = await sandbox.get("/_sandbox/credentials")
    for kind in KINDS:
        channel = {"code": kind, "kind": kind, "live": True, **known[kind]}
        await api.call("POST", "/v1/channels", channel)
        rows = [(one.sku, one.listings[kind]) for one in articles if kind in one.listings]
        for part in _parts(rows):
            listings = [{"sku": sku, "channel_sku": key} for sku, key in part]
            await api.call("PUT", f"/v1/channels/{kind}/listings", {"listings": listings})


async def take_one_of_each(articles: Sequence[Article], api: Api, *, name: str) -> None:
    """One unit of every SKU breaks, so that every number has to be written anew."""
    for some in _parts(articles):
        lines = [
            {
                "kind": "adjust",
                "ref": f"{name}-{one.sku}",
                "sku": one.sku,
                "reason": "damage",
                "change": -1,
            }
            for one in some
        ]
        await api.call("POST", "/v1/movements/batch", {"lines": lines})


def _parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
