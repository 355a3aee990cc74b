"""What this process left in the ledger, so that its next batch need not read it first. Pure.

A SKU is sure once a batch has found its balances as our batch before had left them: nobody else
is selling it. Else its balances are locked and read alone, in turn with whoever sells it too; the
rest is remembered. The write then checks under its locks that all is still as recalled; where it
is not, nothing is written and the batch is decided again on what is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter

from msgspec import Struct

from inventory.booking.book import Book, Level
from inventory.booking.page import Changes, ListingRead, Page, SkuRead
from inventory.facts import Fact, ReservationAsked, SaleLine

# More SKUs, or names of listings, than this are not remembered.
REMEMBERED_MAX = 20_000


# SKU id, location id, on hand, reserved, revision, counted at.
Row = tuple[int, int, int, int, int, datetime | None]


class Left(Struct, gc=False):
    """A SKU as our last batch left it; `sure` once a batch has found it so."""

    sku: SkuRead
    levels: list[Level]
    sure: bool = False


class Named(Struct, frozen=True):
    """The SKUs of a batch, and the listings by which it names them."""

    sku_ids: set[int]
    listings: dict[tuple[int, str], ListingRead]


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
        self._left: dict[int, Left] = {}
        self._ids: dict[str, int] = {}
        self._listings: dict[tuple[int, str], ListingRead] = {}
        self._house: Page | None = None

    def name(self, facts: Iterable[Fact]) -> Named | None:
        """What a batch names that only asks for holds of SKUs we have left, else None."""
        named = Named(set(), {})
        for fact in facts:
            if type(fact) is not ReservationAsked:
                return None
            for line in fact.lines:
                sku_id = self._sku_id(fact.channel_id, line, named)
                if sku_id not in self._left:
                    return None
                named.sku_ids.add(sku_id)
        return named if named.sku_ids else None

    def _sku_id(self, channel_id: int, line: SaleLine, named: Named) -> int:
        """The SKU of a line, 0 where it is not known; its listing is noted as named."""
        if line.channel_sku is None:
            return self._ids.get(line.sku or "", 0)
        key = (channel_id, line.channel_sku)
        listing = self._listings.get(key)
        if listing is None:
            return 0
        named.listings[key] = listing
        return listing.sku_id

    def sure(self, named: Named) -> bool:
        """Whether a batch has found all of it as we left it."""
        return all(self._left[sku_id].sure for sku_id in named.sku_ids)

    def take(self, named: Named, now: datetime) -> Recalled | None:
        """The page of what is named."""
        if self._house is None:
            return None
        taken = [self._left.pop(sku_id) for sku_id in named.sku_ids]
        for key in named.listings:
            del self._listings[key]
        return _recalled(self._house, taken, named.listings, now)

    def renew(self, named: Named, rows: Sequence[Row]) -> set[int]:
        """Make the balances what they are now, under lock; which SKUs are as we left them."""
        same = set(named.sku_ids)
        now = {row[:2]: Level(*row, stored=True) for row in rows}
        for sku_id in named.sku_ids:
            left = self._left[sku_id]
            for number, level in enumerate(left.levels):
                found = now.get((sku_id, level.location_id), level)
                if found != level:
                    same.discard(sku_id)
                    left.levels[number] = found
        return same

    def compare(self, page: Page) -> set[int]:
        """Which SKUs of a page just read are as we left them; all of the page are forgotten."""
        many = max(len(self._left), len(self._ids), len(self._listings)) > REMEMBERED_MAX
        if self._house is None or self._house.rules != page.rules or many:
            for memory in (self._left, self._ids, self._listings):
                memory.clear()
            self._house = replace(
                page, skus={}, skus_by_id={}, listings={}, book=Book(), changes=Changes()
            )
        for key in page.listings:
            self._listings.pop(key, None)
        same = set()
        for sku_id in page.skus_by_id:
            left = self._left.pop(sku_id, None)
            if left is not None and all(
                level == page.book.levels.get((sku_id, level.location_id)) for level in left.levels
            ):
                same.add(sku_id)
        return same

    def leave(self, page: Page, same: Collection[int]) -> None:
        """Remember a page's SKUs after its commit; the `same` ones are sure."""
        by_sku: dict[int, list[Level]] = {}
        for key, level in page.book.levels.items():
            if level.stored or key in page.book.touched:
                level.stored = True
                by_sku.setdefault(level.sku_id, []).append(level)
        for sku_id, levels in by_sku.items():
            sku = page.skus_by_id.get(sku_id)
            if sku and not (sku.recipe or sku.ahead or sku.outstanding or sku.case):
                self._left[sku_id] = Left(sku, levels, sku_id in same)
                self._ids[sku.code] = sku_id
        self._listings.update(page.listings)


def _recalled(
    house: Page,
    taken: Sequence[Left],
    listings: dict[tuple[int, str], ListingRead],
    now: datetime,
) -> Recalled:
    levels = {(level.sku_id, level.location_id): level for each in taken for level in each.levels}
    skus = sorted([each.sku for each in taken], key=attrgetter("id"))
    page = replace(
        house,
        now=now,
        skus={sku.code: sku for sku in skus},
        skus_by_id={sku.id: sku for sku in skus},
        listings=listings,
        book=Book(levels),
        changes=Changes(),
    )
    known = [(*key, level.revision, level.counted_at) for key, level in sorted(levels.items())]
    return Recalled(page=page, skus=skus, levels=known)
