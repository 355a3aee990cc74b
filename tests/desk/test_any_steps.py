"""However a shortage grew and shrank, what is proposed at rest is the least of all sets."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from inventory.desk import costs, proposals, weighing
from inventory.models import Cancellation, Location, Oversell, Sku
from tests.desk.conftest import Floor
from tests.desk.test_chosen_anew import TENTH


async def least_yen(floor: Floor, proposed: list[Cancellation]) -> tuple[int, int]:
    """What is proposed costs, and what the least of all sets would that cover the shortage."""
    case = await floor.case()
    own = [row.id for row in proposed]
    pool = await floor.rows(select(Location.id).where(Location.sellable.is_(True)))
    async with floor.database.sessions() as session:
        found = await proposals.candidates(session, case.sku_id, pool, own=own)
        weighed = await weighing.weigh(session, found, case.sku_id, floor.clock.now(), without=own)
    held = {row.order_id for row in proposed}
    mine = [offer for offer in weighed.offers if offer.order_id in held]
    assert sum(offer.units for offer in mine) >= case.shortage
    sets = [
        some
        for size in range(1, len(weighed.offers) + 1)
        for some in combinations(weighed.offers, size)
        if sum(offer.units for offer in some) >= case.shortage
    ]
    least = min(costs.price(some, weighed.shops, weighed.now).total_yen for some in sets)
    return costs.price(mine, weighed.shops, weighed.now).total_yen, least


async def drawn(floor: Floor, dice: Random) -> list[str]:
    """Orders of one to three mugs and something else, at three malls with limits within reach."""
    limits: dict[str, Any] = {
        "rakuten": {"margin_percent": 10.0, "fines_yen": [900], "approach_percent": 50.0},
        "amazon": {"margin_percent": 20.0, "breach_yen": 700, "beyond_yen": 300},
        "shopify": {"margin_percent": 30.0},
    }
    for code, prices in limits.items():
        dated = TENTH | prices | {"as_of": "2026-11-20"}
        if code != "shopify":
            dated = {name: dated[name] for name in dated if name != "fee_percent"}
        await floor.set_channel(code, costs=dated, desk_policy="review")
    await floor.receive("TEE", 99)
    codes = []
    for number in range(1, 8):
        code = dice.choice(sorted(limits))
        lines = {"MUG": dice.randint(1, 3)} | (
            {"TEE": dice.randint(1, 4)} if dice.randint(0, 1) else {}
        )
        await floor.receive("MUG", lines["MUG"])
        await floor.sell(code, f"o-{number}", lines)
        codes.append(code)
    return codes


@pytest.mark.parametrize("seed", range(6))
async def test_however_it_grew_and_shrank_the_proposals_are_the_least_of_all_sets(
    floor: Floor, seed: int
) -> None:
    dice = Random(seed)
    codes = await drawn(floor, dice)
    for _ in range(7):
        [short] = await floor.rows(
            select(Oversell.shortage).join(Sku).where(Oversell.state == "open")
        ) or [0]
        on_hand, _ = await floor.stock()
        if dice.random() < 0.65 and on_hand > 2:
            await floor.damage("MUG", dice.randint(1, 2))
        elif dice.random() < 0.5 and short:
            await floor.receive("MUG", dice.randint(1, min(short, 2)))
        else:
            code = dice.choice(codes)
            await floor.sell(code, f"n-{floor.clock.now():%H%M%S}", {"MUG": dice.randint(1, 2)})
        # Twice the desk looks, four times in all: taken back, proposed, at rest.
        await floor.work(2)
        steps = await floor.steps()
        await floor.work()
        assert await floor.steps() == steps
        proposed = await floor.rows(select(Cancellation).where(Cancellation.state == "proposed"))
        if proposed:
            mine, least = await least_yen(floor, proposed)
            assert mine == least
            foreseen = [row.cost["total_yen"] for row in proposed if row.cost]
            assert sum(foreseen) == mine
