"""The Amazon adapter against the sandbox over HTTP: numbers, logins and faults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from channels.amazon.adapter import BUDGETS, AmazonCredentials, AmazonSettings, build
from channels.base import AuthExpired, BadAnswer, RetryLater, Throttled
from channels.keep import Means, MemoryKeep
from inventory.vocabulary import (
    PushOutcome,
    PushStatus,
    QuantityPush,
    Reading,
)
from tests.channels.amazon_seller import Opener, Seller, opened
from tests.channels.sandbox_process import SandboxProcess

ODD_SKUS = ["棚/A 1", "a,b", "100%_#?&", "..;x"]


def pushes(quantities: Mapping[str, int]) -> list[QuantityPush]:
    """Numbers to set."""
    return [
        QuantityPush(channel_sku=sku, quantity=quantity, change=None, key=f"k-{sku}")
        for sku, quantity in quantities.items()
    ]


def by_sku(outcomes: Sequence[PushOutcome]) -> dict[str, tuple[str, str]]:
    """Status and code of each outcome."""
    return {one.channel_sku: (one.status.value, one.code) for one in outcomes}


@pytest.fixture
def open_seller(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


@pytest.fixture
async def seller(open_seller: Opener) -> AsyncIterator[Seller]:
    async with open_seller() as seller:
        yield seller


async def test_a_token_that_ended_early_is_renewed_once(seller: Seller) -> None:
    await seller.pull()

    seller.sandbox.move_clock(3601)

    assert (await seller.pull()).orders == ()


async def test_a_refused_key_needs_a_person(seller: Seller) -> None:
    seller.sandbox.break_with("amazon", auth_expired=1)

    with pytest.raises(AuthExpired, match="invalid_grant"):
        await seller.pull()


async def test_a_wrong_secret_is_told_without_showing_it(open_seller: Opener, redis: Redis) -> None:
    async with open_seller() as seller:
        access = seller.sandbox.access("amazon")
        wrong = AmazonCredentials(
            client_id="amzn1.x", client_secret="hush-hush", refresh_token="Atzr|hush-hush"
        )
        adapter = build(
            channel_id=2,
            base_url=access["base_url"],
            settings=msgspec.convert(access["settings"], AmazonSettings),
            credentials=wrong,
            means=Means(redis=redis, keep=MemoryKeep()),
        )

        with pytest.raises(AuthExpired) as refused:
            await adapter.read_order("249-1")

        await adapter.aclose()
        assert "hush-hush" not in f"{refused.value!r} {wrong!r}"
        assert "401 invalid_client" in str(refused.value)


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ({"error_rate": 1}, RetryLater),
        ({"throttle_rate": 1}, Throttled),
        ({"garbage": {"endpoint": "searchOrders"}}, BadAnswer),
        ({"timeout_after_apply": {"endpoint": "searchOrders"}}, RetryLater),
    ],
)
async def test_a_sick_marketplace_is_asked_again_later(
    seller: Seller, faults: dict[str, Any], error: type[Exception]
) -> None:
    await seller.pull()
    seller.sandbox.break_with("amazon", **faults)

    with pytest.raises(error):
        await seller.pull()

    seller.sandbox.break_with("amazon")
    await seller.refill()
    assert (await seller.pull()).orders == ()


async def test_numbers_are_set_and_read_back(seller: Seller) -> None:
    seller.sandbox.list_items("amazon", dict.fromkeys(ODD_SKUS, 1))
    wanted = {"MUG-RED": 3, "MUG-BLUE": 0, **dict.fromkeys(ODD_SKUS, 8)}

    outcomes = await seller.adapter.push_quantities(pushes(wanted))
    readings = await seller.adapter.read_stock([*wanted, "NO-SUCH"])

    assert by_sku(outcomes) == dict.fromkeys(wanted, ("accepted", ""))
    assert [outcome.channel_sku for outcome in outcomes] == list(wanted)
    assert readings == [
        *(Reading(channel_sku=sku, quantity=quantity) for sku, quantity in wanted.items()),
        Reading(channel_sku="NO-SUCH", quantity=None),
    ]


async def test_a_listing_that_amazon_stocks_is_never_written(seller: Seller) -> None:
    seller.sandbox.list_items("amazon", {"FBA-1": 3}, by_channel=True)

    outcomes = await seller.adapter.push_quantities(
        pushes({"FBA-1": 5, "MUG-RED": 4, "NO-SUCH": 1})
    )

    assert by_sku(outcomes) == {
        "FBA-1": ("refused", "fulfilled_by_channel"),
        "MUG-RED": ("accepted", ""),
        "NO-SUCH": ("refused", "not_found"),
    }
    [fba] = [row for row in seller.sandbox.books("amazon")["listings"] if row["key"] == "FBA-1"]
    assert (fba["by_channel"], fba["displayed"]) == (True, 3)


async def test_a_number_that_amazon_finds_invalid_is_refused(seller: Seller) -> None:
    outcomes = await seller.adapter.push_quantities(pushes({"MUG-RED": -1}))

    assert by_sku(outcomes) == {"MUG-RED": ("refused", "90000900")}
    assert seller.sandbox.displayed("amazon")["MUG-RED"] == 10


async def test_a_full_batch_keeps_within_the_limit(seller: Seller) -> None:
    wanted = {f"S-{number:02d}": number for number in range(20)}
    seller.sandbox.list_items("amazon", dict.fromkeys(wanted, 99))

    outcomes = await seller.adapter.push_quantities(pushes(wanted))

    calls = seller.sandbox.books("amazon")["calls"]
    assert by_sku(outcomes) == dict.fromkeys(wanted, ("accepted", ""))
    assert {name: row["refused"] for name, row in calls.items() if row["refused"]} == {}
    assert calls["patchListingsItem"]["used"] == 20


async def test_no_answer_to_one_write_is_unknown_and_the_others_stand(seller: Seller) -> None:
    await seller.adapter.read_stock(["MUG-RED", "MUG-BLUE"])
    seller.sandbox.break_with(
        "amazon", timeout_after_apply={"calls": 1, "endpoint": "patchListingsItem"}
    )

    outcomes = await seller.adapter.push_quantities(pushes({"MUG-RED": 3, "MUG-BLUE": 4}))

    statuses = sorted(outcome.status for outcome in outcomes)
    assert statuses == [PushStatus.ACCEPTED, PushStatus.UNKNOWN]
    assert seller.sandbox.displayed("amazon") == {"MUG-RED": 3, "MUG-BLUE": 4}


async def test_an_unreadable_answer_to_a_write_is_unknown(seller: Seller) -> None:
    seller.sandbox.break_with("amazon", garbage={"endpoint": "patchListingsItem"})

    outcomes = await seller.adapter.push_quantities(pushes({"MUG-RED": 3}))

    assert by_sku(outcomes) == {"MUG-RED": ("unknown", "outcome_unknown")}


async def test_what_was_not_sent_is_left_out_or_raised(seller: Seller) -> None:
    await seller.adapter.read_stock(["MUG-RED", "MUG-BLUE"])

    seller.sandbox.break_with("amazon", error_rate={"calls": 1, "endpoint": "patchListingsItem"})
    some = await seller.adapter.push_quantities(pushes({"MUG-RED": 3, "MUG-BLUE": 4}))
    seller.sandbox.break_with("amazon", error_rate={"endpoint": "patchListingsItem"})
    with pytest.raises(RetryLater):
        await seller.adapter.push_quantities(pushes({"MUG-RED": 5, "MUG-BLUE": 6}))

    [outcome] = some
    assert outcome.status is PushStatus.ACCEPTED
    assert sorted(seller.sandbox.displayed("amazon").values()) in ([3, 5], [4, 10])


def test_budgets_are_the_published_plans() -> None:
    plans = {budget.endpoint.removeprefix("amazon."): budget for budget in BUDGETS}

    assert (1 / plans["search_orders"].seconds, plans["search_orders"].burst) == (0.0056, 20)
    assert (1 / plans["create_feed"].seconds, plans["create_feed"].burst) == (0.0083, 15)
    assert all(budget.endpoint.startswith("amazon.") for budget in BUDGETS)
