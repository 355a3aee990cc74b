"""A buyer's wish on an order that the desk has proposed, or proposes later."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from inventory.errors import WrongState
from inventory.models import Alert, SalesOrder
from inventory.vocabulary import Party, Reason
from tests.desk.conftest import Floor
from tests.desk.test_buyer_requests import record, sold

__all__ = ["sold"]


async def test_a_wish_takes_the_place_of_a_proposal_whose_deadline_was_near(floor: Floor) -> None:
    """Nobody is told any more that a policy decides, and somebody that a wish waits."""
    await floor.set_channel("amazon", desk_policy="auto_at_deadline")
    ship_by = floor.clock.now() + timedelta(days=2)
    await floor.sell("amazon", "o-1", ship_by=ship_by)
    await floor.work()
    floor.later(23 * 3600)
    await floor.work()
    assert await floor.alerts() == ["oversell", "cancellation_proposed", "cancellation_overdue"]
    mall = floor.malls["amazon"]
    asked_at = floor.clock.now() - timedelta(days=1)
    await floor.pull("amazon", mall.change("o-1", buyer_asked_to_cancel=True))
    async with floor.database.transaction() as session:
        await session.execute(update(SalesOrder).values(buyer_asked_at=asked_at))

    await record(floor, "amazon", "o-1", asked_at=None, reference="")

    assert "cancellation_overdue" not in await floor.alerts()
    [open_now] = await floor.rows(
        select(Alert).where(Alert.kind == "cancellation_proposed", Alert.state == "open")
    )
    assert open_now.detail["reason"] == "buyer_request"
    floor.later(72 * 3600)
    await floor.work(2)
    assert await floor.states() == {"o-1": "proposed"}


@pytest.mark.parametrize("policy", ["auto", "auto_at_deadline"])
async def test_an_order_whose_wish_is_on_record_is_never_a_policys_to_end(
    sold: Floor, policy: str
) -> None:
    """Also where the wish could not be carried out when it was approved, and stock is short."""
    await sold.set_channel("rakuten", desk_policy=policy)
    await record(sold, "rakuten", "rakuten-1")
    await sold.decide("rakuten-1", approve=True)
    mall = sold.malls["rakuten"]
    await sold.pull("rakuten", mall.change("rakuten-1", cancellable=False))
    await sold.work()
    assert await sold.states() == {"rakuten-1": "refused"}

    sold.later(60)
    await sold.pull("rakuten", mall.change("rakuten-1", cancellable=True))
    await sold.damage("MUG", 10)
    await sold.work(2)
    sold.later(72 * 3600)
    await sold.work(2)

    assert (await sold.states())["rakuten-1"] == "proposed"
    assert mall.calls == []


async def test_a_wish_that_could_not_be_carried_out_just_then_may_be_put_again(
    sold: Floor,
) -> None:
    """As where an order is being changed at Rakuten in the moment it is to end."""
    await record(sold, "rakuten", "rakuten-1")
    told = {"asked_at": sold.clock.now() - timedelta(hours=1)}
    await sold.decide("rakuten-1", approve=True)
    mall = sold.malls["rakuten"]
    await sold.pull("rakuten", mall.change("rakuten-1", cancellable=False))
    await sold.work()
    with pytest.raises(WrongState):
        await record(sold, "rakuten", "rakuten-1", **told)
    sold.later(60)
    await sold.pull("rakuten", mall.change("rakuten-1", cancellable=True))

    again = await record(sold, "rakuten", "rakuten-1", **told)

    assert again.cancellation_state == "proposed"
    await sold.decide("rakuten-1", approve=True)
    await sold.work()
    assert [call.reason for call in mall.calls] == [Reason.BUYER_REQUEST]
    assert await sold.messages("shipping.hold") == ["rakuten-1", "rakuten-1"]


async def test_an_end_that_the_channel_shows_as_out_of_stock_is_not_the_buyers(
    sold: Floor,
) -> None:
    """Somebody in the shop ended it so by hand while our request was under way."""
    await record(sold, "yahoo", "yahoo-1")
    await sold.decide("yahoo-1", approve=True)
    mall = sold.malls["yahoo"]
    mall.script = [("", False)]
    await sold.work()
    sold.later(1)
    await sold.pull("yahoo", mall.end("yahoo-1", Party.SELLER, "210"))
    await sold.work()

    assert (await sold.states())["yahoo-1"] == "observed"
    [entry] = await sold.entries()
    assert (entry.cause, entry.counts_against_metric) == ("shop_out_of_stock", "yes")
