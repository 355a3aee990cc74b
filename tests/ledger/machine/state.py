"""What the model remembers: a warehouse in plain Python, told from the documents."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

Key = tuple[str, str]
# In place of when something happened, which is no part of its content.
NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class Answer(NamedTuple):
    """What is compared of an outcome."""

    status: str
    code: str = ""
    repeated: bool = False


class Refused(Exception):
    """The fact leaves nothing behind."""


@dataclass
class Catalogue:
    """What people have set up. `pools` and `pots` have a channel's id; SKUs stand in their order.

    `recipes` is kit → part → units, as people enter it; a part may be a kit.
    """

    skus: dict[str, tuple[int, int]] = field(default_factory=dict)
    recipes: dict[str, dict[str, int]] = field(default_factory=dict)
    locations: dict[str, bool] = field(default_factory=dict)
    pools: dict[int, tuple[str, ...]] = field(default_factory=dict)
    listings: dict[tuple[int, str], str] = field(default_factory=dict)
    pots: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def sellable(self) -> tuple[str, ...]:
        """The locations whose stock may be sold, in their order."""
        return tuple(code for code, sellable in self.locations.items() if sellable)

    def pool(self, channel_id: int) -> tuple[str, ...]:
        """Where a channel's sales take stock."""
        return self.pools.get(channel_id) or self.sellable

    def parts(self, sku: str, units: int = 1) -> dict[str, int]:
        """What one unit takes: itself, or the parts of a kit and of the kits in it."""
        if not self.recipes.get(sku):
            return {sku: units}
        taken: dict[str, int] = {}
        for part, per_kit in self.recipes[sku].items():
            for each, n in self.parts(part, units * per_kit).items():
                taken[each] = taken.get(each, 0) + n
        return taken


@dataclass
class Level:
    """One SKU at one place.

    On hand is never stored: it is what was counted last, and all that happened later.
    """

    moves: list[tuple[datetime, int]] = field(default_factory=list)
    counted: int = 0
    counted_at: datetime | None = None
    reserved: int = 0

    def at(self, moment: datetime) -> int:
        """On hand at a moment, as it is known today."""
        since = self.counted_at
        return self.counted + sum(
            units for at, units in self.moves if at <= moment and (since is None or at > since)
        )

    @property
    def on_hand(self) -> int:
        """On hand now, with what is told to happen later."""
        since = self.counted_at
        return self.counted + sum(units for at, units in self.moves if since is None or at > since)

    @property
    def available(self) -> int:
        """Not promised."""
        return self.on_hand - self.reserved

    def __deepcopy__(self, _: Any) -> Level:
        """Moves are never changed, so they are shared."""
        return Level(list(self.moves), self.counted, self.counted_at, self.reserved)


@dataclass
class Line:
    """One line of an order. `taken` is SKU → place → [reserved, shipped]."""

    sku: str = ""
    ordered: int = 0
    cancelled: int = 0
    shipped: int = 0
    recipe: dict[str, int] = field(default_factory=dict)
    taken: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    @property
    def open(self) -> int:
        """Neither cancelled nor shipped."""
        return max(self.ordered - self.cancelled - self.shipped, 0)


@dataclass
class Order:
    """One order. `seen` is what its last snapshot said, and when."""

    lines: dict[str, Line] = field(default_factory=dict)
    cancelled: bool = False
    shipped: bool = False
    theirs: bool = False
    seen: tuple[Any, datetime] | None = None
    revision: int = 0

    def __deepcopy__(self, memo: Any) -> Order:
        """Snapshots are never changed, so they are shared."""
        return replace(self, lines=copy.deepcopy(self.lines, memo))


@dataclass
class Supply:
    """Units expected from a supplier."""

    sku: str
    location: str
    expected: int
    received: int = 0
    ended: bool = False

    @property
    def to_come(self) -> int:
        """Units that may still come."""
        return 0 if self.ended else max(self.expected - self.received, 0)


@dataclass
class State:
    """Everything that facts have changed."""

    catalogue: Catalogue
    levels: dict[Key, Level] = field(default_factory=dict)
    names: dict[tuple[int, str], tuple[Any, Answer]] = field(default_factory=dict)
    orders: dict[tuple[int, str], Order] = field(default_factory=dict)
    holds: dict[tuple[int, str], dict[Key, int]] = field(default_factory=dict)
    # sku, to, sent, arrived, missing
    transfers: dict[str, list[Any]] = field(default_factory=dict)
    supplies: dict[str, Supply] = field(default_factory=dict)
    # sku, place, counted at, state, difference
    counts: dict[str, list[Any]] = field(default_factory=dict)
    # Shortage now and at its worst, of SKUs with an open case.
    cases: dict[str, tuple[int, int]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)

    def level(self, sku: str, place: str) -> Level:
        """The balance, made at first mention."""
        return self.levels.setdefault((sku, place), Level())

    def move(self, sku: str, place: str, units: int, at: datetime) -> None:
        """Change on hand."""
        self.level(sku, place).moves.append((at, units))
        self.touched.add(sku)

    def promise(self, sku: str, place: str, units: int) -> None:
        """Change what is reserved."""
        self.level(sku, place).reserved += units
        self.touched.add(sku)

    def available(self, sku: str, pool: Sequence[str]) -> int:
        """Not promised, over the places of a pool."""
        return sum(
            self.levels[sku, place].available for place in pool if (sku, place) in self.levels
        )

    def places(self, sku: str, pool: Sequence[str], units: int) -> dict[str, int]:
        """Where units are taken: in the order of the pool, the remainder at its first place."""
        takes: dict[str, int] = {}
        for place in pool:
            there = self.levels.get((sku, place))
            take = min(max(there.available, 0), units) if there else 0
            if take:
                takes[place] = take
                units -= take
        if units:
            takes[pool[0]] = takes.get(pool[0], 0) + units
        return takes

    def to_come(self, sku: str) -> int:
        """Expected and not yet received."""
        return sum(supply.to_come for supply in self.supplies.values() if supply.sku == sku)

    def shortage(self, sku: str) -> int:
        """Promised beyond what a pool holds and what may be sold ahead of supply."""
        pools = {self.catalogue.sellable, *self.catalogue.pools.values()}
        worst = min(self.available(sku, pool) for pool in pools)
        pots = [
            units
            for listing, units in self.catalogue.pots.items()
            if self.catalogue.listings[listing] == sku
        ]
        return max(-worst - min(max(pots, default=0), self.to_come(sku)), 0)

    def close_books(self) -> None:
        """At the end of a commit: shortages of what has moved."""
        for sku in self.touched:
            short = self.shortage(sku)
            if short or sku in self.cases:
                worst = max(short, self.cases.get(sku, (0, 0))[1])
                self.cases[sku] = (short, worst)
        self.touched.clear()
