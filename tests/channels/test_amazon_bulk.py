"""The Amazon adapter against the sandbox over HTTP: many numbers as one listings feed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial

import msgspec
import pytest
from redis.asyncio import Redis

from channels.amazon import mapping, mapping_feeds
from channels.amazon.settings import CREATE_FEED, CREATE_FEED_KEPT, SEARCH_LISTINGS
from channels.base import Rejected, Throttled
from inventory.vocabulary import PushOutcome, PushStatus, QuantityPush, Reading
from tests.channels.amazon_seller import Opener, Seller, opened
from tests.channels.sandbox_process import SandboxProcess


def pushes(quantities: Mapping[str, int]) -> list[QuantityPush]:
    """Numbers to set."""
    return [
        QuantityPush(channel_sku=sku, quantity=quantity, change=None, key=f"k-{sku}")
        for sku, quantity in quantities.items()
    ]


def told(outcomes: list[PushOutcome]) -> dict[str, tuple[str, str]]:
    """Status and code of each outcome."""
    return {one.channel_sku: (one.status.value, one.code) for one in outcomes}


@pytest.fixture
def open_seller(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


@pytest.fixture
async def seller(open_seller: Opener) -> AsyncIterator[Seller]:
    async with open_seller() as seller:
        yield seller


async def ended(seller: Seller, reference: str) -> dict[str, tuple[str, str]]:
    """Ask until the job has ended."""
    for _ in range(60):
        outcomes = await seller.adapter.bulk_state(reference)
        if outcomes is not None:
            return told(outcomes)
        await asyncio.sleep(0.05)
    raise AssertionError("the job did not end")


@pytest.mark.parametrize("gzip_reports", [False, True])
async def test_a_feed_sets_numbers_and_its_report_tells_of_each(
    open_seller: Opener, gzip_reports: bool
) -> None:
    async with open_seller({"gzip_reports": gzip_reports}) as seller:
        seller.sandbox.list_items("amazon", {"a,b": 1, "棚/A 1": 1})
        wanted = {"MUG-RED": 3, "a,b": 4, "棚/A 1": 5}

        reference = await seller.adapter.push_bulk(pushes(wanted))
        outcomes = await ended(seller, reference)

        assert outcomes == dict.fromkeys(wanted, ("accepted", ""))
        assert {**seller.sandbox.displayed("amazon"), **wanted} == seller.sandbox.displayed(
            "amazon"
        )


async def test_a_job_is_none_while_it_is_worked_on(open_seller: Opener) -> None:
    async with open_seller({"feed_s": 600.0}) as seller:
        reference = await seller.adapter.push_bulk(pushes({"MUG-RED": 3}))

        assert await seller.adapter.bulk_state(reference) is None


async def test_a_listing_that_amazon_stocks_is_not_sent(seller: Seller) -> None:
    seller.sandbox.list_items("amazon", {"FBA-1": 3}, by_channel=True)

    reference = await seller.adapter.push_bulk(pushes({"FBA-1": 5, "MUG-RED": 4, "NO-SUCH": 1}))

    assert await ended(seller, reference) == {
        "FBA-1": ("refused", "fulfilled_by_channel"),
        "MUG-RED": ("accepted", ""),
        "NO-SUCH": ("refused", "not_found"),
    }
    [fba] = [row for row in seller.sandbox.books("amazon")["listings"] if row["key"] == "FBA-1"]
    assert (fba["by_channel"], fba["displayed"]) == (True, 3)
    with pytest.raises(Rejected):
        await seller.adapter.push_bulk(pushes({"FBA-1": 5}))


@pytest.mark.parametrize(
    "wrong",
    [
        pushes({"MUG-RED": 3, "MUG-BLUE": 0}),
        pushes({"MUG-RED": -1}),
        [*pushes({"MUG-RED": 3}), *pushes({"MUG-RED": 4})],
        [],
        pushes({f"S-{number}": 1 for number in range(25_001)}),
    ],
)
async def test_no_zero_and_nothing_odd_goes_by_feed(
    seller: Seller, wrong: list[QuantityPush]
) -> None:
    with pytest.raises(Rejected):
        await seller.adapter.push_bulk(wrong)

    assert seller.sandbox.books("amazon")["calls"]["createFeedDocument"]["used"] == 0


async def test_a_message_that_amazon_finds_invalid_is_refused_alone(seller: Seller) -> None:
    await seller.adapter.read_stock(["MUG-RED", "MUG-BLUE"])
    await seller.redis.set("amazon:owner:1:GONE", "seller")

    reference = await seller.adapter.push_bulk(pushes({"GONE": 2, "MUG-BLUE": 4}))

    assert await ended(seller, reference) == {
        "GONE": ("refused", "8560"),
        "MUG-BLUE": ("accepted", ""),
    }


async def test_a_fatal_feed_leaves_every_number_in_doubt(open_seller: Opener) -> None:
    async with open_seller({"fatal_listings": True}) as seller:
        reference = await seller.adapter.push_bulk(pushes({"MUG-RED": 3, "MUG-BLUE": 4}))

        outcomes = await ended(seller, reference)

        assert outcomes == dict.fromkeys(("MUG-RED", "MUG-BLUE"), ("unknown", "FATAL"))
        assert seller.sandbox.displayed("amazon") == {"MUG-RED": 3, "MUG-BLUE": 5}


async def test_the_document_still_tells_what_valkey_forgot(seller: Seller) -> None:
    reference = await seller.adapter.push_bulk(pushes({"MUG-RED": 3, "MUG-BLUE": 4}))

    await seller.refill()

    assert await ended(seller, reference) == dict.fromkeys(
        ("MUG-RED", "MUG-BLUE"), ("accepted", "")
    )


async def test_a_reference_of_nobody_is_refused(seller: Seller) -> None:
    with pytest.raises(Rejected):
        await seller.adapter.bulk_state("50001")


async def test_the_last_feeds_are_for_cancellations(seller: Seller) -> None:
    ref = seller.sold()
    await seller.drain(CREATE_FEED, leave=CREATE_FEED_KEPT)

    with pytest.raises(Throttled) as throttled:
        await seller.adapter.push_bulk(pushes({"MUG-RED": 3}))
    state = await seller.settled(ref, await seller.cancel(ref))

    assert throttled.value.seconds > 60
    assert state.confirmed


async def test_no_more_than_five_feeds_of_listings_in_five_minutes(seller: Seller) -> None:
    seller.patience(0)

    for number in (1, 2):
        await seller.adapter.push_bulk(pushes({"MUG-RED": number}))
    with pytest.raises(Throttled):
        await seller.adapter.push_bulk(pushes({"MUG-RED": 3}))

    assert seller.sandbox.books("amazon")["calls"]["createFeed"]["refused"] == 0


async def test_looking_at_many_listings_ends_after_a_while_and_goes_on(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.amazon.bulk.LOOK_SECONDS", -1.0)
    wanted = {f"S-{number:03d}": 1 for number in range(150)}
    seller.sandbox.list_items("amazon", dict.fromkeys(wanted, 9))

    with pytest.raises(Throttled, match="150 listings"):
        await seller.adapter.push_bulk(pushes(wanted))
    monkeypatch.setattr("channels.amazon.bulk.LOOK_SECONDS", 15.0)
    reference = await seller.adapter.push_bulk(pushes(wanted))

    assert set((await ended(seller, reference)).values()) == {("accepted", "")}


async def test_a_hundred_numbers_are_read_by_each_permitted_call(seller: Seller) -> None:
    keys = [f"S-{number:03d}" for number in range(400)]
    seller.sandbox.list_items("amazon", dict.fromkeys(keys, 7))
    assert seller.adapter.capabilities.read_batch_max == 100
    await seller.drain(SEARCH_LISTINGS, leave=0)

    readings = [
        reading
        for start in range(0, len(keys), 100)
        for reading in await seller.adapter.read_stock(keys[start : start + 100])
    ]

    assert readings == [Reading(channel_sku=key, quantity=7) for key in keys]
    calls = seller.sandbox.books("amazon")["calls"]["searchListingsItems"]
    # Five calls a second of twenty SKUs each.
    assert (calls["used"], calls["refused"]) == (len(keys) // 20, 0)


async def test_the_rate_that_amazon_states_is_kept_to(open_seller: Opener) -> None:
    async with open_seller({"rates": {"searchListingsItems": 1.0}}) as seller:
        keys = [f"S-{number:03d}" for number in range(60)]

        began = time.monotonic()
        for _ in range(3):
            await seller.adapter.read_stock(keys)

        assert time.monotonic() - began > 4
        calls = seller.sandbox.books("amazon")["calls"]["searchListingsItems"]
        assert (calls["used"], calls["refused"]) == (9, 0)


def report(accepted: int, *issues: Mapping[str, object]) -> bytes:
    """A listings feed's report."""
    return msgspec.json.encode({"issues": issues, "summary": {"messagesAccepted": accepted}})


def test_a_report_that_is_silent_on_a_message_leaves_it_in_doubt() -> None:
    error = {"severity": "ERROR", "message": "no", "code": "90220"}
    warning = {"severity": "WARNING", "message": "odd", "messageId": 1}
    cases = {
        report(2): [PushStatus.ACCEPTED, PushStatus.ACCEPTED],
        report(2, warning): [PushStatus.ACCEPTED, PushStatus.ACCEPTED],
        report(1, {**error, "messageId": 2}): [PushStatus.ACCEPTED, PushStatus.REFUSED],
        report(1): [PushStatus.UNKNOWN, PushStatus.UNKNOWN],
        report(0, error): [PushStatus.REFUSED, PushStatus.REFUSED],
        report(1, error): [PushStatus.UNKNOWN, PushStatus.UNKNOWN],
    }

    for document, statuses in cases.items():
        outcomes = mapping_feeds.outcomes_in(document, ["A", "B"])
        assert [one.status for one in outcomes] == statuses
        assert [one.channel_sku for one in outcomes] == ["A", "B"]


@pytest.mark.parametrize("document", [b"", b"{}", b"<xml/>"])
def test_what_is_no_report_says_so(document: bytes) -> None:
    with pytest.raises(mapping.Unreadable):
        mapping_feeds.outcomes_in(document, ["A"])
    with pytest.raises(mapping.Unreadable):
        mapping_feeds.skus_in(document)
