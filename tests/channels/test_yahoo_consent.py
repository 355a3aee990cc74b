"""The Yahoo! adapter against the sandbox over HTTP: tokens, consent and proof by public key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from redis.asyncio import Redis

from channels.base import Adapter, AuthExpired, RetryLater
from channels.keep import MemoryKeep
from channels.yahoo.adapter import YahooCredentials, YahooSettings
from channels.yahoo.consent import Kept, TokenAnswer
from channels.yahoo.proof import Proof
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.yahoo_store import KIND, MUG, Store

HALF_A_DAY = 12 * 3600
BACK = "https://shop.example/back"
NO_KEY = {"public_key_pem": "", "public_key_version": ""}


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


def refreshed(store: Store) -> int:
    count: int = store.sandbox.books(KIND)["door"]["refreshed"]
    return count


async def works(adapter: Adapter) -> bool:
    [reading] = await adapter.read_stock([MUG])
    return reading.quantity == 5


def stranger() -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {"public_key_pem": pem.decode()}


async def test_two_workers_that_need_a_token_make_one_call(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store(rotates=True))
    other = store.connect()
    await asyncio.gather(store.adapter.read_stock([MUG]), other.read_order("none-1"))
    assert refreshed(store) == 1
    await other.aclose()


async def test_a_restart_goes_on_with_the_newest_refresh_token(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store(rotates=True))
    first = store.sandbox.access(KIND)["credentials"]["refresh_token"]
    assert await works(store.adapter)
    store.sandbox.move_clock(3601)

    restarted = store.connect({"refresh_token": first})
    assert await works(restarted)
    assert await works(store.adapter)  # the worker that was there all along takes it over
    assert refreshed(store) == 2
    # Who knows only the first one is at an end.
    alone = store.connect({"refresh_token": first}, keep=MemoryKeep())
    with pytest.raises(AuthExpired, match="invalid_grant") as caught:
        await alone.read_stock([MUG])
    assert first not in str(caught.value)
    for adapter in (restarted, alone):
        await adapter.aclose()


async def test_a_new_refresh_token_is_kept_before_the_access_token_is_used(
    open_store: Callable[..., Store],
) -> None:
    class FullKeep(MemoryKeep):
        async def put(self, name: str, text: str) -> None:
            raise RetryLater(f"{name} cannot be kept")

    store = await ready(open_store(rotates=True))
    adapter = store.connect(keep=FullKeep())
    with pytest.raises(RetryLater, match="cannot be kept"):
        await adapter.read_stock([MUG])
    assert (refreshed(store), store.calls("getStock")) == (1, 0)
    await adapter.aclose()


def consent_anew(store: Store) -> str:
    """The store's owner consents in a browser; the new refresh token."""
    access = store.sandbox.access(KIND)
    keys = access["credentials"]
    query = {
        "response_type": "code",
        "client_id": keys["client_id"],
        "redirect_uri": BACK,
        "scope": "openid profile",
    }
    address = f"{access['base_url']}/yconnect/v2"
    page = httpx.get(f"{address}/authorization", params=query)
    code = dict(parse_qsl(urlsplit(page.headers["location"]).query))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    auth = (keys["client_id"], keys["client_secret"])
    answer = httpx.post(f"{address}/token", data=form, auth=auth)
    return str(answer.json()["refresh_token"])


async def test_a_consent_ends_after_four_weeks_and_a_new_one_takes_its_place(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store(rotates=True))
    given = datetime.now(UTC) - timedelta(days=20)
    adapter = store.connect({"consented_at": given.isoformat()})
    standing = await adapter.standing()
    assert standing.account == store.sandbox.access(KIND)["settings"]["seller_id"]
    assert [(one.name, one.ends_at) for one in standing.expiries] == [
        ("consent", given + timedelta(days=28))
    ]
    assert standing.dangers == ()
    store.sandbox.move_clock(28 * 86_400)
    with pytest.raises(AuthExpired, match="consent anew"):
        await adapter.pull_orders({}, seen={})

    # A person gives us the token of the new consent; what was kept of the old one is put aside.
    today = datetime.now(UTC)
    renewed = {"refresh_token": consent_anew(store), "consented_at": today.isoformat()}
    anew = store.connect(renewed)
    [consent] = (await anew.standing()).expiries
    assert consent.ends_at == today + timedelta(days=28)
    for each in (adapter, anew):
        await each.aclose()


async def test_where_the_date_is_not_told_it_is_counted_from_first_use(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store(rotates=True))
    before = datetime.now(UTC)
    keyless = store.connect({**NO_KEY, "public_key_ends_at": "2027-03-01T00:00:00+09:00"})
    standing = await keyless.standing()
    assert [danger.code for danger in standing.dangers] == ["no_public_key", "consent_date_unknown"]
    [consent, key] = standing.expiries
    after = datetime.now(UTC)
    assert before <= consent.ends_at - timedelta(hours=12) <= after
    assert key.ends_at == datetime(2027, 2, 28, 15, tzinfo=UTC)
    # The date stays while tokens come and go, unless the store knows that it moves with them.
    store.sandbox.move_clock(3601)
    await keyless.read_stock([MUG])
    assert (await keyless.standing()).expiries[0] == consent
    moving = store.connect(NO_KEY, consent_renewed_by_refresh=True)
    store.sandbox.move_clock(2 * 3601)
    await moving.read_stock([MUG])
    assert (await moving.standing()).expiries[0].ends_at > consent.ends_at
    for adapter in (keyless, moving):
        await adapter.aclose()


async def test_a_proof_that_is_not_accepted_is_for_a_person(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store())
    wrong = store.connect(stranger())
    for ask in (wrong.standing(), wrong.pull_orders({}, seen={})):
        with pytest.raises(AuthExpired, match=r"proof.*'unauthorized'"):
            await ask
    await wrong.aclose()


async def test_without_a_key_orders_are_read_for_twelve_hours(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store())
    ref = store.buy()
    keyless = store.connect(NO_KEY)
    [order] = (await keyless.pull_orders({}, seen={})).orders
    assert order.order_ref == ref
    store.sandbox.move_clock(HALF_A_DAY + 1)
    with pytest.raises(AuthExpired):
        await keyless.pull_orders({}, seen={})
    await keyless.aclose()


async def test_an_answer_that_says_nothing_of_the_proof_is_no_good_sign(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store(tells_proof=False))
    with pytest.raises(AuthExpired, match="nothing"):
        await store.adapter.standing()
    lenient = store.connect(proof_status_required=False)
    await lenient.standing()
    await lenient.aclose()


async def test_stock_and_token_calls_carry_the_proof_in_case_they_need_it(
    open_store: Callable[..., Store],
) -> None:
    store = await ready(open_store(stock_needs_proof=True, token_needs_proof=True))
    assert await works(store.adapter)
    store.sandbox.move_clock(HALF_A_DAY + 1)
    assert await works(store.adapter)
    bare = store.connect(proof_on_stock=False)
    with pytest.raises(AuthExpired):
        await bare.read_stock([MUG])
    tokenless = store.connect(keep=MemoryKeep(), proof_on_token=False)
    with pytest.raises(AuthExpired, match="invalid_grant"):
        await tokenless.read_stock([MUG])
    for adapter in (bare, tokenless):
        await adapter.aclose()


def credentials(**keys: Any) -> YahooCredentials:
    given = {"client_id": "c", "client_secret": "hidden", "refresh_token": "hidden"} | keys
    return msgspec.convert(given, YahooCredentials)


def test_the_proof_is_made_anew_for_every_call() -> None:
    keys = credentials(**stranger(), public_key_version="7")
    proof = Proof(YahooSettings(seller_id="my-store"), keys)
    one, two = proof.headers(), proof.headers()
    assert one["X-sws-signature"] != two["X-sws-signature"]
    assert one["X-sws-signature-version"] == "7"
    assert Proof(YahooSettings(seller_id="my-store"), credentials()).headers() == {}


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"public_key_version": "1"}, "go together"),
        ({"consented_at": "2026-11-01T09:00:00"}, "offset"),
        ({"public_key_ends_at": "2026-11-01T09:00:00"}, "offset"),
    ],
)
def test_credentials_that_do_not_fit_are_named(keys: dict[str, str], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        credentials(**keys)


def test_tokens_are_never_shown() -> None:
    kept = Kept(seed="s", since=datetime.now(UTC), refresh_token="hidden", access_token="hidden")
    for secret in (credentials(), kept, TokenAnswer(access_token="hidden")):
        assert "hidden" not in repr(secret)
