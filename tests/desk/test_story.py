"""One unit too many is sold: what the desk does about it, from the case to the penalty."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from inventory.errors import BadInput, NotFound, WrongState
from inventory.oversells import decide_cancellation
from inventory.vocabulary import Reason
from tests.desk.conftest import Floor


async def oversold(floor: Floor, *, newest: str = "rakuten") -> None:
    """Two mugs, three orders of one each; the newest comes from this mall as o-3."""
    await floor.receive("MUG", 2)
    await floor.sell("shopify", "o-1")
    await floor.sell("yahoo", "o-2")
    await floor.sell(newest, "o-3")


async def test_the_newest_order_is_given_up_by_the_book(floor: Floor) -> None:
    await oversold(floor)
    await floor.set_wanted(0)

    await floor.work()
    floor.later(3)
    await floor.work()

    [call] = floor.malls["rakuten"].calls
    assert (call.order_ref, call.line_refs, call.reason) == ("o-3", ("1",), Reason.OUT_OF_STOCK)
    assert await floor.states() == {"o-3": "confirmed"}
    assert await floor.stock() == (2, 2)
    assert await floor.steps() == [
        *("detected", "listings_to_zero", "mitigations", "weighed", "chosen"),
        *("shipping_hold", "approved"),
        *("submitted", "confirmed", "message_drafted", "closed"),
    ]
    case = await floor.case()
    assert (case.state, case.shortage, case.shortage_max) == ("closed", 0, 1)
    assert await floor.messages("shipping.hold") == ["o-3"]
    assert await floor.messages("shipping.release") == []
    [entry] = await floor.entries()
    assert (entry.order_ref, entry.reason_code) == ("o-3", "8")
    assert (entry.counts_against_metric, entry.weighs) == ("unconfirmed", True)
    assert (entry.metric_before["value"], entry.metric_after["value"]) == (0, 15)
    assert entry.metric_after["limit"] == 35
    assert entry.metric_after["history_complete"] is True
    assert await floor.alerts() == []


async def test_the_steps_name_cause_choice_and_foreseen_metric(floor: Floor) -> None:
    await oversold(floor)

    await floor.work()

    detected = await floor.step("detected")
    assert detected["cause"] == {"kind": "observe", "fact_ref": "o-3@1", "channel": "rakuten"}
    chosen = await floor.step("chosen")
    assert (chosen["order_ref"], chosen["units"], chosen["reason_code"]) == ("o-3", 1, "8")
    assert (chosen["metric_before"]["value"], chosen["metric_after"]["value"]) == (0, 15)
    row = await floor.cancellation("o-3")
    assert row.metric_after == chosen["metric_after"]


async def test_a_round_with_nothing_to_do_does_nothing(floor: Floor) -> None:
    await oversold(floor)
    await floor.work()
    floor.later(3)
    await floor.work()
    steps = await floor.steps()

    assert await floor.work() == 0
    assert await floor.steps() == steps


async def test_under_review_nothing_is_sent_before_a_person_approves(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await oversold(floor)

    await floor.work(2)

    assert await floor.states() == {"o-3": "proposed"}
    assert floor.malls["rakuten"].calls == []
    assert await floor.messages("shipping.hold") == ["o-3"]
    assert sorted(await floor.alerts()) == ["cancellation_proposed", "oversell"]

    await floor.decide("o-3", approve=True)
    await floor.decide("o-3", approve=True)
    await floor.work()
    floor.later(3)
    await floor.work()

    assert await floor.states() == {"o-3": "confirmed"}
    assert (await floor.cancellation("o-3")).decided_by == "mori"
    assert await floor.alerts() == []


async def test_a_refused_order_is_shipped_and_the_next_newest_is_proposed(floor: Floor) -> None:
    for mall in ("rakuten", "yahoo"):
        await floor.set_channel(mall, desk_policy="review")
    await oversold(floor)
    await floor.work()

    await floor.decide("o-3", approve=False)
    await floor.work()

    assert await floor.states() == {"o-2": "proposed", "o-3": "refused"}
    assert await floor.messages("shipping.hold") == ["o-3", "o-2"]
    assert await floor.messages("shipping.release") == ["o-3"]


async def test_when_every_order_is_refused_a_person_is_called_once(floor: Floor) -> None:
    for mall in floor.malls:
        await floor.set_channel(mall, desk_policy="review")
    await oversold(floor)
    for order_ref in ("o-3", "o-2", "o-1"):
        await floor.work()
        await floor.decide(order_ref, approve=False)

    await floor.work(3)

    assert (await floor.steps()).count("needs_person") == 1
    assert await floor.alerts() == ["oversell", "oversell_stuck"]
    assert (await floor.case()).state == "open"

    await floor.receive("MUG", 1)
    await floor.work()
    assert (await floor.case()).state == "closed"
    assert await floor.alerts() == []


async def test_a_decision_comes_too_late_twice_or_from_nobody(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await oversold(floor)
    await floor.work()

    for nobody in ("", " ", "desk", "policy", "ledger"):
        with pytest.raises(BadInput):
            await floor.decide("o-3", approve=True, by=nobody)
    await floor.decide("o-3", approve=True)
    with pytest.raises(WrongState):
        await floor.decide("o-3", approve=True, by="sato")
    await floor.work()
    with pytest.raises(WrongState):
        await floor.decide("o-3", approve=False)
    async with floor.database.transaction() as session:
        with pytest.raises(NotFound):
            await decide_cancellation(session, 4711, approve=True, by="mori", now=floor.clock.now())
    assert await floor.states() == {"o-3": "submitted"}


async def test_an_approved_order_can_still_be_refused_before_it_is_sent(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await oversold(floor)
    await floor.work()
    await floor.decide("o-3", approve=True)

    await floor.decide("o-3", approve=False, by="sato")
    await floor.work()

    assert floor.malls["rakuten"].calls == []
    assert (await floor.states())["o-3"] == "refused"
    assert await floor.messages("shipping.release") == ["o-3"]


async def test_stock_arrives_before_a_proposal_is_sent(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await oversold(floor)
    await floor.work()

    await floor.receive("MUG", 1)
    await floor.work()

    row = await floor.cancellation("o-3")
    assert (row.state, row.decided_by) == ("refused", "desk")
    assert (await floor.steps())[-3:] == ["withdrawn", "shipping_release", "closed"]
    assert await floor.messages("shipping.release") == ["o-3"]
    assert (await floor.case()).state == "closed"
    assert await floor.alerts() == []
    assert await floor.entries() == []


async def test_an_order_let_go_by_the_desk_can_be_chosen_again(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await oversold(floor)
    await floor.work()
    await floor.receive("MUG", 1)
    await floor.work()

    await floor.damage("MUG", 1)
    await floor.work()

    row = await floor.cancellation("o-3")
    assert (row.state, row.decided_by, row.oversell_id) == (
        "proposed",
        None,
        (await floor.case()).id,
    )
    assert await floor.messages("shipping.hold") == ["o-3", "o-3"]


async def test_yahoo_keeps_the_item_closed(floor: Floor) -> None:
    await oversold(floor, newest="yahoo")

    await floor.work()
    floor.later(3)
    await floor.work()

    detail = await floor.step("closed_by_channel")
    assert (detail["channel"], detail["channel_sku"]) == ("yahoo", "MUG")
    assert await floor.alerts() == ["listing_closed_by_channel"]
    [entry] = await floor.entries()
    assert (entry.reason_code, entry.counts_against_metric) == ("210", "yes")
    assert (entry.metric_before["value"], entry.metric_after["value"]) == (0, 50)
    assert entry.metric_after["limit"] is None


async def test_many_rounds_at_once_give_up_one_order(floor: Floor) -> None:
    await oversold(floor)

    await asyncio.gather(*(floor.work(2) for _ in range(8)))
    floor.later(3)
    await asyncio.gather(*(floor.work(2) for _ in range(8)))

    assert len(floor.malls["rakuten"].calls) == 1
    assert await floor.steps() == [
        *("detected", "mitigations", "weighed", "chosen", "shipping_hold"),
        *("approved", "submitted", "confirmed", "message_drafted", "closed"),
    ]
    assert len(await floor.entries()) == 1
    assert await floor.messages("shipping.hold") == ["o-3"]


async def test_sales_go_on_while_the_desk_works(floor: Floor) -> None:
    """Neither waits for the other for ever, and no order too many is given up."""
    await floor.receive("MUG", 10)

    async def night(mall: str) -> None:
        for number in range(12):
            await floor.sell(mall, f"{mall}-{number}")

    async def rounds() -> None:
        for _ in range(6):
            await floor.work()

    await asyncio.gather(*(night(mall) for mall in floor.malls), rounds(), rounds())
    for _ in range(10):
        floor.later(3)
        await floor.work()

    assert await floor.stock() == (10, 10)
    assert list((await floor.states()).values()) == ["confirmed"] * 38
    assert (await floor.case()).state == "closed"


async def test_times_are_those_of_the_house_clock(floor: Floor) -> None:
    await oversold(floor)
    opened = floor.clock.now()
    floor.later(5)
    await floor.work()
    floor.clock.moment = opened + timedelta(seconds=9)
    await floor.work()

    row = await floor.cancellation("o-3")
    assert row.proposed_at == row.submitted_at == opened + timedelta(seconds=5)
    # The mall has answered one question since: what the order is now.
    assert row.confirmed_at == opened + timedelta(seconds=9, milliseconds=1)
