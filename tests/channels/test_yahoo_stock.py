"""The Yahoo! adapter against the sandbox over HTTP: what goes with a number, and taking back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from channels.base import Adapter, OutcomeUnknown, Rejected, RetryLater, Write
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.yahoo_store import CAP, KIND, MUG, TEE, Store

ACCEPTED, REFUSED, UNKNOWN = PushStatus.ACCEPTED, PushStatus.REFUSED, PushStatus.UNKNOWN


@pytest.fixture
async def open_store(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> AsyncIterator[Callable[..., Store]]:
    opened: list[Store] = []

    def start(**rules: Any) -> Store:
        opened.append(Store(start_sandbox(yahoo={"visible_after_s": 0} | rules), redis))
        return opened[-1]

    yield start
    for store in opened:
        await store.adapter.aclose()


async def ready(store: Store) -> Store:
    await store.adapter.budgets.fill()
    return store


def pushes(*numbers: tuple[str, int]) -> list[QuantityPush]:
    return [QuantityPush(channel_sku=sku, quantity=n, change=None, key="k") for sku, n in numbers]


async def overdraft(adapter: Any, sku: str) -> str:
    rows = await adapter._client.get_stock([sku])
    return str(rows[sku].overdraft)


async def test_the_overdraft_flag_goes_back_as_it_was_read(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store(overdraft=[TEE]))
    assert [row.status for row in await store.push((MUG, 7), (TEE, 8))] == [ACCEPTED, ACCEPTED]
    assert store.calls("getStock") == 1
    assert await overdraft(store.adapter, TEE) == "1"
    # It is remembered, for other workers too.
    other = store.connect()
    await other.push_quantities(pushes((TEE, 9), (MUG, 3)))
    assert store.calls("getStock") == 2
    assert (await overdraft(other, TEE), await overdraft(other, MUG)) == ("1", "0")
    assert store.sandbox.displayed(KIND) == {MUG: 3, TEE: 9, CAP: 50}
    await other.aclose()


@pytest.mark.parametrize("setting", ["omit", "refuse"])
async def test_other_settings_leave_the_flag_out_or_end_it(
    open_store: Callable[..., Store], setting: str
) -> None:
    store = await ready(open_store(overdraft=[TEE], omitted_overdraft_resets=setting == "omit"))
    adapter = store.connect(allow_overdraft=setting)
    [outcome] = await adapter.push_quantities(pushes((TEE, 8)))
    assert (outcome.status, await overdraft(adapter, TEE)) == (ACCEPTED, "0")
    await adapter.aclose()


async def test_a_flag_that_staff_change_is_known_after_the_next_reading(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store(overdraft=[TEE]))
    await store.push((TEE, 8))
    staff = store.connect(allow_overdraft="refuse")
    await staff.push_quantities(pushes((TEE, 8)))
    await store.adapter.read_stock([TEE])
    await store.push((TEE, 7))
    assert await overdraft(store.adapter, TEE) == "0"
    await staff.aclose()


async def test_a_code_without_a_stock_row_is_refused_and_nothing_waits_for_it(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store())
    wrong, right = await store.push(("typo:m-blk", 5), (MUG, 4))
    assert (wrong.status, wrong.code, right.status) == (REFUSED, "no_stock_row", ACCEPTED)
    assert store.sandbox.displayed(KIND)[MUG] == 4
    assert (await store.adapter.read_stock(["typo:m-blk"]))[0].quantity is None

    first = store.connect(write_unregistered=True)
    [outcome] = await first.push_quantities(pushes(("new-one", 5)))
    assert outcome == PushOutcome(channel_sku="new-one", status=ACCEPTED)
    assert (await first.read_stock(["new-one"]))[0].quantity == 5
    await first.aclose()


async def test_what_needs_no_flag_and_no_row_is_not_asked_for(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store(overdraft=[TEE]))
    adapter = store.connect(write_unregistered=True, allow_overdraft="refuse")
    [outcome] = await adapter.push_quantities(pushes((TEE, 8)))
    assert (outcome.status, store.calls("getStock")) == (ACCEPTED, 0)
    assert await overdraft(adapter, TEE) == "0"
    await adapter.aclose()


async def test_a_mixed_answer_is_read_row_by_row(open_store: Callable[..., Store]) -> None:
    store = await ready(open_store(refused=[MUG], unread=[TEE]))
    outcomes = await store.push((MUG, 7), (TEE, 8), (CAP, 9))
    assert [(row.status, row.code) for row in outcomes] == [
        (REFUSED, "ed-10001"),
        (UNKNOWN, "ed-10002"),
        (ACCEPTED, ""),
    ]
    assert store.sandbox.displayed(KIND) == {MUG: 5, TEE: 8, CAP: 9}


async def test_a_lone_number_fails_as_a_whole(open_store: Callable[..., Store]) -> None:
    store = await ready(open_store(refused=[MUG], unread=[TEE]))
    [refused] = await store.push((MUG, 7))
    assert (refused.status, refused.code) == (REFUSED, "ed-10001")
    with pytest.raises(OutcomeUnknown, match="ed-10002"):
        await store.push((TEE, 8))
    assert store.sandbox.displayed(KIND)[TEE] == 8


async def test_a_zero_does_not_wait_for_a_flag(open_store: Callable[..., Store]) -> None:
    store = await ready(open_store())
    store.sandbox.break_with(KIND, error_rate={"value": 1, "endpoint": "getStock"})
    with pytest.raises(RetryLater):
        await store.push((MUG, 3), (TEE, 0))
    assert [row.status for row in await store.push((MUG, 0), (TEE, 0))] == [ACCEPTED, ACCEPTED]
    assert store.sandbox.displayed(KIND) == {MUG: 0, TEE: 0, CAP: 50}


async def test_a_thousand_numbers_go_and_are_read_in_one_call_each(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store())
    codes = [f"item-{number}" for number in range(1000)]
    store.sandbox.list_items(KIND, dict.fromkeys(codes, 1))
    readings = await store.adapter.read_stock(codes)
    assert {reading.quantity for reading in readings} == {1}
    outcomes = await store.push(*((code, 2) for code in codes))
    assert {row.status for row in outcomes} == {ACCEPTED}
    assert (store.calls("getStock"), store.calls("setStock")) == (1, 1)


async def taken(adapter: Adapter, sku: str, units: int) -> PushOutcome:
    push = QuantityPush(channel_sku=sku, quantity=0, change=-units, key="k")
    return await adapter.take_back(push)


async def test_units_are_not_taken_back_unless_the_settings_say_so(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store())
    can = store.adapter.capabilities
    assert can.takes_back is False
    assert can.writes == frozenset({Write.ABSOLUTE})
    with pytest.raises(Rejected, match="takes_back"):
        await taken(store.adapter, MUG, 1)
    assert store.sandbox.displayed(KIND)[MUG] == 5


@pytest.mark.parametrize("below_zero", [False, True])
async def test_units_are_taken_back_as_long_as_they_are_there(
    open_store: Callable[..., Store], *, below_zero: bool
) -> None:
    store = await ready(open_store(negative_stock=below_zero, overdraft=[TEE]))
    adapter = store.connect(takes_back=True)
    assert adapter.capabilities.takes_back is True
    assert adapter.capabilities.writes == frozenset({Write.ABSOLUTE, Write.RELATIVE})

    assert (await taken(adapter, MUG, 2)).status is ACCEPTED
    assert store.sandbox.displayed(KIND)[MUG] == 3
    fewer = await taken(adapter, MUG, 4)
    assert (fewer.status, fewer.code) == (REFUSED, "fewer_left" if below_zero else "st-02104")
    assert store.sandbox.displayed(KIND)[MUG] == 3
    # What sells beyond its stock could not be put back in time.
    assert (await taken(adapter, TEE, 1)).code == "not_possible"
    assert (await taken(adapter, MUG, 0)).code == "not_possible"
    await adapter.aclose()


async def test_a_taking_back_without_an_answer_is_unknown(open_store: Callable[..., Store]) -> None:
    store = await ready(open_store())
    adapter = store.connect(takes_back=True)
    store.sandbox.break_with(KIND, timeout_after_apply={"value": 1, "endpoint": "setStock"})
    with pytest.raises(OutcomeUnknown):
        await taken(adapter, MUG, 2)
    assert store.sandbox.displayed(KIND)[MUG] == 3
    await adapter.aclose()
