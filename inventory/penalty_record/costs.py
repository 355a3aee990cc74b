"""What the orders given up in a period cost, in whole yen and part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from inventory.penalty_record import entries

_COSTS = text("""
SELECT channel_id, cost, worth_yen FROM penalty_entry
WHERE weighs AND channel_id = ANY(:ids) AND ended_at >= :since AND ended_at < :until
""")


class Cost(Struct, frozen=True, kw_only=True):
    """Yen of the ends that weigh. `parts` are named as the cost model names them.

    `unknown` ends have no known cost, and are not in `total_yen`. `worth_yen` is what those orders
    were worth to their buyers, `unpriced` of them unknown; it is no part of the cost.
    """

    total_yen: int = 0
    parts: Mapping[str, int] = {}
    orders: int = 0
    unknown: int = 0
    worth_yen: int = 0
    unpriced: int = 0


async def costs(
    session: AsyncSession, channel_ids: Sequence[int], *, since: datetime, until: datetime
) -> dict[int, Cost]:
    """The cost of each channel's ends from `since` on and before `until`."""
    values = {"ids": list(channel_ids), "since": since, "until": until}
    found = {channel_id: Cost() for channel_id in channel_ids}
    for row in await session.execute(_COSTS, values):
        found[row.channel_id] = added(found[row.channel_id], row.cost, row.worth_yen)
    return found


def added(cost: Cost, document: Mapping[str, object] | None, worth_yen: int | None) -> Cost:
    """A cost with one more order in it."""
    total, parts = entries.total_of(document), dict(cost.parts)
    for name, yen in entries.parts_of(document).items():
        parts[name] = parts.get(name, 0) + yen
    return Cost(
        total_yen=cost.total_yen + (total or 0),
        parts=parts,
        orders=cost.orders + 1,
        unknown=cost.unknown + (total is None),
        worth_yen=cost.worth_yen + (worth_yen or 0),
        unpriced=cost.unpriced + (worth_yen is None),
    )


def in_words(cost: Cost) -> str:
    """A cost in one sentence, with its parts."""
    if not cost.orders:
        return "nothing was given up"
    said = f"{cost.total_yen:,} yen"
    if any(cost.parts.values()):
        said += f" ({entries.in_words(cost.parts)})"
    if cost.unknown:
        said += f"; the cost of {cost.unknown} of {cost.orders} is not known"
    said += f"; the orders were worth {cost.worth_yen:,} yen"
    return said + (f", {cost.unpriced} without a price" if cost.unpriced else "")
