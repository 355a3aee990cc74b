"""The decision table as a person reads it, row by row, and what is never done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from inventory.decision_table.nevers import NEVER, Never
from inventory.decision_table.words import NEVER_ASKERS, Asker, Market, Row
from inventory.reasons import ROWS


class RowShown(Struct, frozen=True, kw_only=True):
    """One row: the cases that it holds for, what may be done then, and where it is from.

    `counts`: against the marketplace's metric, yes, no or unconfirmed. `weighs`: our metric is
    computed with it.
    """

    market: str
    states: tuple[str, ...]
    askers: tuple[str, ...]
    ship_notices: tuple[str, ...]
    fulfilments: tuple[str, ...]
    extents: tuple[str, ...]
    action: str
    reason_codes: tuple[str, ...]
    counts: str
    weighs: bool
    task: str
    source: str


class TableShown(Struct, frozen=True, kw_only=True):
    """The rows asked for, and what is never done at any marketplace.

    A case that no row lists is refused to a person.
    """

    rows: tuple[RowShown, ...]
    never: tuple[Never, ...]


def shown(market: Market | None = None, asker: Asker | None = None) -> TableShown:
    """The rows of one marketplace, or of one who asked, or all; forbidden ones are in `never`."""
    rows = tuple(
        _shown(row)
        for row in ROWS
        if (market is None or row.market is market)
        and (asker is None or asker in row.askers)
        and (asker in NEVER_ASKERS or not set(row.askers) & set(NEVER_ASKERS))
    )
    return TableShown(rows=rows, never=NEVER)


def _shown(row: Row) -> RowShown:
    rule = row.rule
    return RowShown(
        market=row.market.value,
        states=_words(row.states),
        askers=_words(row.askers),
        ship_notices=_words(row.notices),
        fulfilments=_words(row.fulfilments),
        extents=_words(row.extents),
        action=rule.action.value,
        reason_codes=(rule.reason_code, *rule.other_codes) if rule.reason_code else (),
        counts=rule.counts.value,
        weighs=rule.weighs,
        task=rule.task,
        source=rule.source,
    )


def _words(values: Sequence[StrEnum]) -> tuple[str, ...]:
    return tuple(value.value for value in values)
