"""Messages to buyers whose order is given up: drafted, marked as sent, refunds reminded of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from inventory.desk import messages
from inventory.desk.messages import MessageRow
from inventory.errors import BadInput, InventoryError, NotFound, WrongState
from inventory.models import BuyerMessage, OversellStep, Sku
from inventory.reasons import Extent
from tests.desk.conftest import Floor


async def given_up(floor: Floor, mall: str, lines: dict[str, int] | None = None) -> MessageRow:
    """The one order of a mall is given up and confirmed; its message."""
    await floor.sell(mall, "o-1", lines)
    await floor.work()
    floor.later(3)
    await floor.work()
    row = await floor.cancellation("o-1")
    assert row.state == "confirmed"
    return await message(floor, row.id)


async def message(floor: Floor, cancellation_id: int) -> MessageRow:
    """The message of a cancellation."""
    async with floor.database.sessions() as session:
        return await messages.message(session, cancellation_id)


async def mark(floor: Floor, done: Callable[..., Awaitable[None]], row: int, person: str) -> None:
    """A person says that something is done."""
    async with floor.database.transaction() as session:
        await done(session, row, person=person, by="desk key", now=floor.clock.now())


async def test_an_order_given_up_has_its_message_ready(floor: Floor) -> None:
    drafted = await given_up(floor, "rakuten", {"MUG": 2})

    assert (drafted.channel, drafted.order_ref, drafted.sent_at) == ("rakuten", "o-1", None)
    assert "o-1" in drafted.subject
    for part in ("お詫び", "欠品", "2点", "返金", "返還されないもの", "【代替商品名】"):
        assert part in drafted.body
    assert drafted.placeholders == (
        "【お客様名】",
        "【店舗名】",
        "【担当者名】",
        "【代替商品名】",
    )
    assert drafted.repay_due_at is None
    steps = await floor.steps()
    assert steps.index("message_drafted") == steps.index("confirmed") + 1


async def test_amazons_buyers_were_never_charged(floor: Floor) -> None:
    drafted = await given_up(floor, "amazon")

    assert "ご請求は確定いたしません" in drafted.body
    assert drafted.repay_due_at is None
    assert any("自動で送ります" in note for note in drafted.notes)
    await floor.work()
    assert "repayment_due" not in await floor.alerts()


async def test_a_refund_that_is_due_is_reminded_of_once_until_a_person_has_seen_to_it(
    floor: Floor,
) -> None:
    drafted = await given_up(floor, "shopify")
    row = await floor.cancellation("o-1")
    assert row.confirmed_at is not None
    assert drafted.repay_due_at == row.confirmed_at + timedelta(hours=48)
    assert "48時間以内" in drafted.body
    assert any("48時間以内" in note for note in drafted.notes)

    floor.clock.moment = row.confirmed_at + timedelta(hours=24) - timedelta(seconds=1)
    await floor.work()
    assert "repayment_due" not in await floor.alerts()
    floor.later(1)
    await floor.work(3)
    assert (await floor.alerts()).count("repayment_due") == 1

    await mark(floor, messages.mark_repaid, row.id, "mori")
    floor.later(86_400)
    await floor.work(2)
    assert "repayment_due" not in await floor.alerts()
    assert (await message(floor, row.id)).repaid_by == "mori"


async def test_refunds_that_nobody_sees_to_hide_no_others(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "REMINDED_MAX", 1)
    for ref in ("o-1", "o-2"):
        await floor.sell("shopify", ref)
    await floor.work()
    floor.later(3)
    await floor.work()
    assert set((await floor.states()).values()) == {"confirmed"}

    floor.later(30 * 3600)
    await floor.work(3)

    assert (await floor.alerts()).count("repayment_due") == 2


async def test_where_the_payment_is_captured_at_shipment_nothing_is_refunded(floor: Floor) -> None:
    await floor.set_channel("shopify", metrics={"captured": "at_shipment"})

    drafted = await given_up(floor, "shopify")

    assert drafted.repay_due_at is None
    assert "ご返金のお手続きは必要ございません" in drafted.body


async def test_a_named_person_sends_it_and_the_first_time_counts(floor: Floor) -> None:
    drafted = await given_up(floor, "yahoo")
    sent_at = floor.clock.now()
    await mark(floor, messages.mark_sent, drafted.cancellation_id, "mori")
    floor.later(60)
    await mark(floor, messages.mark_sent, drafted.cancellation_id, "sato")

    row = await message(floor, drafted.cancellation_id)
    assert (row.sent_by, row.sent_at) == ("mori", sent_at)
    [step] = await floor.rows(select(OversellStep).where(OversellStep.step == "message_sent"))
    assert (step.done_by, step.done_at) == ("mori", sent_at)
    async with floor.database.sessions() as session:
        assert await messages.unsent(session, before_id=2**62, limit=10) == []


@pytest.mark.parametrize("person", ["", " ", "policy", "m" * 101])
async def test_nobody_is_not_a_person(floor: Floor, person: str) -> None:
    drafted = await given_up(floor, "yahoo")

    with pytest.raises(BadInput):
        await mark(floor, messages.mark_sent, drafted.cancellation_id, person)
    assert (await message(floor, drafted.cancellation_id)).sent_at is None


async def test_a_person_may_write_before_the_order_ends_and_what_was_sent_stays(
    floor: Floor,
) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.sell("rakuten", "o-1")
    await floor.work()
    proposed = await floor.cancellation("o-1")
    async with floor.database.transaction() as session:
        await messages.draft(session, proposed.id, floor.clock.now())
    await mark(floor, messages.mark_sent, proposed.id, "mori")
    before = await message(floor, proposed.id)
    async with floor.database.transaction() as session:
        await session.execute(update(Sku).values(name="another name"))

    await floor.decide("o-1", approve=True)
    await floor.work()
    floor.later(3)
    await floor.work()

    assert await message(floor, proposed.id) == before


async def test_of_a_part_only_what_is_short_is_named(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.receive("TEE", 5)
    async with floor.database.transaction() as session:
        for code, name in (("MUG", "赤いマグ"), ("TEE", "白いシャツ")):
            await session.execute(update(Sku).where(Sku.code == code).values(name=name))
    await floor.sell("rakuten", "o-1", {"MUG": 2, "TEE": 1})
    await floor.work()
    row = await floor.cancellation("o-1")

    async def drafted(extent: Extent) -> str:
        async with floor.database.transaction() as session:
            made = await messages.draft(session, row.id, floor.clock.now(), extent=extent)
            return made.body

    part, whole = await drafted(Extent.PART), await drafted(Extent.WHOLE)
    assert ("赤いマグ" in part, "白いシャツ" in part) == (True, False)
    assert "ご意向をお聞かせ" in part
    assert ("赤いマグ" in whole, "白いシャツ" in whole) == (True, True)
    assert len(await floor.rows(select(BuyerMessage))) == 1


async def test_an_order_that_is_kept_or_that_others_ended_needs_none(floor: Floor) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.sell("rakuten", "o-1")
    await floor.work()
    await floor.decide("o-1", approve=False)
    row = await floor.cancellation("o-1")

    async def drafted(cancellation_id: int) -> Any:
        async with floor.database.transaction() as session:
            return await messages.draft(session, cancellation_id, floor.clock.now())

    errors: list[type[InventoryError]] = []
    for cancellation_id in (row.id, row.id + 1):
        with pytest.raises(InventoryError) as error:
            await drafted(cancellation_id)
        errors.append(type(error.value))
    assert errors == [WrongState, NotFound]


async def test_yahoos_close_says_what_a_person_must_do(floor: Floor) -> None:
    await given_up(floor, "yahoo")

    closed = await floor.step("closed_by_channel")
    assert closed["channel_sku"] == "MUG"
    assert "在庫クローズの解除" in closed["do"]
    assert "listing_closed_by_channel" in await floor.alerts()


async def test_a_draft_for_an_order_that_is_kept_after_all_is_nobodys_to_send(
    floor: Floor,
) -> None:
    await floor.set_channel("rakuten", desk_policy="review")
    await floor.sell("rakuten", "o-1")
    await floor.work()
    row = await floor.cancellation("o-1")
    async with floor.database.transaction() as session:
        await messages.draft(session, row.id, floor.clock.now())
        assert len(await messages.unsent(session, before_id=99, limit=10)) == 1

    await floor.decide("o-1", approve=False)

    async with floor.database.sessions() as session:
        assert await messages.unsent(session, before_id=99, limit=10) == []
