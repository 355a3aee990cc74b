"""A wish on an order that the channel did not let us cancel, or that is proposed just then."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from channels.base import Rejected
from inventory import oversells
from inventory.models import Alert, BuyerRequest
from inventory.reasons import ReasonRefused
from inventory.vocabulary import Reason
from tests.desk.conftest import Floor
from tests.desk.test_buyer_requests import record, sold

__all__ = ["sold"]


async def failed(floor: Floor, mall: str) -> None:
    """One mug too many is sold, and the channel refuses our cancellation; the order stands."""
    floor.malls[mall].script = [(Rejected("no"), False)]
    await floor.sell(mall, "o-1")
    await floor.work()
    assert await floor.states() == {"o-1": "failed"}
    assert "cancellation_failed" in await floor.alerts()


async def asked_at_amazon(floor: Floor) -> None:
    """Amazon shows the flag, and mori puts it on record."""
    floor.later(60)
    mall = floor.malls["amazon"]
    await floor.pull("amazon", mall.change("o-1", buyer_asked_to_cancel=True))
    row = await record(floor, "amazon", "o-1", asked_at=None, reference="")
    assert row.cancellation_state == "proposed"


async def test_amazons_flag_is_a_wish_also_after_our_own_cancellation_failed(floor: Floor) -> None:
    await failed(floor, "amazon")

    await asked_at_amazon(floor)

    row = await floor.cancellation("o-1")
    assert (row.reason, row.oversell_id) == ("buyer_request", None)
    assert (row.attempts, row.failure) == (0, None)
    assert await floor.messages("shipping.hold") == ["o-1", "o-1"]
    assert await floor.messages("shipping.release") == ["o-1"]
    assert "cancellation_failed" not in await floor.alerts()
    [told] = await floor.rows(
        select(Alert).where(Alert.kind == "cancellation_proposed", Alert.state == "open")
    )
    assert told.detail["reason"] == "buyer_request"

    await floor.decide("o-1", approve=True)
    await floor.work()
    floor.later(3)
    await floor.work()

    calls = floor.malls["amazon"].calls
    assert [call.reason for call in calls] == [Reason.OUT_OF_STOCK, Reason.BUYER_REQUEST]
    assert await floor.states() == {"o-1": "confirmed"}
    assert [entry.weighs for entry in await floor.entries()] == [False]
    assert (await floor.case()).state == "closed"


@pytest.mark.parametrize("mall", ["rakuten", "yahoo"])
async def test_a_message_is_none_after_our_own_case_and_leaves_the_failure_alone(
    floor: Floor, mall: str
) -> None:
    await failed(floor, mall)
    alerts = await floor.alerts()

    with pytest.raises(ReasonRefused, match="shortage case"):
        await record(floor, mall, "o-1")

    assert await floor.rows(select(BuyerRequest.id)) == []
    row = await floor.cancellation("o-1")
    assert (row.state, row.reason) == ("failed", "out_of_stock")
    assert await floor.alerts() == alerts


async def test_what_we_sent_for_stock_is_not_taken_for_the_wish_when_it_works_late(
    floor: Floor,
) -> None:
    """The wish is approved and not sent, and the marketplace does not say whose doing it was."""
    await failed(floor, "amazon")
    await asked_at_amazon(floor)
    await floor.decide("o-1", approve=True)

    floor.later(1)
    await floor.pull("amazon", floor.malls["amazon"].end("o-1", None))
    await floor.work()

    assert [call.reason for call in floor.malls["amazon"].calls] == [Reason.OUT_OF_STOCK]
    row = await floor.cancellation("o-1")
    assert (row.state, row.reason == "buyer_request") == ("observed", False)


async def test_a_wish_that_its_channel_did_not_carry_out_may_be_put_again(sold: Floor) -> None:
    told = {"asked_at": sold.clock.now() - timedelta(hours=1)}
    first = await record(sold, "rakuten", "rakuten-1", **told)
    await sold.decide("rakuten-1", approve=True)
    sold.malls["rakuten"].script = [(Rejected("no"), False)]
    await sold.work()
    assert await sold.states() == {"rakuten-1": "failed"}

    again = await record(sold, "rakuten", "rakuten-1", **told)

    assert (again.id, again.cancellation_state) == (first.id, "proposed")
    assert await sold.alerts() == ["cancellation_proposed"]
    await sold.decide("rakuten-1", approve=True)
    await sold.work()
    assert await sold.states() == {"rakuten-1": "submitted"}
    assert [call.reason for call in sold.malls["rakuten"].calls] == [Reason.BUYER_REQUEST] * 2


async def test_a_wish_that_a_person_refused_stays_refused(sold: Floor) -> None:
    told = {"asked_at": sold.clock.now() - timedelta(hours=1)}
    await record(sold, "rakuten", "rakuten-1", **told)
    await sold.decide("rakuten-1", approve=False)

    again = await record(sold, "rakuten", "rakuten-1", **told)

    assert again.cancellation_state == "refused"
    assert await sold.messages("shipping.hold") == ["rakuten-1"]


async def test_a_wish_that_meets_the_desks_own_proposal_takes_its_place(floor: Floor) -> None:
    """The desk has proposed the order and not committed, while the wish is being recorded."""
    await floor.set_channel("amazon", desk_policy="review")
    await floor.sell("amazon", "o-1", buyer_asked_to_cancel=True)
    case = (await floor.case()).id

    async with floor.database.transaction() as session:
        await oversells.tend(session, case, floor.clock.now())
        wish = asyncio.create_task(record(floor, "amazon", "o-1", asked_at=None, reference=""))
        await asyncio.wait([wish], timeout=0.5)
    assert (await wish).cancellation_state == "proposed"

    assert (await floor.cancellation("o-1")).reason == "buyer_request"
    assert await floor.messages("shipping.hold") == ["o-1"]
    told = await floor.rows(select(Alert).where(Alert.kind == "cancellation_proposed"))
    assert [(row.state, row.detail["reason"]) for row in told] == [
        ("closed", "out_of_stock"),
        ("open", "buyer_request"),
    ]
