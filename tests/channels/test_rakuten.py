"""The Rakuten adapter against the sandbox over HTTP: numbers and cancellations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from channels.base import (
    AuthExpired,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    Throttled,
)
from channels.rakuten.adapter import RakutenCredentials, RakutenSettings
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    PushOutcome,
    PushStatus,
    QuantityPush,
    Reading,
    Reason,
)
from tests.channels.rakuten_shop import CAP, KIND, MUG, TEE, Shop
from tests.channels.sandbox_process import SandboxProcess

ACCEPTED, REFUSED, UNKNOWN = PushStatus.ACCEPTED, PushStatus.REFUSED, PushStatus.UNKNOWN


@pytest.fixture
async def shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Shop]:
    shop = Shop(start_sandbox(rakuten={"visible_after_s": 0}), redis)
    await shop.adapter.budgets.fill()
    yield shop
    await shop.adapter.aclose()


async def test_push_writes_and_read_back_shows(shop: Shop) -> None:
    outcomes = await shop.push(MUG=12, TEE=0)

    assert outcomes == [
        PushOutcome(channel_sku=MUG, status=ACCEPTED),
        PushOutcome(channel_sku=TEE, status=ACCEPTED),
    ]
    assert shop.sandbox.displayed(KIND) == {MUG: 12, TEE: 0, CAP: 9}
    assert await shop.adapter.read_stock([TEE, "none/x", MUG, "nonsense"]) == [
        Reading(channel_sku=TEE, quantity=0),
        Reading(channel_sku="none/x", quantity=None),
        Reading(channel_sku=MUG, quantity=12),
        Reading(channel_sku="nonsense", quantity=None),
    ]


async def test_what_cannot_be_sent_is_refused_and_the_rest_goes(shop: Shop) -> None:
    pushes = [("nonsense", 1), (MUG, 100_000), (TEE, -1), (CAP, 4)]
    outcomes = await shop.adapter.push_quantities(
        [QuantityPush(channel_sku=s, quantity=n, change=None, key="k") for s, n in pushes]
    )
    assert [(o.status, o.detail) for o in outcomes] == [
        (REFUSED, "channel_sku"),
        (REFUSED, "quantity"),
        (REFUSED, "quantity"),
        (ACCEPTED, ""),
    ]
    assert shop.sandbox.displayed(KIND) == {MUG: 5, TEE: 3, CAP: 4}


@pytest.mark.parametrize(
    ("fault", "error", "mugs"),
    [
        ("timeout_after_apply", OutcomeUnknown, 12),
        ("garbage", OutcomeUnknown, 12),
        ("error_rate", RetryLater, 5),
        ("throttle_rate", Throttled, 5),
        ("auth_expired", AuthExpired, 5),
    ],
)
async def test_a_push_that_goes_wrong_says_what_is_known(
    shop: Shop, fault: str, error: type[Exception], mugs: int
) -> None:
    shop.sandbox.break_with(KIND, **{fault: True})
    with pytest.raises(error) as caught:
        await shop.push(MUG=12)
    assert type(caught.value) is error
    assert shop.sandbox.displayed(KIND)[MUG] == mugs


async def test_a_429_empties_the_budget(shop: Shop) -> None:
    shop.sandbox.break_with(KIND, throttle_rate={"value": 1, "calls": 1})
    with pytest.raises(Throttled):
        await shop.push(MUG=12)
    assert await shop.adapter.budgets.level("rakuten.bulk_upsert") < 0.5
    [outcome] = await shop.push(MUG=12)
    assert outcome.status is ACCEPTED
    assert shop.sandbox.books(KIND)["calls"]["bulk-upsert"]["refused"] == 0


async def test_a_wrong_key_is_for_a_person_and_not_shown(shop: Shop) -> None:
    stranger = shop.connect(key="SLguessed")
    with pytest.raises(AuthExpired) as caught:
        await stranger.read_order("1")
    assert "SLguessed" not in str(caught.value)
    assert "401 ES04-01" in str(caught.value)
    assert "SLguessed" not in repr(RakutenCredentials(service_secret="a", license_key="SLguessed"))
    await stranger.aclose()


def out_of_stock(ref: str) -> CancelRequest:
    return CancelRequest(order_ref=ref, line_refs=(), reason=Reason.OUT_OF_STOCK)


async def test_an_out_of_stock_cancel_gives_nothing_back(shop: Shop) -> None:
    ref = shop.buy(MUG=2)
    assert await shop.adapter.cancel_state(ref, "") == CancelState()
    assert await shop.adapter.cancel_order(out_of_stock(ref)) == ""

    book = shop.sandbox.order(KIND, ref)
    assert (book["state"], book["cancelled_by"], book["cancel_code"], book["restocked"]) == (
        "cancelled",
        "seller",
        "8",
        False,
    )
    assert shop.sandbox.displayed(KIND)[MUG] == 3
    assert (await shop.adapter.cancel_state(ref, "")).confirmed is True
    assert await shop.adapter.cancel_order(out_of_stock(ref)) == ""  # asked twice, done once
    assert shop.sandbox.books(KIND)["writes"] == []


async def test_a_shipped_or_unknown_order_is_not_cancelled(shop: Shop) -> None:
    ref = shop.buy(MUG=2)
    shop.sandbox.act(KIND, ref, "ship")
    for wanted in (ref, "123456-20260101-0000000009"):
        with pytest.raises(Rejected):
            await shop.adapter.cancel_order(out_of_stock(wanted))
    assert shop.sandbox.order(KIND, ref)["state"] == "shipped"
    assert (await shop.adapter.cancel_state(ref, "")).refused == "shipped:500"


async def test_a_buyers_wish_is_code_1(shop: Shop) -> None:
    ref = shop.buy(MUG=1)
    await shop.adapter.cancel_order(
        CancelRequest(order_ref=ref, line_refs=(), reason=Reason.BUYER_REQUEST)
    )
    assert shop.sandbox.order(KIND, ref)["cancel_code"] == "1"


async def test_only_the_orders_own_state_confirms_a_cancel(shop: Shop) -> None:
    ref = shop.buy(MUG=1)
    endpoint = "order-cancelOrder"
    shop.sandbox.break_with(KIND, ignore_writes={"value": 1, "endpoint": endpoint})
    await shop.adapter.cancel_order(out_of_stock(ref))
    state = await shop.adapter.cancel_state(ref, "")
    assert (state.confirmed, state.refused) == (False, None)

    shop.sandbox.break_with(KIND, timeout_after_apply={"value": 1, "endpoint": endpoint})
    with pytest.raises(OutcomeUnknown):
        await shop.adapter.cancel_order(out_of_stock(ref))
    assert (await shop.adapter.cancel_state(ref, "")).confirmed is True


async def test_a_part_of_an_order_is_for_a_person(shop: Shop) -> None:
    ref = shop.buy(MUG=2)
    request = CancelRequest(
        order_ref=ref, line_refs=("1/1",), reason=Reason.OUT_OF_STOCK, units=(("1/1", 1),)
    )
    with pytest.raises(Rejected, match="whole orders only"):
        await shop.adapter.cancel_order(request)
    assert shop.sandbox.order(KIND, ref)["state"] == "live"


@pytest.mark.parametrize("action", ["open-change", "parcel"])
async def test_an_order_in_change_or_with_a_parcel_is_not_cancelled(
    shop: Shop, action: str
) -> None:
    ref = shop.buy(MUG=2)
    shop.sandbox.act(KIND, ref, action)
    with pytest.raises(Rejected, match="not 100-300 or shipped"):
        await shop.adapter.cancel_order(out_of_stock(ref))
    assert shop.sandbox.order(KIND, ref)["state"] == "live"


@pytest.mark.parametrize(
    "wrong",
    [
        {"order_version": 6},
        {"orders_api": "item"},
        {"open_order_days": 721},
        {"window_hours": 0},
        {"window_hours": 1489},
        {"overlap_seconds": -1},
        {"live_search_every": 0},
        {"cancelled_search_every": 0},
        {"reread_orders_max": 101},
        {"read_calls_max": 0},
        {"order_seconds": 0.5},
        {"write_seconds": 61},
        {"read_seconds": 0.1},
        {"shop": "x"},
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, RakutenSettings)
