"""Kits: a sale takes the parts, and gives back those it took whatever the recipe says today."""

from __future__ import annotations

import pytest

from inventory.db import Database
from inventory.facts import (
    Fact,
    LineUnits,
    ReservationAsked,
    ReservationReleased,
    SaleLine,
    Status,
)
from inventory.ledger import Ledger
from tests.conftest import Save
from tests.factories import NOON, SkuFactory
from tests.ledger.told import cancel, levels, received, sale, ship, shortages
from tests.recipes import put_recipe


@pytest.fixture
async def tea_set(database: Database, ledger: Ledger, save: Save) -> str:
    """SET is two MUG and one POT; nine mugs and five pots lie there."""
    await save(*(SkuFactory.build(code=code) for code in ("MUG", "POT", "LID", "SET", "BOX")))
    await ledger.apply([received("in-1", 9), received("in-2", 5, sku="POT")])
    await put_recipe(database, "SET", {"MUG": 2, "POT": 1})
    return "SET"


def hold(ref: str, **units: int) -> ReservationAsked:
    """A basket with one line a SKU."""
    lines = tuple(
        SaleLine(line_ref=str(number), sku=sku, quantity=quantity)
        for number, (sku, quantity) in enumerate(units.items(), start=1)
    )
    return ReservationAsked(fact_ref=ref, lines=lines, channel_id=0, occurred_at=NOON)


async def stock(database: Database) -> dict[str, tuple[int, int]]:
    """SKU → (on hand, reserved)."""
    return {sku: units for (sku, _), units in (await levels(database)).items()}


async def test_a_sale_takes_the_parts_and_a_shipment_ships_them(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    await ledger.apply([sale("o-1", 2, sku=tea_set)])
    assert await stock(database) == {"MUG": (9, 4), "POT": (5, 2)}

    await ledger.apply([ship("o-1", LineUnits(line_ref="1", quantity=1))])
    assert await stock(database) == {"MUG": (7, 2), "POT": (4, 1)}

    await ledger.apply([cancel("o-1", LineUnits(line_ref="1", quantity=1))])
    assert await stock(database) == {"MUG": (7, 0), "POT": (4, 0)}


async def test_a_cancellation_gives_back_what_was_taken_and_not_what_the_recipe_says_now(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    await ledger.apply([sale("o-1", 2, sku=tea_set)])
    await put_recipe(database, tea_set, {"MUG": 1, "LID": 1})
    await ledger.apply([sale("o-2", 1, sku=tea_set)])
    assert await stock(database) == {"MUG": (9, 5), "POT": (5, 2), "LID": (0, 1)}

    await ledger.apply([cancel("o-1")])
    assert await stock(database) == {"MUG": (9, 1), "POT": (5, 0), "LID": (0, 1)}


async def test_a_sold_kit_that_is_a_kit_no_more_ships_its_parts(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    await ledger.apply([sale("o-1", 1, sku=tea_set)])
    await put_recipe(database, tea_set, {})
    await ledger.apply([ship("o-1"), received("in-3", 4, sku=tea_set), sale("o-2", sku=tea_set)])

    assert await stock(database) == {"MUG": (7, 0), "POT": (4, 0), "SET": (4, 1)}


async def test_kits_in_kits_take_every_part_once(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    await put_recipe(database, "BOX", {tea_set: 2, "MUG": 1, "LID": 3})
    await ledger.apply([received("in-3", 30, sku="LID"), sale("o-1", 1, sku="BOX")])
    assert await stock(database) == {"MUG": (9, 5), "POT": (5, 2), "LID": (30, 3)}

    await ledger.apply([cancel("o-1")])
    assert await stock(database) == {"MUG": (9, 0), "POT": (5, 0), "LID": (30, 0)}


async def test_a_part_in_two_lines_of_a_basket_is_added_up_before_it_is_compared(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    # Four sets need eight mugs: nine are there, but not for two more.
    [refused] = await ledger.apply([hold("r-1", SET=4, MUG=2)])
    assert (refused.status, refused.detail) == (Status.REFUSED, "MUG: 10 asked, 9 can be promised")
    assert await stock(database) == {"MUG": (9, 0), "POT": (5, 0)}

    [granted] = await ledger.apply([hold("r-2", SET=4, MUG=1)])
    assert granted.status is Status.GRANTED
    assert await stock(database) == {"MUG": (9, 9), "POT": (5, 4)}


async def test_a_hold_of_kits_is_refused_when_one_part_is_short(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    await ledger.apply([sale("o-1", 3, sku="POT")])

    [refused] = await ledger.apply([hold("r-1", SET=3)])

    assert (refused.code, refused.detail) == (
        "insufficient_stock",
        "POT: 3 asked, 2 can be promised",
    )
    assert await stock(database) == {"MUG": (9, 0), "POT": (5, 3)}


async def test_an_order_fulfils_its_hold_of_kits(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    await ledger.apply([hold("r-1", SET=3)])
    await ledger.apply([sale("o-1", 2, sku=tea_set, reservation_ref="r-1", keep_rest=True)])
    assert await stock(database) == {"MUG": (9, 6), "POT": (5, 3)}

    await put_recipe(database, tea_set, {"LID": 1})
    release: Fact = ReservationReleased(
        fact_ref="x-1", reservation_ref="r-1", channel_id=0, occurred_at=NOON
    )
    await ledger.apply([release])
    assert await stock(database) == {"MUG": (9, 4), "POT": (5, 2)}


async def test_safety_stock_of_parts_and_of_the_kit_is_not_promised(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    pool = await database.pool()
    await pool.execute("UPDATE sku SET safety_stock = 1 WHERE code IN ('POT', 'SET')")

    # Four pots may be promised; of the four kits that they make, one is held back.
    [refused, granted] = await ledger.apply([hold("r-1", SET=4), hold("r-2", SET=3)])

    assert (refused.status, granted.status) == (Status.REFUSED, Status.GRANTED)
    assert refused.detail == "SET: 4 asked, 3 can be promised"


async def test_a_kit_sold_too_often_makes_its_part_short(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    await ledger.apply([sale("o-1", 5, sku=tea_set)])
    assert await shortages(database) == {"MUG": ("open", 1, 1)}

    await ledger.apply([sale("o-2", 1, sku="POT")])
    assert await shortages(database) == {"MUG": ("open", 1, 1), "POT": ("open", 1, 1)}

    await ledger.apply([cancel("o-1")])
    assert await shortages(database) == {"MUG": ("open", 0, 1), "POT": ("open", 0, 1)}


async def test_a_kit_has_no_stock_of_its_own(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    [refused] = await ledger.apply([received("in-3", 4, sku=tea_set)])
    assert refused.code == "kit_has_no_stock"
    assert await stock(database) == {"MUG": (9, 0), "POT": (5, 0)}


async def test_a_cancellation_of_kits_that_comes_before_their_order(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    await ledger.apply([cancel("o-1", LineUnits(line_ref="1", quantity=1))])
    await ledger.apply([sale("o-1", 3, sku=tea_set)])
    assert await stock(database) == {"MUG": (9, 4), "POT": (5, 2)}


async def test_told_twice_a_kit_is_taken_once(
    database: Database, ledger: Ledger, tea_set: str
) -> None:
    for _ in range(2):
        await ledger.apply([sale("o-1", 1, sku=tea_set)])
    assert await stock(database) == {"MUG": (9, 2), "POT": (5, 1)}
    for _ in range(2):
        await ledger.apply([cancel("o-1")])
    assert await stock(database) == {"MUG": (9, 0), "POT": (5, 0)}
