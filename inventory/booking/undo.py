"""A way back for facts that are booked together or not at all. Pure.

What is kept is what the facts of one call can change: a batch has many such calls, and a copy of
the whole page for each of them would take longer than everything else.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from inventory.booking.mentions import mentions
from inventory.booking.page import Changes, Page
from inventory.facts import Fact


class Savepoint:
    """The page as it was before the facts of a call."""

    def __init__(self, page: Page, facts: Sequence[Fact]) -> None:
        self._page = page
        self._changes = _kept(page.changes, facts)
        self._touched = set(page.book.touched)
        self._movements = len(page.book.movements)
        self._dated = len(page.book.dated)

    def restore(self) -> None:
        """Undo all that was decided since."""
        self._page.changes = self._changes
        book = self._page.book
        book.touched = self._touched
        for movement in book.movements[self._movements :]:
            level = book.levels[movement.sku_id, movement.location_id]
            level.on_hand -= movement.on_hand_delta
            level.reserved -= movement.reserved_delta
            level.revision -= 1
        for level, counted_at in reversed(book.dated[self._dated :]):
            level.counted_at = counted_at
        del book.movements[self._movements :], book.dated[self._dated :]


def _kept(changes: Changes, facts: Sequence[Fact]) -> Changes:
    """The changes so far, with copies of what the facts name: the originals may be changed."""
    kept = Changes(
        **{each.name: copy.copy(getattr(changes, each.name)) for each in fields(Changes)}
    )
    told = mentions(facts)
    _copy(told.orders, kept.orders, kept.changed_orders)
    _copy(told.transfers, kept.transfers, kept.changed_transfers)
    _copy(told.supplies, kept.supplies, kept.changed_supplies)
    _copy(told.counts, kept.counts, kept.changed_counts)
    for key in told.holds:
        if key not in kept.holds:
            continue
        before = kept.holds[key]
        after = kept.holds[key] = copy.deepcopy(before)
        if before.fact_id in kept.changed_holds:
            kept.changed_holds[before.fact_id] = after
        kept.new_holds = [after if hold is before else hold for hold in kept.new_holds]
    return kept


def _copy(names: Sequence[Any], held: dict[Any, Any], changed: dict[Any, Any]) -> None:
    for name in names:
        if name not in held:
            continue
        held[name] = copy.deepcopy(held[name])
        if name in changed:
            changed[name] = held[name]
