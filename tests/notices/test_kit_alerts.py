"""Low stock of a kit: the level counts whole kits."""

from __future__ import annotations

from inventory import alerts
from inventory.alerting.rules import NewRule, add_rule
from inventory.db import Database
from inventory.ledger import Ledger
from tests.conftest import Save
from tests.factories import NOON, SkuFactory
from tests.ledger.told import received, sale
from tests.recipes import put_recipe


async def look(database: Database) -> list[tuple[str, str, int]]:
    """Evaluate every SKU; the alerts: state, subject, and the number that they told last."""
    pool = await database.pool()
    ids = [row["id"] for row in await pool.fetch("SELECT id FROM sku")]
    async with database.transaction() as session:
        await alerts.evaluate(session, ids, NOON)
    rows = await pool.fetch(
        "SELECT state, subject, (detail->>'available')::int FROM alert ORDER BY id"
    )
    return [tuple(row) for row in rows]


async def test_fires_when_the_parts_make_too_few_kits(
    database: Database, ledger: Ledger, save: Save
) -> None:
    await save(*(SkuFactory.build(code=code) for code in ("MUG", "POT", "SET")))
    await put_recipe(database, "SET", {"MUG": 2, "POT": 1})
    await ledger.apply([received("in-1", 9), received("in-2", 7, sku="POT")])
    async with database.transaction() as session:
        await add_rule(session, NewRule(sku="SET", level=3, clear_margin=0), by="mori", now=NOON)
    assert await look(database) == []

    await ledger.apply([sale("o-1", 3)])
    assert await look(database) == [("open", "sku:SET", 3)]
    await ledger.apply([received("in-3", 2)])
    assert await look(database) == [("closed", "sku:SET", 3)]


async def test_a_general_rule_counts_kits_and_parts_each_by_itself(
    database: Database, ledger: Ledger, save: Save
) -> None:
    await save(*(SkuFactory.build(code=code) for code in ("MUG", "POT", "SET")))
    await put_recipe(database, "SET", {"MUG": 2, "POT": 1})
    await ledger.apply([received("in-1", 9), received("in-2", 2, sku="POT")])
    async with database.transaction() as session:
        await add_rule(session, NewRule(level=2), by="mori", now=NOON)
    assert sorted(await look(database)) == [("open", "sku:POT", 2), ("open", "sku:SET", 2)]
