"""Which SKU a channel's listing is, told by the codes that the shop wrote there. Pure.

A person looks at the result before it is used: a wrong match sells the wrong thing.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

CANDIDATES_MAX = 10


class Match(StrEnum):
    """Where a listing stands.

    `mapped`: it has a SKU already. `matched`: its codes name one SKU. `unmatched`: none.
    `ambiguous`: several. `duplicate`: one, that another listing of the channel is, too.
    """

    MAPPED = "mapped"
    MATCHED = "matched"
    UNMATCHED = "unmatched"
    AMBIGUOUS = "ambiguous"
    DUPLICATE = "duplicate"


class Offered(Struct, frozen=True, kw_only=True):
    """A listing as the channel shows it. `codes` best first."""

    channel_sku: str
    codes: tuple[str, ...] = ()
    title: str = ""
    quantity: int | None = None
    fulfilled_by_channel: bool = False


class MatchRow(Struct, frozen=True, kw_only=True):
    """A listing with what its codes say. `sku` is the one found, `candidates` are the several.

    `by` is the code that named it; one that differs from the SKU's only in width or case says so.
    """

    channel_sku: str
    state: Match
    sku: str | None = None
    candidates: tuple[str, ...] = ()
    by: str = ""
    title: str = ""
    quantity: int | None = None
    fulfilled_by_channel: bool = False


def match(
    offered: Sequence[Offered], skus: Iterable[str], mapped: Mapping[str, str]
) -> list[MatchRow]:
    """What each listing is. `mapped` is channel SKU → SKU of the listings that we have.

    All codes of a listing are asked, its channel SKU last; where they name different SKUs a person
    decides. A SKU of the very same spelling goes before those of another width or case.
    """
    exact = set(skus)
    folded: dict[str, list[str]] = {}
    for code in sorted(exact):
        folded.setdefault(fold(code), []).append(code)
    rows = [_row(each, exact, folded, mapped) for each in offered]
    held = Counter(mapped.values())
    held.update(row.sku for row in rows if row.state is Match.MATCHED and row.sku)
    return [_doubled(row, held) for row in rows]


def fold(code: str) -> str:
    """A code without what people do not see: width, case, spaces at its ends."""
    return unicodedata.normalize("NFKC", code).strip().casefold()


def counts(rows: Iterable[MatchRow]) -> dict[str, int]:
    """How many listings are in each state."""
    found = Counter(row.state for row in rows)
    return {state.value: found[state] for state in Match}


def _row(
    each: Offered,
    exact: set[str],
    folded: Mapping[str, Sequence[str]],
    mapped: Mapping[str, str],
) -> MatchRow:
    codes = [*each.codes, each.channel_sku]
    by = {code: [code] for code in codes if code in exact}
    if not by:
        by = {code: list(same) for code in codes if (same := folded.get(fold(code)))}
    found = list(dict.fromkeys(sku for same in by.values() for sku in same))
    sku: str | None = None
    state, candidates, named = Match.UNMATCHED, tuple[str, ...](), ""
    if each.channel_sku in mapped:
        sku, state = mapped[each.channel_sku], Match.MAPPED
    elif len(found) == 1:
        sku, state, named = found[0], Match.MATCHED, next(iter(by))
    elif found:
        state, candidates = Match.AMBIGUOUS, tuple(found[:CANDIDATES_MAX])
    return MatchRow(
        channel_sku=each.channel_sku,
        state=state,
        sku=sku,
        candidates=candidates,
        by=named,
        title=each.title,
        quantity=each.quantity,
        fulfilled_by_channel=each.fulfilled_by_channel,
    )


def _doubled(row: MatchRow, held: Mapping[str, int]) -> MatchRow:
    if row.state is not Match.MATCHED or row.sku is None or held[row.sku] == 1:
        return row
    return MatchRow(
        channel_sku=row.channel_sku,
        state=Match.DUPLICATE,
        sku=row.sku,
        by=row.by,
        title=row.title,
        quantity=row.quantity,
        fulfilled_by_channel=row.fulfilled_by_channel,
    )
