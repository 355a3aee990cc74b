"""The ledger's page in memory: balances under lock, and the movements decided on them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec import Struct

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
CONTAINED = "contained in the count"


@dataclass(slots=True)
class Level:
    """The balance of one SKU at one location; `stored` once the database has a row of it."""

    sku_id: int
    location_id: int
    on_hand: int = 0
    reserved: int = 0
    revision: int = 0
    counted_at: datetime | None = None
    stored: bool = False

    @property
    def available(self) -> int:
        """Units here that are not promised; negative when more is promised than is here."""
        return self.on_hand - self.reserved


class Movement(Struct, frozen=True, gc=False):
    """One entry, decided and not yet written. `line` counts the order lines of the fact from 0."""

    fact_id: int
    revision: int
    occurred_at: datetime
    sku_id: int
    location_id: int
    on_hand_delta: int
    reserved_delta: int
    line: int
    kind: str
    reason: str


@dataclass(slots=True)
class Book:
    """All balances that a batch of facts may touch, and the movements decided so far.

    `dated` has the balances that were counted, with the moment of the count before.
    `fact_id` and `occurred_at` are those of the fact that is being decided.
    """

    levels: dict[tuple[int, int], Level] = field(default_factory=dict)
    touched: set[tuple[int, int]] = field(default_factory=set)
    movements: list[Movement] = field(default_factory=list)
    dated: list[tuple[Level, datetime | None]] = field(default_factory=list)
    fact_id: int = 0
    occurred_at: datetime = BEGINNING

    def level(self, sku_id: int, location_id: int) -> Level:
        """The balance; zero where the SKU never lay at the location."""
        key = (sku_id, location_id)
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = Level(sku_id, location_id)
        return level

    def date(self, level: Level, counted_at: datetime) -> None:
        """Note when a balance was counted."""
        self.dated.append((level, level.counted_at))
        level.counted_at = counted_at

    def touch(self, sku_id: int, location_id: int) -> None:
        """Have a balance written although no unit moves."""
        self.level(sku_id, location_id)
        self.touched.add((sku_id, location_id))

    def post(
        self,
        sku_id: int,
        location_id: int,
        *,
        kind: str,
        line: int = 0,
        on_hand: int = 0,
        reserved: int = 0,
        reason: str = "",
        at: datetime | None = None,
    ) -> None:
        """Change a balance by two deltas and note the entry that says so.

        What changed on hand before the newest count was counted with it: a second entry takes the
        change back, so that nothing is taken twice.
        """
        at = at or self.occurred_at
        level = self.level(sku_id, location_id)
        self._enter(level, at, on_hand, reserved, line, kind, reason)
        if on_hand and level.counted_at is not None and at <= level.counted_at:
            self._enter(level, at, -on_hand, 0, line, "adjust", CONTAINED)

    def _enter(
        self,
        level: Level,
        at: datetime,
        on_hand: int,
        reserved: int,
        line: int,
        kind: str,
        reason: str,
    ) -> None:
        sku_id, location_id = level.sku_id, level.location_id
        level.on_hand += on_hand
        level.reserved += reserved
        level.revision = revision = level.revision + 1
        self.touched.add((sku_id, location_id))
        self.movements.append(
            Movement(
                self.fact_id,
                revision,
                at,
                sku_id,
                location_id,
                on_hand,
                reserved,
                line,
                kind,
                reason,
            )
        )

    def available(self, sku_id: int, pool: Sequence[int]) -> int:
        """Units not promised over the locations of a pool."""
        units = 0
        for location_id in pool:
            level = self.levels.get((sku_id, location_id))
            if level is not None:
                units += level.on_hand - level.reserved
        return units

    def split(self, sku_id: int, pool: Sequence[int], units: int) -> dict[int, int]:
        """Where to take units, in the order of the pool; the remainder at its first location."""
        takes: dict[int, int] = {}
        for location_id in pool:
            level = self.level(sku_id, location_id)
            free = level.on_hand - level.reserved
            if free >= units:
                takes[location_id] = units
                return takes
            if free > 0:
                takes[location_id] = free
                units -= free
        takes[pool[0]] = takes.get(pool[0], 0) + units
        return takes
