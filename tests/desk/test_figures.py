"""A case in figures, from what is on record of it."""

from __future__ import annotations

from sqlalchemy import select

from inventory.desk.case_figures import CaseFigures, GivenUp, figures
from inventory.models import Cancellation, Channel, Mitigation, OversellStep, SalesOrder
from tests.desk.conftest import Floor


async def read(floor: Floor) -> CaseFigures:
    """The figures of the one case of the mug."""
    case = await floor.case()
    async with floor.database.sessions() as session:
        steps = select(OversellStep.detail).where(OversellStep.step == "weighed")
        rows = await session.execute(
            select(Channel.code, SalesOrder.order_ref, Cancellation.state, Cancellation.reason_code)
            .join(Channel, Channel.id == Cancellation.channel_id)
            .join(SalesOrder, SalesOrder.id == Cancellation.order_id)
            .order_by(Cancellation.id)
        )
        return figures(
            sku="MUG",
            shortage=case.shortage_max,
            weighed=list(await session.scalars(steps.order_by(OversellStep.id))),
            mitigated=list(await session.scalars(select(Mitigation.units))),
            given_up=[
                GivenUp(channel=code, order_ref=ref, state=state, reason_code=reason)
                for code, ref, state, reason in rows
            ],
        )


async def test_a_case_is_told_in_figures(floor: Floor) -> None:
    for code in floor.malls:
        await floor.set_channel(code, costs={})
    await floor.receive("MUG", 3)
    await floor.sell("shopify", "o-1")
    await floor.sell("rakuten", "o-2")
    await floor.sell("amazon", "o-3")
    await floor.damage("MUG", 2)
    await floor.work()
    before = await read(floor)
    floor.later(3)
    await floor.work()

    found = await read(floor)

    assert (before.orders_cancelled, before.confirmed) == (0, False)
    assert found == CaseFigures(
        sku="MUG",
        shortage=2,
        mitigated=0,
        chosen=("rakuten/o-2", "shopify/o-1"),
        runner_up=("amazon/o-3", "shopify/o-1"),
        why_runner_up_lost="it costs 295715 yen more (limit 295715 more);"
        " it would cross amazon: 2.5 % in 7 days",
        reason_codes=("8", "INVENTORY"),
        cost_yen=(300 + 500 + 300 + 4285) + (300 + 500 + 39),
        cost_yen_newest_first=(300 + 500 + 300 + 300_000) + (300 + 500 + 300 + 4285),
        cost_yen_last_imported=(300 + 500 + 300 + 300_000) + (300 + 500 + 300 + 4285),
        limits_crossed=(),
        orders_cancelled=2,
        margin_lost_yen=600,
        confirmed=True,
    )
