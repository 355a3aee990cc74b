"""The Yahoo! adapter against the sandbox over HTTP: keys, numbers and cancellations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from redis.asyncio import Redis

from channels.base import (
    AuthExpired,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    Throttled,
)
from channels.yahoo.adapter import BUDGETS, YahooCredentials, YahooSettings
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    PushOutcome,
    PushStatus,
    QuantityPush,
    Reading,
    Reason,
)
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.yahoo_store import CAP, KIND, MUG, TEE, Store

ACCEPTED, REFUSED = PushStatus.ACCEPTED, PushStatus.REFUSED


@pytest.fixture
async def store(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> AsyncIterator[Store]:
    store = Store(start_sandbox(yahoo={"visible_after_s": 0}), redis, sweep_every=1)
    await store.adapter.budgets.fill()
    yield store
    await store.adapter.aclose()


async def test_push_writes_and_read_back_shows(store: Store) -> None:
    assert await store.push((MUG, 12), (TEE, 0)) == [
        PushOutcome(channel_sku=MUG, status=ACCEPTED),
        PushOutcome(channel_sku=TEE, status=ACCEPTED),
    ]
    assert store.sandbox.displayed(KIND) == {MUG: 12, TEE: 0, CAP: 50}
    assert await store.adapter.read_stock([TEE, "none", MUG, "non_sense"]) == [
        Reading(channel_sku=TEE, quantity=0),
        Reading(channel_sku="none", quantity=None),
        Reading(channel_sku=MUG, quantity=12),
        Reading(channel_sku="non_sense", quantity=None),
    ]


async def test_what_cannot_be_sent_is_refused_and_the_rest_goes(store: Store) -> None:
    outcomes = await store.push(("non_sense", 1), (MUG, 1_000_000_000), (TEE, -1), (CAP, 4))
    assert [(o.status, o.detail) for o in outcomes] == [
        (REFUSED, "channel_sku"),
        (REFUSED, "quantity"),
        (REFUSED, "quantity"),
        (ACCEPTED, ""),
    ]
    assert store.sandbox.displayed(KIND) == {MUG: 5, TEE: 3, CAP: 4}


async def test_the_flag_for_overdraft_is_sent_only_when_set(store: Store) -> None:
    await store.push((MUG, 1))
    strict = store.connect(allow_overdraft=False)
    pushes = [QuantityPush(channel_sku=s, quantity=2, change=None, key="k") for s in (MUG, TEE)]
    assert [o.status for o in await strict.push_quantities(pushes)] == [ACCEPTED, ACCEPTED]
    await strict.aclose()


@pytest.mark.parametrize(
    ("fault", "error", "mugs"),
    [
        ("timeout_after_apply", OutcomeUnknown, 12),
        ("garbage", OutcomeUnknown, 12),
        ("error_rate", RetryLater, 5),
        ("maintenance", RetryLater, 5),
        ("throttle_rate", Throttled, 5),
        ("auth_expired", AuthExpired, 5),
    ],
)
async def test_a_push_that_goes_wrong_says_what_is_known(
    store: Store, fault: str, error: type[Exception], mugs: int
) -> None:
    store.sandbox.break_with(KIND, **{fault: {"value": 1, "endpoint": "setStock"}})
    with pytest.raises(error) as caught:
        await store.push((MUG, 12))
    assert type(caught.value) is error
    assert store.sandbox.displayed(KIND)[MUG] == mugs


async def test_a_token_that_ended_early_is_replaced_at_once(store: Store) -> None:
    assert [o.status for o in await store.push((MUG, 7))] == [ACCEPTED]
    store.sandbox.move_clock(3601)
    assert [o.status for o in await store.push((MUG, 8))] == [ACCEPTED]
    assert store.sandbox.displayed(KIND)[MUG] == 8


async def test_an_ended_consent_is_for_a_person(store: Store) -> None:
    store.sandbox.move_clock(28 * 86_400)
    with pytest.raises(AuthExpired) as caught:
        await store.pull()
    token = store.sandbox.access(KIND)["credentials"]["refresh_token"]
    assert token not in str(caught.value)


async def test_a_proof_that_is_not_accepted_is_for_a_person(store: Store) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = other.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    stranger = store.connect({"public_key_pem": pem})
    with pytest.raises(AuthExpired, match="proof"):
        await stranger.pull_orders({}, seen={})
    await stranger.aclose()


def test_the_days_shares_stay_within_the_application_s_calls() -> None:
    shares = [budget for budget in BUDGETS if budget.endpoint.endswith(".day")]
    assert len(shares) == 5
    assert sum(86_400 / budget.seconds + budget.burst for budget in shares) <= 50_000


def test_a_key_that_cannot_seal_is_refused_at_once() -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = curve.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    names = ("client_id", "client_secret", "refresh_token", "public_key_version")
    for wrong in ("secret-rubbish", pem):
        given = dict.fromkeys(names, "hidden") | {"public_key_pem": wrong}
        with pytest.raises(msgspec.ValidationError, match="RSA public key") as caught:
            msgspec.convert(given, YahooCredentials)
        assert "rubbish" not in str(caught.value)


def out_of_stock(ref: str) -> CancelRequest:
    return CancelRequest(order_ref=ref, line_refs=(), reason=Reason.OUT_OF_STOCK)


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


@pytest.mark.parametrize(
    "wrong", [{"seller_id": ""}, {"orders_read_max": 0}, {"window_hours": 0}, {"shop": "x"}]
)
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"seller_id": "my-store"} | wrong, YahooSettings)
