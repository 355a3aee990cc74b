"""Changing recipes: what is refused and why, and what two changes at once may not do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from sqlalchemy import select, text

from inventory import kits
from inventory.db import Database
from inventory.errors import BadInput, InventoryError, TooBusy, UnknownSku, WrongState
from inventory.kits import Part
from inventory.ledger import Ledger
from inventory.models import Audit, KitPart, Sku, StaleSku
from inventory.standstill import standstill
from tests.conftest import Save
from tests.factories import NOON, ChannelFactory, ListingFactory, SkuFactory
from tests.ledger.told import levels, received, sale
from tests.recipes import put_recipe
from tests.rivals import until_waiting


@pytest.fixture
async def skus(save: Save) -> list[str]:
    """Eight SKUs without stock, A to H."""
    codes = list("ABCDEFGH")
    await save(*(SkuFactory.build(code=code) for code in codes))
    return codes


async def recipes(database: Database) -> dict[str, dict[str, int]]:
    """Every recipe: kit → part → units."""
    pool = await database.pool()
    rows = await pool.fetch(
        "SELECT k.code AS kit, p.code AS part, quantity FROM kit_part"
        " JOIN sku k ON k.id = kit_id JOIN sku p ON p.id = part_id"
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["kit"], {})[row["part"]] = row["quantity"]
    return found


async def refusal(database: Database, code: str, parts: Mapping[str, int]) -> InventoryError:
    """The error of a change that is refused; proves that nothing was changed by it."""
    before = await recipes(database)
    with pytest.raises(InventoryError) as raised:
        await put_recipe(database, code, parts)
    assert await recipes(database) == before
    return raised.value


async def stale(database: Database) -> set[str]:
    """The SKUs marked stale; the marks are taken away."""
    async with database.transaction() as session:
        query = select(Sku.code).join(StaleSku, StaleSku.sku_id == Sku.id)
        codes = set(await session.scalars(query))
        await session.execute(text("DELETE FROM stale_sku"))
    return codes


async def test_a_recipe_is_put_changed_and_taken_away(database: Database, skus: list[str]) -> None:
    await put_recipe(database, "A", {"B": 2, "C": 1})
    assert await recipes(database) == {"A": {"B": 2, "C": 1}}
    await put_recipe(database, "A", {"C": 3})
    assert await recipes(database) == {"A": {"C": 3}}
    await put_recipe(database, "A", {})
    assert await recipes(database) == {}
    async with database.sessions() as session:
        notes = list(await session.scalars(select(Audit.detail).order_by(Audit.id)))
    assert notes[1] == {"sku": "A", "parts": [{"sku": "C", "quantity": 3}]}
    assert skus


async def test_every_kit_that_holds_the_changed_one_is_worked_out_anew(
    database: Database, skus: list[str]
) -> None:
    await put_recipe(database, "C", {"D": 1})
    await put_recipe(database, "B", {"C": 1})
    await put_recipe(database, "A", {"B": 1, "E": 1})
    await stale(database)

    await put_recipe(database, "C", {"D": 2})
    assert await stale(database) == {"A", "B", "C"}
    await put_recipe(database, "C", {"D": 2})
    assert await stale(database) == set()
    assert skus


async def test_a_circle_is_refused_and_its_way_is_named(
    database: Database, skus: list[str]
) -> None:
    await put_recipe(database, "A", {"B": 1})
    await put_recipe(database, "B", {"C": 1})

    error = await refusal(database, "C", {"D": 1, "A": 1})
    assert isinstance(error, BadInput)
    assert str(error) == "a kit cannot be in itself: C > A > B > C"

    assert str(await refusal(database, "A", {"A": 1})) == "a kit cannot be in itself: A > A"
    assert skus


async def test_kits_go_five_deep(database: Database, skus: list[str]) -> None:
    for kit, part in ("EF", "DE", "CD", "BC", "AB"):
        await put_recipe(database, kit, {part: 1})
    error = await refusal(database, "F", {"G": 1})
    assert isinstance(error, BadInput)
    assert "5 deep at most" in str(error)
    error = await refusal(database, "H", {"A": 1})
    assert "5 deep at most" in str(error)
    assert skus


async def test_a_kit_has_ten_thousand_units_at_most(database: Database, skus: list[str]) -> None:
    await put_recipe(database, "A", {"B": 100})
    await put_recipe(database, "B", {"D": 99, "E": 1})
    # The kit that holds the changed one would have a hundred times 101.
    error = await refusal(database, "B", {"D": 99, "E": 2})
    assert str(error) == "a kit has at most 10000 units in all: A"
    assert "10000 units in all: G" in str(await refusal(database, "G", {"B": 101}))
    assert skus


async def test_unknown_and_repeated_parts_are_refused(database: Database, skus: list[str]) -> None:
    assert isinstance(await refusal(database, "A", {"B": 1, "X": 1}), UnknownSku)
    assert isinstance(await refusal(database, "X", {"B": 1}), UnknownSku)
    async with database.transaction() as session:
        twice = [Part(sku="B", quantity=1), Part(sku="B", quantity=2)]
        with pytest.raises(BadInput, match="once"):
            await kits.put_parts(session, "A", twice, by="tester", now=NOON)
    assert skus


async def test_what_was_ever_counted_cannot_become_a_kit(
    database: Database, ledger: Ledger, skus: list[str], save: Save
) -> None:
    await ledger.apply([received("in-1", 2, sku="A"), sale("o-1", sku="B")])
    channel = ChannelFactory.build()
    await save(channel)
    async with database.transaction() as session:
        sku_id = await session.scalar(select(Sku.id).where(Sku.code == "C"))
        ahead = {"channel_id": channel.id, "sku_id": sku_id, "preorder_units": 1}
        session.add(ListingFactory.build(**ahead))

    for code, why in (("A", "stock or movements"), ("B", "stock or"), ("C", "ahead of supply")):
        error = await refusal(database, code, {"D": 1})
        assert isinstance(error, WrongState), code
        assert why in str(error)
    assert skus


async def test_two_changes_at_once_make_no_circle(database: Database, skus: list[str]) -> None:
    answers = await asyncio.gather(
        put_recipe(database, "A", {"B": 1}),
        put_recipe(database, "B", {"C": 1}),
        put_recipe(database, "C", {"A": 1}),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if answer is not None]
    assert [type(error) for error in refused] == [BadInput]
    async with database.sessions() as session:
        assert len(list(await session.scalars(select(KitPart)))) == 2
    assert skus


async def test_a_delivery_at_the_same_moment_is_seen_or_sees_the_kit(
    database: Database, ledger: Ledger, skus: list[str]
) -> None:
    """Whoever comes second is refused, whoever that is: no kit ever has stock."""
    ways = set()
    for number in range(6):
        code = skus[number]
        delivery = ledger.apply([received(f"in-{code}", 1, sku=code)])
        booking = asyncio.create_task(delivery) if number % 2 else delivery
        kit, booked = await asyncio.gather(
            put_recipe(database, code, {"H": 1}), booking, return_exceptions=True
        )
        held = (code, "main") in await levels(database)
        assert isinstance(booked, list)
        assert held == (booked[0].code == "") == isinstance(kit, WrongState)
        ways.add(held)
    assert ways


async def test_a_batch_that_waits_for_a_standstill_reads_what_has_changed(
    database: Database, ledger: Ledger, skus: list[str]
) -> None:
    async with database.transaction() as session:
        await standstill(session)
        booking = asyncio.create_task(ledger.apply([sale("o-1", 1, sku="A")]))
        await until_waiting(database, booking)
        session.add(KitPart(kit_id=1, part_id=2, quantity=3))
    await booking

    assert await levels(database) == {("B", "main"): (0, 3)}
    assert skus


async def test_a_standstill_that_does_not_come_is_given_up(
    database: Database, ledger: Ledger, skus: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inventory.standstill.SECONDS_MAX", 0.05)
    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE stock_level IN ROW SHARE MODE"))
        with pytest.raises(TooBusy):
            await put_recipe(database, "A", {"B": 1})
    await ledger.apply([received("in-1", 1, sku="A")])
    assert await levels(database) == {("A", "main"): (1, 0)}
    assert await recipes(database) == {}
    assert skus
