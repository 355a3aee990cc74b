"""Stories at the edges: what an order does not take, orders that change hands, places in order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from inventory.db import Database
from inventory.facts import (
    AdjustReason,
    Fact,
    LineUnits,
    OrderObserved,
    ReservationReleased,
    StockCounted,
)
from inventory.ledger import Ledger
from inventory.models import Channel, Listing, Location
from tests.conftest import Save
from tests.factories import NOON, ChannelFactory, ListingFactory, line, order_seen
from tests.ledger.told import ask, cancel, levels, received, sale, ship


async def held(database: Database) -> list[list[int]]:
    """The units of every hold that is left, by its parts."""
    pool = await database.pool()
    rows = await pool.fetch("SELECT parts FROM reservation ORDER BY fact_id")
    return [row["parts"][2::3] for row in rows]


async def test_an_order_that_was_cancelled_first_takes_nothing_of_its_hold(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([ask("r-1", 4), cancel("o-1")])
    await ledger.apply([sale("o-1", 3, reservation_ref="r-1", keep_rest=True)])
    assert await held(database) == [[4]]
    assert await levels(database) == {(mug, "main"): (8, 4)}


async def test_what_an_order_in_parts_does_not_take_stays_held(
    database: Database, ledger: Ledger, mug: str
) -> None:
    unit = LineUnits(line_ref="1", quantity=1)
    await ledger.apply([ask("r-1", 6), cancel("o-1", unit)])
    await ledger.apply([sale("o-1", 3, reservation_ref="r-1", keep_rest=True)])
    assert await held(database) == [[4]]
    assert await levels(database) == {(mug, "main"): (8, 6)}
    await ledger.apply([sale("o-2", 1, reservation_ref="r-1")])
    assert await held(database) == []
    assert await levels(database) == {(mug, "main"): (8, 3)}


async def test_a_hold_that_has_ended_is_still_known_by_its_name(
    database: Database, ledger: Ledger, mug: str
) -> None:
    released = ReservationReleased(
        channel_id=0, fact_ref="x-1", occurred_at=NOON, reservation_ref="r-1"
    )
    await ledger.apply([ask("r-1", 8), released])
    [outcome] = await ledger.apply([sale("o-1", 2, reservation_ref="r-1")])
    assert (outcome.status.value, outcome.code) == ("recorded", "")
    assert await levels(database) == {(mug, "main"): (8, 2)}


async def test_an_order_that_its_channel_takes_over_gives_our_units_back(
    database: Database, ledger: Ledger, mug: str, save: Save
) -> None:
    pool = await database.pool()
    sku_id = await pool.fetchval("SELECT id FROM sku WHERE code = $1", mug)
    channel: Channel = ChannelFactory.build(kind="amazon")
    await save(channel)
    listing: Listing = ListingFactory.build(channel_id=channel.id, sku_id=sku_id, channel_sku="X")
    await save(listing)

    async def see(hint: str, *, theirs: bool, shipped: int = 0) -> None:
        order = order_seen(
            lines=(line("X", 3, shipped=shipped),), hint=hint, fulfilled_by_channel=theirs
        )
        found = {"X": (listing.id, mug)}
        await ledger.apply([OrderObserved(channel_id=channel.id, order=order, listings=found)])

    await see("1", theirs=False)
    assert await levels(database) == {(mug, "main"): (8, 3)}
    await see("2", theirs=True, shipped=2)
    assert await levels(database) == {(mug, "main"): (8, 0)}


@pytest.mark.parametrize("at_once", [True, False])
async def test_units_go_in_the_order_of_the_pool_and_come_back_from_its_end(
    database: Database, ledger: Ledger, mug: str, save: Save, at_once: bool
) -> None:
    """Whether the facts share a commit or not."""
    annex = Location(code="annex")
    await save(annex)
    await save(ChannelFactory.build(location_ids=[annex.id, 1]))
    pool = await database.pool()
    channel_id = await pool.fetchval("SELECT id FROM channel WHERE location_ids IS NOT NULL")
    units = LineUnits(line_ref="1", quantity=2)

    def on(fact: Any) -> Fact:
        changed: Fact = msgspec.structs.replace(fact, channel_id=channel_id)
        return changed

    facts = [
        received("in-2", 4, location="annex"),
        on(sale("o-1", 7)),
        on(cancel("o-1", units)),
        on(ship("o-1", units)),
    ]
    for some in [facts] if at_once else [[fact] for fact in facts]:
        await ledger.apply(some)
    # Four from the annex and three from main; two go back to main; two leave the annex.
    assert await levels(database) == {(mug, "main"): (8, 1), (mug, "annex"): (2, 2)}


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_count_contains_its_own_moment_and_not_the_next(
    database: Database, ledger: Ledger, mug: str, at_once: bool
) -> None:
    """Nine units: the one that came in that moment was counted, the two that came later were not.

    What came before it and is told last was counted, too.
    """
    counted = StockCounted(
        channel_id=0,
        fact_ref="c-1",
        occurred_at=NOON,
        sku=mug,
        on_hand=9,
        reason=AdjustReason.COUNT,
    )
    moments = {"in-2": (1, 0), "in-3": (2, 1)}
    facts = [
        msgspec.structs.replace(received(ref, units), occurred_at=NOON + timedelta(seconds=second))
        for ref, (units, second) in moments.items()
    ]
    late = msgspec.structs.replace(received("in-4", 4), occurred_at=NOON - timedelta(seconds=1))
    told: list[Fact] = [*facts, counted, late]
    for some in [told] if at_once else [[fact] for fact in told]:
        outcomes = await ledger.apply(some)
        assert [outcome.code for outcome in outcomes] == [""] * len(some)
    assert await levels(database) == {(mug, "main"): (11, 0)}
