"""Two cases are chosen for at once: the second knows what the first gives up."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from inventory import oversells
from inventory.models import OversellStep
from tests.desk.conftest import Floor

# One more cancellation stays below the step at 35, two do not.
POINTS = {"points_before": 10, "history_from": "2026-06-01T00:00:00Z", "as_of": "2026-11-20"}
CHEAPER = {"as_of": "2026-11-20", "breach_yen": 50_000}


async def test_a_limit_is_not_crossed_by_two_choices_that_do_not_see_each_other(
    floor: Floor,
) -> None:
    await floor.set_channel("rakuten", metrics=POINTS, costs={})
    await floor.set_channel("amazon", costs=CHEAPER)
    for sku in ("MUG", "TEE"):
        await floor.receive(sku, 1)
        await floor.sell("rakuten", f"r-{sku}", {sku: 1})
        await floor.sell("amazon", f"a-{sku}", {sku: 1})
    cases = [(await floor.case(sku)).id for sku in ("MUG", "TEE")]

    async def tend(case: int) -> None:
        async with floor.database.transaction() as session:
            await oversells.tend(session, case, floor.clock.now())

    async with floor.database.transaction() as session:
        await oversells.tend(session, cases[0], floor.clock.now())
        second = asyncio.create_task(tend(cases[1]))
        await asyncio.wait([second], timeout=0.5)
        waited = not second.done()
    await second

    assert waited
    assert await floor.states() == {"r-MUG": "approved", "a-TEE": "approved"}
    steps = await floor.rows(select(OversellStep.detail).where(OversellStep.step == "weighed"))
    assert [step["limits_crossed"] for step in steps] == [[], ["amazon: 2.5 % in 7 days"]]
