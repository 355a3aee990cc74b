"""The Yahoo! adapter against the sandbox over HTTP: keys, numbers and cancellations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.asyncio import Redis

from channels.base import (
    AuthExpired,
    OutcomeUnknown,
    RetryLater,
    Throttled,
)
from channels.keep import MemoryKeep
from channels.yahoo.adapter import YahooCredentials, YahooSettings
from channels.yahoo.budgets import BUDGETS, budgets
from inventory.vocabulary import (
    PushOutcome,
    PushStatus,
    Reading,
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


def test_the_day_and_each_second_are_shared_by_all_stores_of_an_application() -> None:
    functions = [budget for budget in BUDGETS if budget.per_day]
    assert len(functions) == len(BUDGETS) - 1
    assert {(one.per_day, one.day, one.day_per_credential) for one in functions} == {
        (50_000, "yahoo", True)
    }
    assert all(one.single and one.seconds == 1.0 and one.per_credential for one in functions)
    assert not any(one.per_credential for one in budgets(second_per_store=True))


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


@pytest.mark.parametrize(
    "wrong", [{"seller_id": ""}, {"orders_read_max": 0}, {"window_hours": 0}, {"shop": "x"}]
)
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"seller_id": "my-store"} | wrong, YahooSettings)


async def test_a_refusal_names_yahoos_code(store: Store) -> None:
    store.sandbox.break_with(KIND, auth_expired={"value": 1, "endpoint": "orderInfo"})
    with pytest.raises(AuthExpired, match=r"^yahoo\.order_info: 401 px-04102"):
        await store.adapter.read_order("1")


async def test_a_refused_application_is_named(store: Store) -> None:
    stranger = store.connect({"client_secret": "guessed"}, keep=MemoryKeep())
    with pytest.raises(AuthExpired, match="401 invalid_client") as caught:
        await stranger.read_order("1")
    assert "guessed" not in str(caught.value)
    await stranger.aclose()
