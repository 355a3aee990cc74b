"""The EC-CUBE adapter against the sandbox over HTTP: tokens, numbers, notices, giving up."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis

from channels.base import AuthExpired, NoticeForged, OutcomeUnknown, Rejected, RetryLater
from channels.keep import MemoryKeep
from inventory.vocabulary import (
    CancelRequest,
    CancelState,
    PushStatus,
    Reading,
    Reason,
)
from tests.channels.eccube_shop import KIND, Opener, Shop, opened
from tests.channels.sandbox_process import SandboxProcess


@pytest.fixture
def open_shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


@pytest.fixture
async def shop(open_shop: Opener) -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


# Tokens.


async def test_a_refresh_token_works_once_and_the_next_one_is_kept(shop: Shop) -> None:
    await shop.adapter.read_stock(["MUG"])
    for hours in (2, 4, 6):
        shop.sandbox.move_clock(hours * 3600)
        assert await shop.adapter.read_stock(["MUG"]) == [Reading(channel_sku="MUG", quantity=10)]

    restarted = shop.connect()
    assert (await restarted.read_stock(["MUG"]))[0].quantity == 10

    alone = shop.connect(keep=MemoryKeep())
    with pytest.raises(AuthExpired, match="log in at the shop's admin once more"):
        await alone.read_stock(["MUG"])


async def test_many_workers_renew_a_token_once(shop: Shop) -> None:
    workers = [shop.connect() for _ in range(5)]

    readings = await asyncio.gather(*(each.read_stock(["MUG"]) for each in workers))

    assert {reading.quantity for [reading] in readings} == {10}


async def test_a_person_logs_in_anew_by_a_new_refresh_token(shop: Shop) -> None:
    await shop.adapter.read_stock(["MUG"])

    stranger = shop.connect(refresh_token="not the shop's")

    with pytest.raises(AuthExpired) as refused:
        await stranger.read_stock(["MUG"])
    assert "not the shop's" not in f"{refused.value!r}"
    assert (await shop.connect().read_stock(["MUG"]))[0].quantity == 10


async def test_standing_counts_the_refresh_token_down(shop: Shop) -> None:
    standing = await shop.adapter.standing()

    [expiry] = standing.expiries
    ends = datetime.now(UTC) + timedelta(days=30)
    assert (expiry.name, standing.dangers) == ("refresh token", ())
    assert timedelta() <= ends - expiry.ends_at < timedelta(minutes=1)


# Numbers.


async def test_numbers_are_set_and_read_back(shop: Shop) -> None:
    outcomes = await shop.push(**{"MUG": 7, "NO-SUCH": 1, "MUG-RED": 0})

    assert [(one.channel_sku, one.status.value, one.code) for one in outcomes] == [
        ("MUG", "accepted", ""),
        ("NO-SUCH", "refused", "not_found"),
        ("MUG-RED", "accepted", ""),
    ]
    assert await shop.adapter.read_stock(["MUG-RED", "MUG", "NO-SUCH"]) == [
        Reading(channel_sku="MUG-RED", quantity=0),
        Reading(channel_sku="MUG", quantity=7),
        Reading(channel_sku="NO-SUCH", quantity=None),
    ]


async def test_a_code_of_two_items_is_refused_and_has_no_number(open_shop: Opener) -> None:
    async with open_shop({"doubled": ["MUG"]}) as shop:
        [outcome] = await shop.push(MUG=3)

        assert (outcome.status, outcome.code) == (PushStatus.REFUSED, "duplicate_sku")
        assert await shop.adapter.read_stock(["MUG"]) == [Reading(channel_sku="MUG", quantity=None)]


async def test_an_item_without_a_limit_shows_a_million_until_a_number_is_set(
    open_shop: Opener,
) -> None:
    async with open_shop({"unlimited": ["MUG"]}) as shop:
        [before] = await shop.adapter.read_stock(["MUG"])
        await shop.push(MUG=4)
        [after] = await shop.adapter.read_stock(["MUG"])

    assert (before.quantity, after.quantity) == (1_000_000, 4)


async def test_a_code_is_found_among_many_that_contain_it(shop: Shop) -> None:
    shop.sandbox.list_items(KIND, {f"MUG-{number:03d}": number for number in range(120)})

    readings = await shop.adapter.read_stock(["MUG", "MUG-007", "mug", "MUG_RED"])

    assert [reading.quantity for reading in readings] == [10, 7, None, None]


async def test_no_answer_to_a_number_is_unknown(shop: Shop) -> None:
    await shop.adapter.read_stock(["MUG"])
    shop.sandbox.break_with(KIND, timeout_after_apply={"calls": 1, "endpoint": "api"})

    with pytest.raises(OutcomeUnknown):
        await shop.push(MUG=3)
    assert shop.sandbox.displayed(KIND)["MUG"] == 3


async def test_a_token_without_the_scope_to_write_needs_a_person(open_shop: Opener) -> None:
    async with open_shop({"read_only": True}) as shop:
        with pytest.raises(AuthExpired, match="Insufficient permission"):
            await shop.push(MUG=3)


@pytest.mark.parametrize(
    ("faults", "error"),
    [({"error_rate": 1}, RetryLater), ({"auth_expired": 1}, AuthExpired)],
)
async def test_a_sick_shop_is_asked_again_later_or_by_a_person(
    shop: Shop, faults: dict[str, Any], error: type[Exception]
) -> None:
    await shop.pull()
    shop.sandbox.break_with(KIND, **faults)

    with pytest.raises(error):
        await shop.pull()


async def test_items_are_listed_with_their_dangers(open_shop: Opener) -> None:
    async with open_shop({"unlimited": ["MUG"], "hidden": ["MUG-RED"]}) as shop:
        shop.sandbox.list_items(KIND, {f"S-{number}": number for number in range(60)})
        first = await shop.adapter.discover({})
        second = await shop.adapter.discover(json.loads(json.dumps(first.cursor)))

    listings = {one.channel_sku: one for one in (*first.listings, *second.listings)}
    assert (len(listings), second.cursor) == (62, None)
    mug, red = listings["MUG"], listings["MUG-RED"]
    assert (mug.quantity, [danger.code for danger in mug.dangers]) == (None, ["unlimited_stock"])
    assert (red.quantity, red.closed, red.codes) == (5, True, ("MUG-RED",))


# Notices.


def signed(shop: Shop, body: bytes) -> dict[str, str]:
    """The headers of a webhook with this body."""
    secret = shop.sandbox.access(KIND)["credentials"]["webhook_secret"]
    return {"x-eccube-signature": hmac.digest(secret.encode(), body, "sha256").hex()}


@pytest.mark.parametrize(
    ("body", "refs"),
    [
        (b'[{"entity":"order","id":12,"action":"created"}]', ("12",)),
        (b'{"entity":"order","id":12,"action":"updated"}', ("12",)),
        (
            (
                b'[{"entity":"order","id":1,"action":"updated"},{"entity":"product","id":3,'
                b'"action":"updated"},{"entity":"order","id":1,"action":"updated"},'
                b'{"entity":"order","id":2,"action":"updated"}]'
            ),
            ("1", "2"),
        ),
        (b'[{"entity":"product","id":3,"action":"updated"}]', ()),
    ],
)
async def test_a_notice_names_its_orders(shop: Shop, body: bytes, refs: tuple[str, ...]) -> None:
    notice = await shop.adapter.read_notice(signed(shop, body), body)
    again = await shop.adapter.read_notice(signed(shop, body), body)

    assert (notice.order_refs, notice.order) == (refs, None)
    assert notice.name != again.name


async def test_a_wrong_proof_or_none_is_forged(shop: Shop) -> None:
    body = b'[{"entity":"order","id":12,"action":"created"}]'

    for headers in ({}, {"X-ECCUBE-Signature": "00"}, signed(shop, body + b" ")):
        with pytest.raises(NoticeForged):
            await shop.adapter.read_notice(headers, body)
    unproven = shop.connect(webhook_secret="")
    empty = hmac.digest(b"", body, "sha256").hex()
    with pytest.raises(NoticeForged):
        await unproven.read_notice({"x-eccube-signature": empty}, body)
    with pytest.raises(Rejected):
        await shop.adapter.read_notice(signed(shop, b"[1]"), b"[1]")


# Giving orders up.


async def test_an_order_is_cancelled_by_a_person_in_the_admin(shop: Shop) -> None:
    ref = shop.sold()
    request = CancelRequest(order_ref=ref, line_refs=("MUG",), reason=Reason.OUT_OF_STOCK)

    with pytest.raises(Rejected, match="admin"):
        await shop.adapter.cancel_order(request)
    before = await shop.adapter.cancel_state(ref, "by hand")
    shop.sandbox.act(KIND, ref, "staff-cancel")

    assert before == CancelState()
    assert await shop.adapter.cancel_state(ref, "by hand") == CancelState(confirmed=True)
    assert shop.sandbox.displayed(KIND)["MUG"] == 10
