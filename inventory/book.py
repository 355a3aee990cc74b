"""The ledger's page in memory: balances under lock, and the movements decided on them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Level:
    """The balance of one SKU at one location; `stored` once the database has a row of it."""

    sku_id: int
    location_id: int
    on_hand: int = 0
    reserved: int = 0
    revision: int = 0
    stored: bool = False

    @property
    def available(self) -> int:
        """Units here that are not promised; negative when more is promised than is here."""
        return self.on_hand - self.reserved


@dataclass(slots=True)
class Movement:
    """One entry, decided and not yet written. `line` counts the entries' order lines from 0."""

    line: int
    sku_id: int
    location_id: int
    kind: str
    on_hand_delta: int
    reserved_delta: int
    revision: int
    reason: str | None = None


@dataclass(slots=True)
class Book:
    """All balances that a batch of facts may touch, and what the batch has changed so far."""

    levels: dict[tuple[int, int], Level] = field(default_factory=dict)
    touched: set[tuple[int, int]] = field(default_factory=set)

    def level(self, sku_id: int, location_id: int) -> Level:
        """The balance; zero where the SKU never lay at the location."""
        return self.levels.setdefault((sku_id, location_id), Level(sku_id, location_id))

    def post(
        self,
        sku_id: int,
        location_id: int,
        *,
        kind: str,
        line: int = 0,
        on_hand: int = 0,
        reserved: int = 0,
        reason: str | None = None,
    ) -> Movement:
        """Change a balance by two deltas and return the entry that says so."""
        level = self.level(sku_id, location_id)
        level.on_hand += on_hand
        level.reserved += reserved
        level.revision += 1
        self.touched.add((sku_id, location_id))
        return Movement(line, sku_id, location_id, kind, on_hand, reserved, level.revision, reason)

    def available(self, sku_id: int, pool: Sequence[int]) -> int:
        """Units not promised over the locations of a pool."""
        return sum(self.level(sku_id, location_id).available for location_id in pool)

    def shortage(self, sku_id: int, pool: Sequence[int]) -> int:
        """Units promised beyond what the pool holds, at least 0."""
        return max(-self.available(sku_id, pool), 0)
