"""What happens to stock when facts are told once, twice, late, or all at once."""

from __future__ import annotations

import asyncio

from inventory.db import Database
from inventory.facts import (
    LineUnits,
    Status,
)
from inventory.ledger import Ledger
from tests.conftest import Save
from tests.factories import SkuFactory
from tests.ledger.told import ask, cancel, levels, received, sale, ship, shortages, statuses


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
