"""What this process left in the ledger, so that its next batch need not read it first. Pure.

A SKU is recalled once a batch has found its balances as our batch before had left them: nobody
else is selling it. The write then checks under its locks that all is still as recalled; where it
is not, nothing is written and the batch is decided again on what is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter

from msgspec import Struct

from inventory.book import Book, Level
from inventory.facts import Fact, ReservationAsked
from inventory.page import Changes, Page, SkuRead

SKUS_MAX = 20_000


class Left(Struct, gc=False):
    """A SKU as our last batch left it; `sure` once a batch has found it so."""

    sku: SkuRead
    levels: list[Level]
    sure: bool = False


class Recalled(Struct, frozen=True, kw_only=True):
    """A page out of memory, and what must still hold when it is written.

    `levels` are (SKU id, location id, revision, counted at) in that order.
    """

    page: Page
    skus: Sequence[SkuRead]
    levels: Sequence[tuple[int, int, int, datetime | None]]


class Recall:
    """The SKUs that one process has sold lately: those with stock of their own and nothing ahead.

    What is taken out for a batch must be left again after its commit, or is forgotten.
    """

    def __init__(self) -> None:
        self._left: dict[str, Left] = {}
        self._house: Page | None = None

    def take(self, facts: Iterable[Fact], now: datetime) -> Recalled | None:
        """The page of a batch that only asks for holds of recalled SKUs, else None."""
        codes: set[str] = set()
        for fact in facts:
            if type(fact) is not ReservationAsked:
                return None
            for line in fact.lines:
                if line.sku is None or line.channel_sku is not None:
                    return None
                codes.add(line.sku)
        house, left = self._house, self._left
        if house is None or not all(code in left and left[code].sure for code in codes):
            return None
        taken = [left.pop(code) for code in codes]
        levels = {
            (level.sku_id, level.location_id): level for each in taken for level in each.levels
        }
        skus = sorted((each.sku for each in taken), key=attrgetter("id"))
        page = Page(
            now=now,
            skus={sku.code: sku for sku in skus},
            skus_by_id={sku.id: sku for sku in skus},
            listings={},
            locations=house.locations,
            sellable=house.sellable,
            pools=house.pools,
            rules=house.rules,
            book=Book(levels),
            changes=Changes(),
        )
        return Recalled(
            page=page,
            skus=skus,
            levels=[
                (*key, level.revision, level.counted_at) for key, level in sorted(levels.items())
            ],
        )

    def compare(self, page: Page) -> set[str]:
        """Which SKUs of a page just read are as we left them; all of the page are forgotten."""
        if self._house is None or self._house.rules != page.rules or len(self._left) > SKUS_MAX:
            self._left.clear()
            self._house = replace(
                page, skus={}, skus_by_id={}, listings={}, book=Book(), changes=Changes()
            )
        same = set()
        for code in page.skus:
            left = self._left.pop(code, None)
            if left is not None and all(
                level == page.book.levels.get((level.sku_id, level.location_id))
                for level in left.levels
            ):
                same.add(code)
        return same

    def leave(self, page: Page, same: Iterable[str]) -> None:
        """Remember a page's SKUs after its commit; the `same` ones are sure."""
        by_sku: dict[int, list[Level]] = {}
        for key, level in page.book.levels.items():
            if level.stored or key in page.book.touched:
                level.stored = True
                by_sku.setdefault(level.sku_id, []).append(level)
        sure = set(same)
        for code, sku in page.skus.items():
            levels = by_sku.get(sku.id)
            if levels and not (sku.recipe or sku.ahead or sku.outstanding or sku.case):
                self._left[code] = Left(sku, levels, code in sure)
