"""What others do to an order while our cancellation of it is on its way: never both are booked."""

from __future__ import annotations

import asyncio

from channels.base import OutcomeUnknown, Rejected, Throttled
from inventory.vocabulary import OrderLine, Party
from tests.desk.conftest import Floor
from tests.desk.mall import Mall


async def test_the_buyer_cancels_while_ours_is_on_its_way(floor: Floor, rakuten: Mall) -> None:
    rakuten.script = [(OutcomeUnknown("no answer"), False)]
    await floor.work()
    floor.later(16)
    rakuten.end("o-2", Party.BUYER, "1")

    await floor.work()

    row = await floor.cancellation("o-2")
    assert (row.state, row.reason) == ("observed", "buyer_self")
    assert [entry.weighs for entry in await floor.entries()] == [False]
    assert await floor.steps() == [
        *("detected", "mitigations", "weighed", "chosen", "shipping_hold", "approved"),
        "outcome_unknown",
        *("ended_by_others", "closed"),
    ]


async def test_a_late_effect_of_an_earlier_attempt_is_ours(floor: Floor, rakuten: Mall) -> None:
    rakuten.script = [(OutcomeUnknown("no answer"), False), (Throttled("429", seconds=60), False)]
    await floor.work()
    floor.later(121)
    await floor.work()
    assert await floor.states() == {"o-2": "approved"}

    floor.later(1)
    await floor.pull("rakuten", rakuten.end("o-2", Party.SELLER, "8"))
    await floor.work()

    assert await floor.states() == {"o-2": "confirmed"}
    assert len(await floor.entries()) == 1


async def test_the_shop_cancels_by_hand_what_the_channel_refused_us(
    floor: Floor, rakuten: Mall
) -> None:
    rakuten.script = [(Rejected("no"), False)]
    await floor.work()
    floor.later(3)

    await floor.pull("rakuten", rakuten.end("o-2", Party.SELLER, "8"))
    await floor.work()

    row = await floor.cancellation("o-2")
    assert (row.state, row.reason, row.reason_code) == ("observed", "shop_out_of_stock", "8")
    assert "cancellation_failed" not in await floor.alerts()


async def test_the_order_ships_while_ours_is_on_its_way(floor: Floor, rakuten: Mall) -> None:
    rakuten.script = [(OutcomeUnknown("no answer"), False)]
    await floor.work()
    floor.later(16)
    shipped = OrderLine(line_ref="1", channel_sku="MUG", quantity=1, shipped=1)
    rakuten.change("o-2", lines=(shipped,), cancellable=False)

    await floor.work()

    states = await floor.states()
    assert states["o-2"] == "failed"
    assert (await floor.cancellation("o-2")).failure == "the order was shipped meanwhile"
    assert await floor.stock() == (0, 1)
    assert states["o-1"] == "approved"


async def test_a_channel_that_cancels_what_was_shipped_calls_a_person(
    floor: Floor, rakuten: Mall
) -> None:
    rakuten.script = [(OutcomeUnknown("no answer"), False)]
    await floor.work()
    floor.later(16)
    shipped = OrderLine(line_ref="1", channel_sku="MUG", quantity=1, shipped=1)
    rakuten.change("o-2", lines=(shipped,), cancellable=False)
    rakuten.end("o-2", Party.SELLER, "8")

    await floor.work()

    assert (await floor.states())["o-2"] == "confirmed"
    assert "cancelled_and_shipped" in await floor.alerts()


async def test_a_silent_channel_does_not_keep_the_others_waiting(
    floor: Floor, rakuten: Mall
) -> None:
    await floor.receive("TEE", 1)
    await floor.sell("amazon", "o-3", {"TEE": 2})
    rakuten.answers.clear()

    round_ = asyncio.create_task(floor.work())
    async with asyncio.timeout(10):
        await floor.malls["amazon"].called.wait()
        await rakuten.called.wait()
    await floor.work()  # another worker's round meanwhile
    rakuten.answers.set()
    await round_

    assert len(rakuten.calls) == 1
    assert await floor.states() == {"o-2": "submitted", "o-3": "submitted"}


async def test_the_buyer_is_quicker_than_our_proposal(floor: Floor, rakuten: Mall) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.work()

    floor.later(1)
    await floor.pull("rakuten", rakuten.end("o-2", Party.BUYER, "1"))
    await floor.work()

    row = await floor.cancellation("o-2")
    assert (row.state, row.reason, row.reason_code) == ("observed", "buyer_self", "1")
    [entry] = await floor.entries()
    assert (entry.counts_against_metric, entry.weighs) == ("unconfirmed", False)
    assert entry.metric_before == entry.metric_after
    assert (await floor.case()).state == "closed"
    assert rakuten.calls == []
    assert await floor.messages("shipping.release") == []
    assert await floor.alerts() == []


async def test_the_order_ships_before_our_cancellation_goes_out(
    floor: Floor, rakuten: Mall
) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.work()
    await floor.decide("o-2", approve=True)
    [line] = rakuten.orders["o-2"].lines
    shipped = type(line)(line_ref="1", channel_sku="MUG", quantity=1, shipped=1)

    floor.later(1)
    await floor.pull("rakuten", rakuten.change("o-2", lines=(shipped,), cancellable=False))
    await floor.work(2)

    assert rakuten.calls == []
    assert await floor.states() == {"o-1": "submitted", "o-2": "refused"}
