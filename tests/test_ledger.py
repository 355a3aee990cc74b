"""What happens to stock when facts are told once, twice, late, or all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from inventory.db import Database
from inventory.facts import (
    AdjustReason,
    CancellationReceived,
    Fact,
    LineUnits,
    Outcome,
    ReservationAsked,
    ReservationReleased,
    ReturnAccepted,
    SaleLine,
    SaleReceived,
    ShipmentSeen,
    Status,
    StockAdjusted,
    StockReceived,
    StockTransferred,
)
from inventory.ledger import Ledger
from inventory.models import Location
from inventory.vocabulary import Party
from tests.conftest import Save
from tests.factories import NOON, SkuFactory


@pytest.fixture
async def mug(save: Save, ledger: Ledger) -> str:
    """A SKU with eight units received."""
    await save(SkuFactory.build(code="MUG"), SkuFactory.build(code="TEE"))
    await ledger.apply([received("in-1", 8)])
    return "MUG"


def received(ref: str, quantity: int, sku: str = "MUG", location: str | None = None) -> Fact:
    return StockReceived(
        channel_id=0, fact_ref=ref, occurred_at=NOON, sku=sku, quantity=quantity, location=location
    )


def sale(order_ref: str, quantity: int = 1, sku: str = "MUG", **more: Any) -> SaleReceived:
    lines = (SaleLine(line_ref="1", sku=sku, quantity=quantity),)
    return SaleReceived(
        channel_id=0,
        fact_ref=order_ref,
        order_ref=order_ref,
        occurred_at=NOON,
        lines=lines,
        **more,
    )


def cancel(order_ref: str, *units: LineUnits, ref: str = "c-1") -> CancellationReceived:
    return CancellationReceived(
        channel_id=0,
        fact_ref=ref,
        order_ref=order_ref,
        occurred_at=NOON,
        by=Party.BUYER,
        lines=units,
    )


def ship(order_ref: str, *units: LineUnits, ref: str = "s-1") -> ShipmentSeen:
    return ShipmentSeen(
        channel_id=0, fact_ref=ref, order_ref=order_ref, occurred_at=NOON, lines=units
    )


def ask(ref: str, quantity: int = 1) -> ReservationAsked:
    lines = (SaleLine(line_ref="1", sku="MUG", quantity=quantity),)
    return ReservationAsked(channel_id=0, fact_ref=ref, occurred_at=NOON, lines=lines)


async def levels(database: Database) -> dict[tuple[str, str], tuple[int, int]]:
    """(SKU, location) → (on hand, reserved), after proving that the movements add up to it."""
    pool = await database.pool()
    rows = await pool.fetch(
        "SELECT s.code, l.code, v.on_hand, v.reserved, v.revision,"
        " (SELECT coalesce(sum(on_hand_delta), 0) FROM movement m"
        "  WHERE m.sku_id = v.sku_id AND m.location_id = v.location_id),"
        " (SELECT coalesce(sum(reserved_delta), 0) FROM movement m"
        "  WHERE m.sku_id = v.sku_id AND m.location_id = v.location_id),"
        " (SELECT count(*) FROM movement m"
        "  WHERE m.sku_id = v.sku_id AND m.location_id = v.location_id)"
        " FROM stock_level v JOIN sku s ON s.id = v.sku_id JOIN location l ON l.id = v.location_id"
    )
    for _, _, on_hand, reserved, revision, moved, held, entries in rows:
        assert (on_hand, reserved, revision) == (moved, held, entries)
    return {(sku, location): (on_hand, reserved) for sku, location, on_hand, reserved, *_ in rows}


async def shortages(database: Database) -> dict[str, tuple[str, int, int]]:
    pool = await database.pool()
    rows = await pool.fetch(
        "SELECT s.code, o.state, o.shortage, o.shortage_max FROM oversell o"
        " JOIN sku s ON s.id = o.sku_id"
    )
    return {code: (state, shortage, most) for code, state, shortage, most in rows}


def statuses(outcomes: Sequence[Outcome]) -> list[Status]:
    return [outcome.status for outcome in outcomes]


async def test_a_sale_reserves_and_its_shipment_takes_from_the_shelf(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([sale("o-1", 3)])
    assert await levels(database) == {(mug, "main"): (8, 3)}
    await ledger.apply([ship("o-1")])
    assert await levels(database) == {(mug, "main"): (5, 0)}


async def test_the_same_sale_delivered_ten_times_at_once_reserves_once(
    database: Database, ledger: Ledger, mug: str
) -> None:
    answers = await asyncio.gather(*(ledger.apply([sale("o-1", 3)]) for _ in range(10)))

    assert [status for [status] in map(statuses, answers)] == [Status.RECORDED] * 10
    assert sorted(answer.repeated for [answer] in answers) == [False] + [True] * 9
    assert await levels(database) == {(mug, "main"): (8, 3)}


async def test_sixty_askers_for_eight_units_get_eight(
    database: Database, ledger: Ledger, mug: str
) -> None:
    answers = await asyncio.gather(*(ledger.apply([ask(f"r-{n}")]) for n in range(60)))

    granted = [answer for [answer] in answers if answer.status is Status.GRANTED]
    refused = [answer for [answer] in answers if answer.status is Status.REFUSED]
    assert (len(granted), len(refused)) == (8, 52)
    assert {answer.code for answer in refused} == {"insufficient_stock"}
    assert await levels(database) == {(mug, "main"): (8, 8)}
    assert await shortages(database) == {}


async def test_a_refused_reservation_leaves_no_movement(
    database: Database, ledger: Ledger, mug: str
) -> None:
    [first] = await ledger.apply([ask("r-1", 9)])
    await ledger.apply([received("in-2", 5)])
    [again] = await ledger.apply([ask("r-1", 9)])

    assert (first.status, first.detail) == (Status.REFUSED, "MUG: 9 asked, 8 can be promised")
    assert (again.status, again.repeated) == (Status.REFUSED, True)
    assert await levels(database) == {(mug, "main"): (13, 0)}


async def test_safety_stock_is_not_promised(database: Database, ledger: Ledger, mug: str) -> None:
    pool = await database.pool()
    await pool.execute("UPDATE sku SET safety_stock = 2, safety_percent = 50 WHERE code = 'MUG'")
    outcomes = await ledger.apply([ask("r-1", 5), ask("r-2", 4), ask("r-3", 2), ask("r-4", 1)])
    # Half of eight is held back, then half of four: the percentage is of what is available.
    assert statuses(outcomes) == [Status.REFUSED, Status.GRANTED, Status.GRANTED, Status.REFUSED]
    assert await levels(database) == {(mug, "main"): (8, 6)}


async def test_a_marketplace_sale_below_zero_is_recorded_and_opens_one_case(
    database: Database, ledger: Ledger, mug: str
) -> None:
    outcomes = await ledger.apply([sale("o-1", 6), sale("o-2", 5)])
    assert statuses(outcomes) == [Status.RECORDED, Status.RECORDED]
    assert await levels(database) == {(mug, "main"): (8, 11)}
    assert await shortages(database) == {mug: ("open", 3, 3)}
    await ledger.apply([cancel("o-2")])
    assert await levels(database) == {(mug, "main"): (8, 6)}
    assert await shortages(database) == {mug: ("open", 0, 3)}


async def test_the_case_names_the_fact_that_made_the_shortage(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([sale("o-1", 6), sale("o-2", 5), sale("o-3", 1)])
    pool = await database.pool()
    cause = await pool.fetchval(
        "SELECT f.fact_ref FROM oversell o JOIN fact f ON f.id = o.cause_fact_id"
    )
    assert cause == "o-2"


async def test_a_cancellation_that_comes_before_its_order(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([cancel("o-1")])
    await ledger.apply([sale("o-1", 3)])
    assert await levels(database) == {(mug, "main"): (8, 0)}


async def test_units_cancelled_and_shipped_before_their_order(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([cancel("o-1", LineUnits(line_ref="1", quantity=1))])
    await ledger.apply([ship("o-1", LineUnits(line_ref="1", quantity=2))])
    await ledger.apply([sale("o-1", 5)])
    assert await levels(database) == {(mug, "main"): (6, 2)}


async def test_two_part_cancellations_are_two_facts(
    database: Database, ledger: Ledger, mug: str
) -> None:
    unit = LineUnits(line_ref="1", quantity=1)
    await ledger.apply([sale("o-1", 3), cancel("o-1", unit), cancel("o-1", unit, ref="c-2")])
    await ledger.apply([cancel("o-1", unit, ref="c-2")])
    assert await levels(database) == {(mug, "main"): (8, 1)}


async def test_one_name_for_two_contents_is_a_conflict_and_changes_nothing(
    database: Database, ledger: Ledger, mug: str
) -> None:
    [_, conflict] = await ledger.apply([sale("o-1", 1), sale("o-1", 2)])
    assert (conflict.status, conflict.code) == (Status.CONFLICT, "content_differs")
    assert await levels(database) == {(mug, "main"): (8, 1)}


async def test_a_bad_fact_fails_alone(database: Database, ledger: Ledger, mug: str) -> None:
    outcomes = await ledger.apply(
        [sale("o-1", 1), sale("o-2", 0), sale("o-3", sku="NONE"), received("in-3", -5), sale("o-4")]
    )
    assert [outcome.code for outcome in outcomes] == [
        "",
        "bad_input",
        "unknown_sku",
        "bad_input",
        "",
    ]
    assert await levels(database) == {(mug, "main"): (8, 2)}


async def test_a_refused_fact_leaves_its_name_free(
    database: Database, ledger: Ledger, mug: str, save: Save
) -> None:
    await ledger.apply([received("in-9", 4, sku="NEW")])
    await save(SkuFactory.build(code="NEW"))
    [outcome] = await ledger.apply([received("in-9", 4, sku="NEW")])
    assert (outcome.status, outcome.repeated) == (Status.RECORDED, False)
    assert await levels(database) == {(mug, "main"): (8, 0), ("NEW", "main"): (4, 0)}


async def test_stocktake_damage_return_and_transfer(
    database: Database, ledger: Ledger, mug: str, save: Save
) -> None:
    await save(Location(code="annex"))
    named: dict[str, Any] = {"channel_id": 0, "occurred_at": NOON, "sku": mug}
    outcomes = await ledger.apply(
        [
            StockAdjusted(fact_ref="a-1", reason=AdjustReason.COUNT, on_hand=7, **named),
            StockAdjusted(fact_ref="a-2", reason=AdjustReason.DAMAGE, change=-2, **named),
            StockAdjusted(fact_ref="a-3", reason=AdjustReason.LOSS, change=-6, **named),
            ReturnAccepted(fact_ref="b-1", quantity=1, **named),
            StockTransferred(
                fact_ref="t-1", quantity=4, from_location="main", to_location="annex", **named
            ),
            StockTransferred(
                fact_ref="t-2", quantity=3, from_location="main", to_location="annex", **named
            ),
        ]
    )
    assert [outcome.code for outcome in outcomes] == [
        "",
        "",
        "on_hand_below_zero",
        "",
        "",
        "insufficient_stock",
    ]
    assert await levels(database) == {(mug, "main"): (2, 0), (mug, "annex"): (4, 0)}


async def test_a_sale_takes_the_second_location_when_the_first_is_empty(
    database: Database, ledger: Ledger, mug: str, save: Save
) -> None:
    await save(Location(code="annex"))
    await ledger.apply([received("in-2", 5, location="annex"), sale("o-1", 10)])
    assert await levels(database) == {(mug, "main"): (8, 8), (mug, "annex"): (5, 2)}
    await ledger.apply([cancel("o-1", LineUnits(line_ref="1", quantity=3))])
    assert await levels(database) == {(mug, "main"): (8, 7), (mug, "annex"): (5, 0)}


async def test_an_order_fulfils_its_reservation_in_one_step(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await ledger.apply([ask("r-1", 8)])
    [outcome] = await ledger.apply([sale("o-1", 8, reservation_ref="r-1")])
    assert outcome.status is Status.RECORDED
    assert await levels(database) == {(mug, "main"): (8, 8)}
    assert await shortages(database) == {}


async def test_a_reservation_is_given_back_once(
    database: Database, ledger: Ledger, mug: str
) -> None:
    def release(ref: str, hold: str) -> ReservationReleased:
        return ReservationReleased(
            channel_id=0, fact_ref=ref, occurred_at=NOON, reservation_ref=hold
        )

    await ledger.apply([ask("r-1", 2)])
    outcomes = await ledger.apply([release("x-1", "r-1"), release("x-2", "r-1")])
    [unknown] = await ledger.apply([release("x-3", "never")])
    assert statuses(outcomes) == [Status.RECORDED, Status.RECORDED]
    assert unknown.code == "unknown_reservation"
    assert await levels(database) == {(mug, "main"): (8, 0)}


async def test_two_first_sales_of_a_sku_at_once(
    database: Database, ledger: Ledger, mug: str
) -> None:
    await asyncio.gather(*(ledger.apply([sale(f"t-{n}", sku="TEE")]) for n in range(12)))
    assert (await levels(database))["TEE", "main"] == (0, 12)


@pytest.mark.parametrize("table", ["fact", "movement", "movement_default"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET kind = 'x'", "TRUNCATE {}"])
async def test_history_cannot_be_changed(
    database: Database, mug: str, table: str, change: str
) -> None:
    pool = await database.pool()
    before = await pool.fetchval("SELECT count(*) FROM movement")
    if table == "movement_default":
        await pool.execute(
            "INSERT INTO movement SELECT fact_id, 9, location_id, kind, '2020-01-01', sku_id, 0, 0,"
            " 99, reason, occurred_at FROM movement"
        )
        before *= 2
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await pool.execute(change.format(table) + (" CASCADE" if "TRUNC" in change else ""))
    assert await pool.fetchval("SELECT count(*) FROM movement") == before
    assert mug
