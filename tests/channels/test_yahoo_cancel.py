"""The Yahoo! adapter against the sandbox over HTTP: orders given up, whole and in part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from channels.base import Cancels, OutcomeUnknown, Rejected
from inventory.vocabulary import CancelRequest, CancelState, Reading, Reason
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.yahoo_store import CAP, KIND, MUG, TEE, Store


@pytest.fixture
async def store(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Store]:
    store = Store(start_sandbox(yahoo={"visible_after_s": 0}), redis)
    await store.adapter.budgets.fill()
    yield store
    await store.adapter.aclose()


def out_of_stock(ref: str, *units: tuple[str, int]) -> CancelRequest:
    return CancelRequest(order_ref=ref, line_refs=(), reason=Reason.OUT_OF_STOCK, units=units)


async def test_an_out_of_stock_cancel_closes_the_item(store: Store) -> None:
    ref = store.buy(MUG, 2)
    assert await store.adapter.cancel_state(ref, "") == CancelState()
    assert await store.adapter.cancel_order(out_of_stock(ref)) == ""

    book = store.sandbox.order(KIND, ref)
    assert (book["state"], book["cancelled_by"], book["cancel_code"], book["restocked"]) == (
        "cancelled",
        "seller",
        "210",
        False,
    )
    assert await store.adapter.cancel_state(ref, "") == CancelState(confirmed=True)
    assert await store.adapter.read_stock([MUG]) == [
        Reading(channel_sku=MUG, quantity=3, closed=True)
    ]
    assert store.adapter.capabilities.closes_on_out_of_stock is True


async def test_a_shipped_or_unknown_order_is_not_cancelled(store: Store) -> None:
    ref = store.buy(MUG)
    store.sandbox.act(KIND, ref, "ship")
    for wanted in (ref, "store-0-1"):
        with pytest.raises(Rejected):
            await store.adapter.cancel_order(out_of_stock(wanted))
    assert store.sandbox.order(KIND, ref)["state"] == "shipped"
    assert (await store.adapter.cancel_state(ref, "")).refused == "shipped:2.1.3"


async def test_only_the_orders_own_state_confirms_a_cancel(store: Store) -> None:
    ref = store.buy(MUG)
    change = {"value": 1, "endpoint": "orderStatusChange"}
    store.sandbox.break_with(KIND, ignore_writes=change)
    await store.adapter.cancel_order(out_of_stock(ref))
    assert await store.adapter.cancel_state(ref, "") == CancelState()

    store.sandbox.break_with(KIND, timeout_after_apply=change)
    with pytest.raises(OutcomeUnknown):
        await store.adapter.cancel_order(
            CancelRequest(order_ref=ref, line_refs=(), reason=Reason.BUYER_REQUEST)
        )
    assert await store.adapter.cancel_state(ref, "") == CancelState(confirmed=True)
    assert store.sandbox.order(KIND, ref)["cancel_code"] == "100"


@pytest.mark.parametrize("action", ["begin-shipping", "note-slip", "mark-prank", "ship"])
async def test_our_own_guard_stands_where_yahoo_has_none(store: Store, action: str) -> None:
    ref = store.buy(MUG, 2)
    store.sandbox.act(KIND, ref, action)
    for request in (out_of_stock(ref), out_of_stock(ref, ("1", 1))):
        with pytest.raises(Rejected, match="sent or not open"):
            await store.adapter.cancel_order(request)
    assert store.calls("orderStatusChange") == store.calls("orderChange") == 0


async def test_an_order_sent_out_while_it_is_given_up_is_for_a_person(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = store.buy(MUG)
    adapter: Any = store.adapter
    client = adapter._client
    cancel = client.cancel

    async def too_late(*given: Any, **more: Any) -> None:
        store.sandbox.act(KIND, ref, "ship")
        await cancel(*given, **more)

    monkeypatch.setattr(client, "cancel", too_late)
    with pytest.raises(Rejected, match="a person must look"):
        await store.adapter.cancel_order(out_of_stock(ref))


def lines(store: Store, ref: str) -> list[tuple[int, int]]:
    """Ordered and cancelled units of each line in the marketplace's book."""
    order = store.sandbox.order(KIND, ref)
    return [(line["quantity"], line["cancelled"]) for line in order["lines"]]


async def test_a_part_is_given_up_by_lowering_its_line(store: Store) -> None:
    ref = store.sandbox.buy(KIND, {MUG: 3, TEE: 1})
    reference = await store.adapter.cancel_order(out_of_stock(ref, ("1", 2)))

    assert store.adapter.capabilities.cancels is Cancels.PARTS
    assert lines(store, ref) == [(3, 2), (1, 0)]
    assert await store.adapter.cancel_state(ref, reference) == CancelState(confirmed=True)
    order = await store.adapter.read_order(ref)
    assert order is not None
    assert [(line.quantity, line.cancelled) for line in order.lines] == [(3, 2), (1, 0)]
    assert (order.cancelled, order.cancellable) == (False, True)
    # No item is closed: only reason 210 of a whole order does that.
    assert await store.adapter.read_stock([MUG]) == [Reading(channel_sku=MUG, quantity=2)]


async def test_a_part_whose_answer_was_lost_is_not_given_up_twice(store: Store) -> None:
    ref = store.sandbox.buy(KIND, {MUG: 4})
    request = out_of_stock(ref, ("1", 1))
    store.sandbox.break_with(KIND, timeout_after_apply={"value": 1, "endpoint": "orderChange"})
    with pytest.raises(OutcomeUnknown):
        await store.adapter.cancel_order(request)
    store.sandbox.break_with(KIND)

    assert await store.adapter.cancel_state(ref, "") == CancelState(confirmed=True)
    other_worker = store.connect()
    assert await other_worker.cancel_order(request) == "1=3"
    await other_worker.aclose()
    assert lines(store, ref) == [(4, 1)]
    # The whole order, asked for later, is not taken for done by that.
    store.sandbox.break_with(KIND, ignore_writes={"value": 1, "endpoint": "orderStatusChange"})
    await store.adapter.cancel_order(out_of_stock(ref))
    assert await store.adapter.cancel_state(ref, "") == CancelState()


async def test_a_part_taken_and_ignored_is_not_confirmed(store: Store) -> None:
    ref = store.sandbox.buy(KIND, {MUG: 3})
    store.sandbox.break_with(KIND, ignore_writes={"value": 1, "endpoint": "orderChange"})
    reference = await store.adapter.cancel_order(out_of_stock(ref, ("1", 1)))
    assert await store.adapter.cancel_state(ref, reference) == CancelState()
    assert lines(store, ref) == [(3, 0)]
    store.sandbox.act(KIND, ref, "ship")
    assert (await store.adapter.cancel_state(ref, reference)).refused == "shipped:2.1.3"


async def test_all_units_in_parts_are_the_whole_order(store: Store) -> None:
    ref = store.sandbox.buy(KIND, {MUG: 2, TEE: 1})
    assert await store.adapter.cancel_order(out_of_stock(ref, ("1", 2), ("2", 1))) == ""
    assert store.sandbox.order(KIND, ref)["cancel_code"] == "210"


@pytest.mark.parametrize("units", [(("1", 4),), (("1", 0),), (("9", 1),)])
async def test_units_that_are_not_there_cannot_be_given_up(
    store: Store, units: tuple[tuple[str, int], ...]
) -> None:
    ref = store.sandbox.buy(KIND, {MUG: 3, TEE: 1})
    with pytest.raises(Rejected, match="has not"):
        await store.adapter.cancel_order(out_of_stock(ref, *units))
    assert lines(store, ref) == [(3, 0), (1, 0)]


async def test_an_order_on_hold_is_given_up_only_as_a_whole(store: Store) -> None:
    ref = store.sandbox.buy(KIND, {MUG: 3})
    store.sandbox.act(KIND, ref, "hold")
    with pytest.raises(Rejected, match="on hold"):
        await store.adapter.cancel_order(out_of_stock(ref, ("1", 1)))
    await store.adapter.cancel_order(out_of_stock(ref))
    assert store.sandbox.order(KIND, ref)["state"] == "cancelled"


async def test_a_line_goes_to_zero_only_where_the_setting_says_so(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    rules = {"visible_after_s": 0, "line_to_zero": True}
    store = Store(start_sandbox(yahoo=rules), redis)
    await store.adapter.budgets.fill()
    ref = store.sandbox.buy(KIND, {CAP: 3, TEE: 1})
    request = out_of_stock(ref, ("2", 1))
    with pytest.raises(Rejected, match="line_to_zero"):
        await store.adapter.cancel_order(request)
    assert lines(store, ref) == [(3, 0), (1, 0)]

    bold = store.connect(line_to_zero=True)
    reference = await bold.cancel_order(request)
    assert lines(store, ref) == [(3, 0), (1, 1)]
    assert await bold.cancel_state(ref, reference) == CancelState(confirmed=True)
    await bold.aclose()
    await store.adapter.aclose()
