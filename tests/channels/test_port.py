"""The contract of the port: what publishing, pulling and the desk may expect of every adapter."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from channels.base import (
    Cancels,
    NoticeForged,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    Write,
)
from inventory.vocabulary import (
    CancelRequest,
    Kind,
    PushStatus,
    QuantityPush,
    Reading,
    Reason,
)
from tests.channels.port_shop import KINDS, PATIENCE_SECONDS, Shop, opened, overrides, sku
from tests.channels.sandbox_process import SandboxProcess

StartSandbox = Callable[..., SandboxProcess]
A_BATCH_MAX = 60


@pytest.fixture(params=KINDS)
async def shop(
    request: pytest.FixtureRequest, start_sandbox: StartSandbox, redis: Redis
) -> AsyncIterator[Shop]:
    async with opened(request.param, start_sandbox, redis) as shop:
        yield shop


def test_every_kind_with_an_adapter_is_held_to_the_contract() -> None:
    from channels.registry import RECIPES  # noqa: PLC0415 (what is compared with is the point)

    assert set(KINDS) == set(RECIPES)


# Capabilities.


async def test_capabilities_are_whole(shop: Shop) -> None:
    can = shop.adapter.capabilities

    assert can.kind is Kind(shop.kind)
    assert can.write in can.writes
    assert can.push_batch_max >= 1
    assert can.read_batch_max >= 1
    assert 0 < can.pull_seconds <= can.pull_seconds_quiet
    assert shop.adapter.budgets.burst(can.pull_endpoint) >= 1
    assert not can.repeatable or Write.RELATIVE in can.writes


async def test_what_a_channel_cannot_do_is_refused_before_anything_is_sent(shop: Shop) -> None:
    adapter, can = shop.adapter, shop.adapter.capabilities
    push = shop.number(shop.mug, 9)
    order = CancelRequest(order_ref="1", line_refs=("1",), reason=Reason.OUT_OF_STOCK)
    cannot: dict[str, tuple[bool, Callable[[], Any]]] = {
        "discover": (can.discovers, lambda: adapter.discover({})),
        "take back": (can.takes_back, lambda: adapter.take_back(push)),
        "push bulk": (can.bulk_max > 0, lambda: adapter.push_bulk([push])),
        "bulk state": (can.bulk_max > 0, lambda: adapter.bulk_state("1")),
        "notice": (can.notices, lambda: adapter.read_notice({}, b"{}")),
        "cancel": (can.cancels is not Cancels.NONE, lambda: adapter.cancel_order(order)),
    }
    before = shop.sandbox.books(shop.kind)["writes"]

    for able, call in cannot.values():
        if not able:
            with pytest.raises(Rejected):
                await call()
    assert shop.sandbox.books(shop.kind)["writes"] == before


async def test_a_notice_without_its_proof_is_forged(shop: Shop) -> None:
    if shop.adapter.capabilities.notices and overrides(shop.adapter, "read_notice"):
        with pytest.raises(NoticeForged):
            await shop.adapter.read_notice({}, b"{}")


# Numbers.


async def test_numbers_are_written_and_read_back_in_the_order_asked(shop: Shop) -> None:
    outcomes = await shop.push(shop.number(shop.tee, 0), shop.number(shop.mug, 7))

    assert [(one.channel_sku, one.status) for one in outcomes] == [
        (shop.tee, PushStatus.ACCEPTED),
        (shop.mug, PushStatus.ACCEPTED),
    ]
    assert await shop.read(shop.mug, shop.tee, shop.mug) == [
        Reading(channel_sku=shop.mug, quantity=7),
        Reading(channel_sku=shop.tee, quantity=0),
        Reading(channel_sku=shop.mug, quantity=7),
    ]
    assert (shop.shown(shop.mug), shop.shown(shop.tee)) == (7, 0)


async def test_a_number_is_set_without_a_difference_too(shop: Shop) -> None:
    known = QuantityPush(channel_sku=shop.mug, quantity=3, change=None, key="k-1")

    [outcome] = await shop.push(known)

    assert (outcome.status, shop.shown(shop.mug)) == (PushStatus.ACCEPTED, 3)


async def test_a_difference_keeps_what_was_sold_meanwhile(shop: Shop) -> None:
    if shop.adapter.capabilities.write is not Write.RELATIVE:
        return
    number = shop.number(shop.mug, 8)
    shop.sandbox.buy(shop.kind, {shop.mug: 1})

    await shop.push(number)

    assert shop.shown(shop.mug) == 7


async def test_the_same_attempt_again_has_one_effect(shop: Shop) -> None:
    can = shop.adapter.capabilities
    number = shop.number(shop.mug, 6)

    first = await shop.push(number)
    again = await shop.push(number) if can.repeatable or number.change is None else first

    assert [one.status for one in (*first, *again)] == [PushStatus.ACCEPTED] * 2
    assert shop.shown(shop.mug) == 6


async def test_what_the_channel_does_not_list_is_told_apart(shop: Shop) -> None:
    outcomes = await shop.push(
        shop.number(shop.mug, 4), shop.number(shop.missing, 1), shop.number(shop.tee, 2)
    )

    statuses = {one.channel_sku: one.status for one in outcomes}
    assert list(statuses) == [shop.mug, shop.missing, shop.tee]
    if shop.kind != Kind.RAKUTEN:
        # Rakuten's upsert takes any name and keeps an orphan for a day (InventoryAPI 2.0).
        assert statuses[shop.missing] is PushStatus.REFUSED
    assert (statuses[shop.mug], statuses[shop.tee]) == (PushStatus.ACCEPTED, PushStatus.ACCEPTED)
    unlisted = sku(shop.kind, "NEVER")
    readings = await shop.read(unlisted, shop.mug)
    assert [reading.quantity for reading in readings] == [None, 4]


async def test_nothing_to_do_is_nothing_done(shop: Shop) -> None:
    assert await shop.push() == []
    assert await shop.read() == []
    assert shop.sandbox.books(shop.kind)["writes"] == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_whole_batch_is_written_and_read_in_its_order(
    kind: str, start_sandbox: StartSandbox, redis: Redis
) -> None:
    many = [sku(kind, f"S{number:03d}") for number in range(A_BATCH_MAX)]
    async with opened(kind, start_sandbox, redis, more=many) as shop:
        can = shop.adapter.capabilities
        skus = many[: min(can.push_batch_max, can.read_batch_max)][::-1]
        numbers = [
            QuantityPush(
                channel_sku=each,
                quantity=place,
                change=place - 10 if can.write is Write.RELATIVE else None,
                key=f"k-{place}",
            )
            for place, each in enumerate(skus)
        ]

        outcomes = await shop.push(*numbers)
        readings = await shop.read(*skus)

    assert [one.channel_sku for one in outcomes] == skus
    assert {one.status for one in outcomes} == {PushStatus.ACCEPTED}
    assert [(one.channel_sku, one.quantity) for one in readings] == [
        (each, place) for place, each in enumerate(skus)
    ]


async def test_a_write_without_an_answer_is_unknown_and_a_reading_is_repeated(shop: Shop) -> None:
    number = shop.number(shop.mug, 6)
    await shop.read(shop.mug)
    shop.sandbox.break_with(shop.kind, timeout_after_apply=1)

    try:
        [outcome] = await shop.push(number)
    except OutcomeUnknown:
        pass
    else:
        assert outcome.status is PushStatus.UNKNOWN
    with pytest.raises(RetryLater):
        await shop.adapter.read_stock([shop.mug])

    shop.sandbox.break_with(shop.kind)
    assert await shop.read(shop.mug) == [Reading(channel_sku=shop.mug, quantity=6)]


async def test_units_are_taken_back_only_while_there_are_enough(shop: Shop) -> None:
    if not shop.adapter.capabilities.takes_back:
        return
    few = QuantityPush(channel_sku=shop.mug, quantity=8, change=-2, key="k-1")
    many = QuantityPush(channel_sku=shop.mug, quantity=0, change=-50, key="k-2")

    taken = await shop.patiently(lambda: shop.adapter.take_back(few))
    refused = await shop.patiently(lambda: shop.adapter.take_back(many))

    assert (taken.status, refused.status) == (PushStatus.ACCEPTED, PushStatus.REFUSED)
    assert shop.shown(shop.mug) == 8


async def test_a_slow_job_ends_with_an_outcome_for_each_number(shop: Shop) -> None:
    if not shop.adapter.capabilities.bulk_max:
        return
    numbers = [shop.number(shop.tee, 2), shop.number(shop.mug, 7)]

    reference = await shop.patiently(lambda: shop.adapter.push_bulk(numbers))
    outcomes = None
    ends = time.monotonic() + PATIENCE_SECONDS
    while outcomes is None and time.monotonic() < ends:
        outcomes = await shop.patiently(lambda: shop.adapter.bulk_state(reference))

    assert outcomes is not None
    assert {one.channel_sku: one.status for one in outcomes} == {
        shop.tee: PushStatus.ACCEPTED,
        shop.mug: PushStatus.ACCEPTED,
    }
    assert (shop.shown(shop.tee), shop.shown(shop.mug)) == (2, 7)
