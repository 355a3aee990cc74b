"""What the desk does when a marketplace is slow, silent, refuses, or does something else (L8)."""

from __future__ import annotations

import pytest

from channels.base import (
    AuthExpired,
    BadAnswer,
    ChannelError,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    Throttled,
)
from inventory.desk import submissions
from tests.desk.conftest import Floor
from tests.desk.mall import Mall


@pytest.mark.parametrize(
    "error", [Throttled("429", seconds=7), RetryLater("503", seconds=7), AuthExpired("401")]
)
async def test_what_was_not_sent_is_sent_later(
    floor: Floor, rakuten: Mall, error: ChannelError
) -> None:
    rakuten.script = [(error, False)]

    await floor.work()
    row = await floor.cancellation("o-2")
    assert (row.state, row.attempts, row.failure) == ("approved", 0, str(error))
    floor.later(6)
    await floor.work()
    assert len(rakuten.calls) == 1

    floor.later(55)
    await floor.work()
    floor.later(3)
    await floor.work()
    assert len(rakuten.calls) == 2
    assert await floor.states() == {"o-2": "confirmed"}
    assert (await floor.cancellation("o-2")).failure is None


async def test_a_worker_with_an_old_list_does_not_send_too_early(
    floor: Floor, rakuten: Mall
) -> None:
    rakuten.script = [(Throttled("429", seconds=7), False)]
    await floor.work()
    row = await floor.cancellation("o-2")

    async with floor.database.transaction() as session:
        assert await submissions.begin_submission(session, row.id, floor.clock.now()) is None


async def test_a_throttled_channel_is_left_alone_in_that_round(floor: Floor, rakuten: Mall) -> None:
    await floor.receive("TEE", 1)
    await floor.sell("rakuten", "o-3", {"TEE": 1})
    await floor.sell("rakuten", "o-4", {"TEE": 1})
    rakuten.script = [(Throttled("429"), False)]

    await floor.work()

    assert len(rakuten.calls) == 1
    assert await floor.states() == {"o-2": "approved", "o-4": "approved"}


@pytest.mark.parametrize(
    "error", [OutcomeUnknown("no answer"), BadAnswer("garbage"), TimeoutError()]
)
async def test_an_unanswered_call_that_worked_is_found_by_reading(
    floor: Floor, rakuten: Mall, error: Exception
) -> None:
    rakuten.script = [(error, True)]

    await floor.work()
    row = await floor.cancellation("o-2")
    assert (row.state, row.reference) == ("submitted", None)

    floor.later(16)
    await floor.work()
    assert await floor.states() == {"o-2": "confirmed"}
    assert len(rakuten.calls) == 1
    assert len(await floor.entries()) == 1


async def test_an_unanswered_call_that_did_nothing_is_repeated_after_the_grace_time(
    floor: Floor, rakuten: Mall
) -> None:
    rakuten.script = [(OutcomeUnknown("no answer"), False)]
    await floor.work()

    for _ in range(6):
        floor.later(19)
        await floor.work()
    assert len(rakuten.calls) == 1
    assert await floor.states() == {"o-2": "submitted"}

    floor.later(60)
    await floor.work(2)
    assert len(rakuten.calls) == 2
    floor.later(3)
    await floor.work()
    assert await floor.states() == {"o-2": "confirmed"}
    assert (await floor.steps()).count("not_applied") == 1


async def test_a_crash_between_note_and_call_is_healed_by_reading(
    floor: Floor, rakuten: Mall
) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.work()
    await floor.decide("o-2", approve=True)
    row = await floor.cancellation("o-2")
    async with floor.database.transaction() as session:
        assert await submissions.begin_submission(session, row.id, floor.clock.now())

    await floor.work()
    assert rakuten.calls == []
    floor.later(121)
    await floor.work(2)
    floor.later(3)
    await floor.work()

    assert len(rakuten.calls) == 1
    assert await floor.states() == {"o-2": "confirmed"}


async def test_a_late_answer_to_an_old_attempt_changes_nothing(floor: Floor, rakuten: Mall) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.work()
    await floor.decide("o-2", approve=True)
    row = await floor.cancellation("o-2")
    async with floor.database.transaction() as session:
        first = await submissions.begin_submission(session, row.id, floor.clock.now())
    assert first is not None
    floor.later(121)
    rakuten.script = [(OutcomeUnknown("no answer"), False)]
    await floor.work()
    assert (await floor.cancellation("o-2")).attempts == 2

    async with floor.database.transaction() as session:
        await submissions.accepted(session, first, "feed-1", floor.clock.now())
        await submissions.postponed(session, first, "429", seconds=1, now=floor.clock.now())

    row = await floor.cancellation("o-2")
    assert (row.state, row.attempts, row.reference) == ("submitted", 2, None)


async def test_a_refused_order_ships_and_another_one_is_given_up(
    floor: Floor, rakuten: Mall
) -> None:
    rakuten.script = [(Rejected("ORDER_EXT_API_CANCEL_ORDER_ERROR_011"), False)]

    await floor.work()
    floor.later(3)
    await floor.work()
    floor.later(3)
    await floor.work()

    assert await floor.states() == {"o-1": "confirmed", "o-2": "failed"}
    row = await floor.cancellation("o-2")
    assert row.failure == "ORDER_EXT_API_CANCEL_ORDER_ERROR_011"
    assert "cancellation_failed" in await floor.alerts()
    assert await floor.messages("shipping.release") == ["o-2"]
    assert [entry.order_ref for entry in await floor.entries()] == ["o-1"]


async def test_a_refusal_because_it_was_done_already_is_no_failure(
    floor: Floor, rakuten: Mall
) -> None:
    rakuten.script = [(Rejected("cancelled already"), True)]

    await floor.work()

    assert await floor.states() == {"o-2": "confirmed"}
    assert await floor.alerts() == []


async def test_a_refusal_that_cannot_be_checked_is_looked_at_later(
    floor: Floor, rakuten: Mall
) -> None:
    rakuten.script = [(Rejected("cancelled already"), True)]
    rakuten.read_error = RetryLater("503")
    await floor.work()
    assert await floor.states() == {"o-2": "submitted"}

    rakuten.read_error = None
    floor.later(20)
    await floor.work()

    assert await floor.states() == {"o-2": "confirmed"}
    assert len(rakuten.calls) == 1


async def test_a_job_that_fails_later_is_a_refusal(floor: Floor) -> None:
    await floor.sell("amazon", "o-1")
    amazon = floor.malls["amazon"]
    amazon.reference, amazon.script = "feed-1", [("", False)]
    await floor.work()
    floor.later(3)
    await floor.work()
    assert await floor.states() == {"o-1": "submitted"}

    amazon.refusal = "The order is still pending."
    floor.later(30)
    await floor.work()

    row = await floor.cancellation("o-1")
    assert (row.state, row.failure) == ("failed", "The order is still pending.")


async def test_a_slow_job_is_not_sent_again_for_a_quarter_of_an_hour(floor: Floor) -> None:
    await floor.sell("amazon", "o-1")
    amazon = floor.malls["amazon"]
    amazon.reference, amazon.script = "feed-1", [("", False)]
    await floor.work()

    for _ in range(14):
        floor.later(60)
        await floor.work()

    assert len(amazon.calls) == 1
    floor.later(120)
    await floor.work(2)
    assert len(amazon.calls) == 2


async def test_a_channel_that_takes_it_and_does_nothing_needs_a_person_in_the_end(
    floor: Floor,
) -> None:
    await floor.sell("rakuten", "o-1")
    rakuten = floor.malls["rakuten"]
    rakuten.script = [("", False)] * 9

    for _ in range(12):
        floor.later(130)
        await floor.work(2)

    assert len(rakuten.calls) == 5
    row = await floor.cancellation("o-1")
    assert (row.state, row.failure) == ("failed", "sent 5 times without effect")
    assert "cancellation_failed" in await floor.alerts()
    assert (await floor.step("needs_person"))["uncovered"] == 1


async def test_an_order_that_is_locked_meanwhile_needs_a_person(
    floor: Floor, rakuten: Mall
) -> None:
    rakuten.script = [("", False)]
    await floor.work()
    rakuten.change("o-2", cancellable=False)

    floor.later(60)
    await floor.work()
    assert await floor.states() == {"o-2": "submitted"}
    floor.later(61)
    await floor.work()

    assert (await floor.cancellation("o-2")).failure == "the order is locked and not cancelled"
