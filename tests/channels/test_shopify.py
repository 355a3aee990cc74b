"""The Shopify adapter against the sandbox over HTTP: writing and reading numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
from redis.asyncio import Redis

from channels.base import (
    OutcomeUnknown,
)
from inventory.vocabulary import (
    PushOutcome,
    PushStatus,
    QuantityPush,
    Reading,
)
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.shopify_shop import Opener, Shop, opened

ODD_SKUS = ["棚/A 1", 'a"b', "a'b,c", "back\\slash", "A OR sku:MUG"]


def push(sku: str, quantity: int, change: int | None, key: str = "k-1") -> QuantityPush:
    """One number to show."""
    return QuantityPush(channel_sku=sku, quantity=quantity, change=change, key=key)


def told(outcomes: list[PushOutcome]) -> list[tuple[str, str, str]]:
    """SKU, status and code of each outcome."""
    return [(one.channel_sku, one.status.value, one.code) for one in outcomes]


@pytest.fixture
def open_shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


@pytest.fixture
async def shop(open_shop: Opener) -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_a_change_is_added_to_what_is_there_now(shop: Shop) -> None:
    shop.sold({"MUG": 3})

    outcomes = await shop.adapter.push_quantities([push("MUG", 8, -2)])

    assert told(outcomes) == [("MUG", "accepted", "")]
    assert shop.sandbox.displayed("shopify")["MUG"] == 5
    [write] = shop.sandbox.books("shopify")["writes"]
    assert write["mode"] == "relative"


async def test_the_same_attempt_sent_again_counts_once(shop: Shop) -> None:
    first = push("MUG", 8, -2)

    await shop.adapter.push_quantities([first])
    await shop.adapter.push_quantities([push("MUG-RED", 4, -1, "k-2"), first])
    await shop.adapter.push_quantities([push("MUG", 8, -2, "k-3")])

    assert shop.sandbox.displayed("shopify") == {"MUG": 6, "MUG-RED": 4}


async def test_without_a_known_number_it_is_read_and_set(shop: Shop) -> None:
    outcomes = await shop.adapter.push_quantities(
        [push("MUG", 4, None), push("MUG-RED", 9, 4, "k-2"), push("NO-SUCH", 1, 1, "k-3")]
    )

    assert told(outcomes) == [
        ("MUG", "accepted", ""),
        ("MUG-RED", "accepted", ""),
        ("NO-SUCH", "refused", "not_found"),
    ]
    writes = shop.sandbox.books("shopify")["writes"]
    assert [(row["key"], row["after"], row["mode"]) for row in writes] == [
        ("MUG-RED", 9, "relative"),
        ("MUG", 4, "absolute"),
    ]


async def test_no_change_needs_no_call(shop: Shop) -> None:
    await shop.adapter.read_stock(["MUG"])
    before = shop.sandbox.books("shopify")["calls"]["graphql"]["used"]

    outcomes = await shop.adapter.push_quantities([push("MUG", 10, 0)])

    assert told(outcomes) == [("MUG", "accepted", "")]
    assert shop.sandbox.books("shopify")["calls"]["graphql"]["used"] == before


async def test_a_refused_row_leaves_the_others(shop: Shop) -> None:
    outcomes = await shop.adapter.push_quantities(
        [push("MUG", -1, None), push("MUG-RED", 4, -1, "k-2")]
    )

    assert told(outcomes) == [
        ("MUG", "refused", "INVALID_QUANTITY_NEGATIVE"),
        ("MUG-RED", "accepted", ""),
    ]


async def test_numbers_are_read_by_exact_sku(shop: Shop) -> None:
    shop.sandbox.list_items("shopify", {sku: number for number, sku in enumerate(ODD_SKUS)})

    readings = await shop.adapter.read_stock([*ODD_SKUS, "MU", "MUG", "mug"])

    assert readings == [
        *(Reading(channel_sku=sku, quantity=number) for number, sku in enumerate(ODD_SKUS)),
        Reading(channel_sku="MU", quantity=None),
        Reading(channel_sku="MUG", quantity=10),
        Reading(channel_sku="mug", quantity=None),
    ]


async def test_odd_skus_are_written(shop: Shop) -> None:
    shop.sandbox.list_items("shopify", dict.fromkeys(ODD_SKUS, 5))
    pushes = [push(sku, 3, -2, f"k-{sku}") for sku in ODD_SKUS]

    outcomes = await shop.adapter.push_quantities(pushes)

    assert {outcome.status for outcome in outcomes} == {PushStatus.ACCEPTED}
    shown = shop.sandbox.displayed("shopify")
    assert [shown[sku] for sku in ODD_SKUS] == [3] * len(ODD_SKUS)


async def test_the_only_location_is_found_without_a_setting(open_shop: Opener) -> None:
    async with open_shop(location_id=None) as shop:
        assert await shop.adapter.read_stock(["MUG"]) == [Reading(channel_sku="MUG", quantity=10)]


async def test_no_answer_to_a_write_is_unknown_and_repeating_it_is_safe(shop: Shop) -> None:
    await shop.adapter.read_stock(["MUG"])
    shop.sandbox.break_with("shopify", timeout_after_apply={"calls": 1, "endpoint": "graphql"})
    attempt = [push("MUG", 8, -2)]

    with pytest.raises(OutcomeUnknown):
        await shop.adapter.push_quantities(attempt)
    outcomes = await shop.adapter.push_quantities(attempt)

    assert told(outcomes) == [("MUG", "accepted", "")]
    assert shop.sandbox.displayed("shopify")["MUG"] == 8


async def test_an_unreadable_answer_to_a_write_is_unknown(shop: Shop) -> None:
    await shop.adapter.read_stock(["MUG"])
    shop.sandbox.break_with("shopify", garbage={"endpoint": "graphql"})

    with pytest.raises(OutcomeUnknown):
        await shop.adapter.push_quantities([push("MUG", 8, -2)])
