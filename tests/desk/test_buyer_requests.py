"""A buyer's wish to cancel: on record by a named person, approved by a person, never after ours."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from inventory.desk import buyer_requests, messages
from inventory.desk.buyer_requests import BuyerAsked, BuyerRequestRow
from inventory.errors import BadInput, ContentDiffers, InventoryError, NotFound, WrongState
from inventory.models import Audit, BuyerRequest, Cancellation, Listing, SalesOrder
from inventory.reasons import ReasonRefused
from inventory.vocabulary import Party, Reason
from tests.desk.conftest import Floor


async def record(floor: Floor, mall: str, order_ref: str, **told: Any) -> BuyerRequestRow:
    """Mori puts a buyer's message of an hour ago on record."""
    values: dict[str, Any] = {
        "person": "mori",
        "asked_at": floor.clock.now() - timedelta(hours=1),
        "reference": "inquiry 12",
    }
    async with floor.database.transaction() as session:
        return await buyer_requests.record(
            session,
            mall,
            order_ref,
            BuyerAsked(**(values | told)),
            by="desk key",
            now=floor.clock.now(),
        )


async def refused(floor: Floor, mall: str, order_ref: str, **told: Any) -> InventoryError:
    """Recording it is refused, and nothing is left of it."""
    before = await floor.rows(select(Cancellation.id))
    with pytest.raises(InventoryError) as error:
        await record(floor, mall, order_ref, **told)
    assert await floor.rows(select(BuyerRequest.id)) == []
    assert await floor.rows(select(Cancellation.id)) == before
    return error.value


@pytest.fixture
async def sold(floor: Floor) -> Floor:
    """Mugs enough; one order at every mall."""
    await floor.receive("MUG", 10)
    for mall in ("rakuten", "yahoo", "amazon", "shopify"):
        await floor.sell(mall, f"{mall}-1")
    return floor


@pytest.mark.parametrize(("mall", "code"), [("rakuten", "1"), ("yahoo", "100")])
async def test_a_recorded_message_ends_the_order_as_the_buyers_once_a_person_says_so(
    sold: Floor, mall: str, code: str
) -> None:
    floor, ref = sold, f"{mall}-1"
    row = await record(floor, mall, ref)
    assert (row.recorded_by, row.recorded_with, row.reference) == ("mori", "desk key", "inquiry 12")
    assert row.cancellation_state == "proposed"

    # The channel's policy is `auto`: it decides nothing about a buyer's reason.
    await floor.work(2)
    assert floor.malls[mall].calls == []
    assert await floor.messages("shipping.hold") == [ref]
    assert await floor.alerts() == ["cancellation_proposed"]

    await floor.decide(ref, approve=True)
    await floor.work()
    floor.later(3)
    await floor.work()

    [call] = floor.malls[mall].calls
    assert call.reason is Reason.BUYER_REQUEST
    done = await floor.cancellation(ref)
    assert (done.state, done.reason, done.reason_code) == ("confirmed", "buyer_request", code)
    assert [entry.weighs for entry in await floor.entries()] in ([], [False])
    assert await floor.stock() == (10, 3)
    assert await floor.alerts() == []
    # What the buyer wanted closes nothing at Yahoo!, and needs no apology.
    assert await floor.rows(select(Listing.id).where(Listing.closed_by_channel)) == []
    with pytest.raises(NotFound):
        async with floor.database.sessions() as session:
            await messages.message(session, done.id)


async def test_it_cannot_be_recorded_once_our_shortage_is_known(sold: Floor) -> None:
    await sold.damage("MUG", 7)

    for mall in ("rakuten", "yahoo"):
        error = await refused(sold, mall, f"{mall}-1")
        assert isinstance(error, ReasonRefused)
        assert "shortage case" in str(error)


async def test_a_case_that_was_over_before_the_order_does_not_stand_in_the_way(
    floor: Floor,
) -> None:
    await floor.receive("MUG", 1)
    await floor.sell("yahoo", "old-1")
    await floor.damage("MUG", 1)
    await floor.receive("MUG", 5)
    await floor.work(2)
    assert (await floor.case()).state == "closed"
    floor.later(60)
    await floor.sell("rakuten", "o-2")

    assert (await record(floor, "rakuten", "o-2")).cancellation_state == "proposed"


async def test_what_was_recorded_before_our_shortage_still_holds_and_covers_it(
    sold: Floor,
) -> None:
    await record(sold, "rakuten", "rakuten-1")
    sold.later(60)
    await sold.damage("MUG", 7)
    await sold.work(2)
    assert await sold.states() == {"rakuten-1": "proposed"}

    await sold.decide("rakuten-1", approve=True)
    await sold.work()

    assert [call.reason for call in sold.malls["rakuten"].calls] == [Reason.BUYER_REQUEST]


async def test_a_record_that_says_otherwise_by_now_is_not_sent(sold: Floor) -> None:
    """As by a case that came up in the very moment, or a hand in the table."""
    await record(sold, "rakuten", "rakuten-1")
    await sold.decide("rakuten-1", approve=True)
    async with sold.database.transaction() as session:
        late = sold.clock.now() + timedelta(hours=1)
        await session.execute(update(BuyerRequest).values(recorded_at=late, asked_at=late))
    await sold.damage("MUG", 7)

    await sold.work()

    assert sold.malls["rakuten"].calls == []
    assert (await sold.cancellation("shopify-1")).reason == "out_of_stock"
    assert await sold.messages("shipping.release") == ["rakuten-1"]


async def test_amazon_goes_by_its_flag_alone(sold: Floor) -> None:
    error = await refused(sold, "amazon", "amazon-1")
    assert isinstance(error, ReasonRefused)
    assert "does not show" in str(error)

    mall = sold.malls["amazon"]
    sold.later(5)
    seen = mall.change("amazon-1", buyer_asked_to_cancel=True)
    await sold.pull("amazon", seen)
    sold.later(600)
    await sold.pull("amazon", mall.change("amazon-1", cancellable=True))
    row = await record(sold, "amazon", "amazon-1", asked_at=None, reference="")

    assert (row.by_marketplace, row.asked_at) == (True, seen.observed_at)
    assert (await sold.cancellation("amazon-1")).reason_code == "BuyerCanceled"


async def test_a_flag_that_came_after_our_word_of_the_shortage_is_not_the_buyers_wish(
    floor: Floor,
) -> None:
    await floor.set_channel("amazon", desk_policy="review")
    await floor.sell("amazon", "o-1")
    await floor.work()
    proposed = await floor.cancellation("o-1")
    async with floor.database.transaction() as session:
        now = floor.clock.now()
        await messages.draft(session, proposed.id, now)
        await messages.mark_sent(session, proposed.id, person="mori", by="key", now=now)
    floor.later(60)
    await floor.pull("amazon", floor.malls["amazon"].change("o-1", buyer_asked_to_cancel=True))

    error = await refused(floor, "amazon", "o-1", asked_at=None, reference="")

    assert isinstance(error, ReasonRefused)
    assert (await floor.cancellation("o-1")).reason == "out_of_stock"


async def test_a_proposal_of_the_desk_becomes_the_wish_that_amazon_shows(floor: Floor) -> None:
    await floor.sell("amazon", "o-1", buyer_asked_to_cancel=True)
    await floor.work()
    assert (await floor.cancellation("o-1")).reason == "out_of_stock"

    await record(floor, "amazon", "o-1", asked_at=None, reference="")
    row = await floor.cancellation("o-1")
    assert (row.state, row.reason, row.oversell_id) == ("proposed", "buyer_request", None)
    assert (row.metric_before, row.metric_after) == (None, None)
    assert "buyer_request" in await floor.steps()
    assert await floor.messages("shipping.hold") == ["o-1"]

    await floor.decide("o-1", approve=True)
    await floor.work()
    floor.later(3)
    await floor.work()
    assert [call.reason for call in floor.malls["amazon"].calls] == [Reason.BUYER_REQUEST]
    assert (await floor.cancellation("o-1")).state == "confirmed"
    assert [entry.weighs for entry in await floor.entries()] == [False]


async def test_a_flag_that_is_taken_back_is_no_reason_any_more(sold: Floor) -> None:
    mall = sold.malls["amazon"]
    await sold.pull("amazon", mall.change("amazon-1", buyer_asked_to_cancel=True))
    await record(sold, "amazon", "amazon-1", asked_at=None, reference="")
    await sold.decide("amazon-1", approve=True)
    sold.later(5)
    await sold.pull("amazon", mall.change("amazon-1", buyer_asked_to_cancel=False))

    await sold.work()

    assert mall.calls == []
    assert (await sold.cancellation("amazon-1")).state == "refused"
    [order] = await sold.rows(select(SalesOrder).where(SalesOrder.order_ref == "amazon-1"))
    assert order.buyer_asked_at is None


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"person": ""}, BadInput),
        ({"person": " "}, BadInput),
        ({"person": "Policy"}, BadInput),
        ({"person": "m" * 101}, BadInput),
        ({"reference": ""}, ReasonRefused),
        ({"reference": "buyer@example.com"}, BadInput),
        ({"asked_at": None}, BadInput),
    ],
)
async def test_a_record_without_name_date_or_reference_is_none(
    sold: Floor, told: dict[str, Any], error: type[InventoryError]
) -> None:
    assert isinstance(await refused(sold, "rakuten", "rakuten-1", **told), error)


async def test_a_message_from_the_future_is_none(sold: Floor) -> None:
    late = sold.clock.now() + timedelta(seconds=1)
    assert isinstance(await refused(sold, "yahoo", "yahoo-1", asked_at=late), BadInput)


async def test_what_the_table_does_not_list_is_refused(sold: Floor) -> None:
    assert isinstance(await refused(sold, "shopify", "shopify-1"), WrongState)
    sold.later(1)
    await sold.pull("yahoo", sold.malls["yahoo"].end("yahoo-1", Party.BUYER))
    assert isinstance(await refused(sold, "yahoo", "yahoo-1"), WrongState)
    assert isinstance(await refused(sold, "yahoo", "nobodys"), NotFound)


async def test_the_same_twice_is_one_and_another_is_an_error(sold: Floor) -> None:
    first = await record(sold, "rakuten", "rakuten-1")
    again = await record(sold, "rakuten", "rakuten-1")
    with pytest.raises(ContentDiffers):
        await record(sold, "rakuten", "rakuten-1", reference="inquiry 13")

    assert again == first
    assert len(await sold.rows(select(Audit).where(Audit.action == "buyer_request"))) == 1
    assert await sold.messages("shipping.hold") == ["rakuten-1"]


async def test_two_people_at_once_leave_one_record(sold: Floor) -> None:
    told = await asyncio.gather(
        *(record(sold, "rakuten", "rakuten-1", person=name) for name in ("mori", "sato")),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in told) == ["BuyerRequestRow", "ContentDiffers"]
    assert len(await sold.rows(select(BuyerRequest))) == 1


@pytest.mark.parametrize("by", ["policy", "desk", None])
async def test_a_wish_that_no_person_approved_is_not_sent(sold: Floor, by: str | None) -> None:
    """Whatever a policy of today or tomorrow does to the row."""
    await record(sold, "yahoo", "yahoo-1")
    async with sold.database.transaction() as session:
        await session.execute(update(Cancellation).values(state="approved", decided_by=by))

    await sold.work(2)

    assert sold.malls["yahoo"].calls == []
    assert await sold.messages("shipping.release") == ["yahoo-1"]


async def test_a_refused_wish_lets_the_order_ship(sold: Floor) -> None:
    await record(sold, "rakuten", "rakuten-1")

    await sold.decide("rakuten-1", approve=False)
    await sold.work(2)

    assert await sold.messages("shipping.release") == ["rakuten-1"]
    assert sold.malls["rakuten"].calls == []
