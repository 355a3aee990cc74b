"""Amazon's acknowledgement feed in the sandbox: what it cancels, and what it refuses."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable

import pytest
from defusedxml import ElementTree

from channels.sandbox.faults import Fault
from channels.sandbox.market import Order
from tests.sandbox.amazon_shop import XML, Shop, open_shop

SUMMARY = "Message/ProcessingReport/ProcessingSummary"


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_no_inventory_ends_the_order_and_puts_nothing_back(shop: Shop) -> None:
    order = shop.sold(quantity=2)

    report = ElementTree.fromstring(await shop.report(await shop.feed(shop.cancellation(order))))

    assert report.findtext(f"{SUMMARY}/MessagesSuccessful") == "1"
    assert (order.state, order.cancelled_by, order.cancel_code, order.restocked) == (
        "cancelled",
        "seller",
        "NoInventory",
        False,
    )
    assert shop.market.listings["MUG-RED"].displayed == 8
    shown = await shop.order(order.ref)
    assert shown["fulfillment"]["fulfillmentStatus"] == "CANCELLED"
    assert shown["orderItems"][0]["cancellation"]["cancellationExecution"] == {
        "cancelledBy": "MERCHANT",
        "cancelReason": "NoInventory",
    }


async def test_any_other_reason_puts_the_units_back(shop: Shop) -> None:
    order = shop.sold(quantity=2)

    await shop.report(await shop.feed(shop.cancellation(order, reason="BuyerCanceled")))

    assert (order.restocked, shop.market.listings["MUG-RED"].displayed) == (True, 10)


async def test_a_feed_takes_its_time() -> None:
    async with open_shop(feed_s=60.0) as shop:
        order = shop.sold()
        feed_id = await shop.feed(shop.cancellation(order))

        queued = await shop.feed_state(feed_id)
        shop.market.clock.move(31)
        begun = await shop.feed_state(feed_id)
        live = order.state
        shop.market.clock.move(61)
        done = await shop.feed_state(feed_id)

        assert (queued["processingStatus"], begun["processingStatus"], live) == (
            "IN_QUEUE",
            "IN_PROGRESS",
            "live",
        )
        assert (done["processingStatus"], order.state) == ("DONE", "cancelled")


def _shipped(shop: Shop, order: Order) -> str:
    shop.market.ship(order.ref)
    return shop.cancellation(order)


def _gone(shop: Shop, order: Order) -> str:
    shop.market.buyer_cancel(order.ref)
    return shop.cancellation(order)


def _unknown(shop: Shop, order: Order) -> str:
    return shop.cancellation(order).replace(order.ref, "249-9999999-9999999")


def _incomplete(shop: Shop, order: Order) -> str:
    return shop.cancellation(order, lines=1)


def _invented(shop: Shop, order: Order) -> str:
    return shop.cancellation(order, reason="OutOfStock")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (_shipped, "The order has been confirmed as shipped."),
        (_gone, "The order is cancelled already."),
        (_unknown, "The order does not exist."),
        (_incomplete, "Every item of the order must be listed."),
        (_invented, "CancelReason is missing or not known."),
    ],
)
async def test_a_refused_message_is_told_in_the_report(
    shop: Shop, document: Callable[[Shop, Order], str], told: str
) -> None:
    order = shop.market.place([("MUG-RED", 1), ("MUG-BLUE", 1)])
    text = document(shop, order)
    code_before = order.cancel_code

    report = ElementTree.fromstring(await shop.report(await shop.feed(text)))

    assert report.findtext(f"{SUMMARY}/MessagesWithError") == "1"
    assert report.findtext("Message/ProcessingReport/Result/ResultDescription") == told
    assert order.cancel_code == code_before
    assert order.cancelled_by != "seller"


@pytest.mark.parametrize(("allowed", "state"), [(False, "live"), (True, "cancelled")])
async def test_a_pending_order_is_refused_unless_allowed(allowed: bool, state: str) -> None:
    async with open_shop(pending_s=600.0, cancel_pending=allowed) as shop:
        order = shop.sold()

        await shop.report(await shop.feed(shop.cancellation(order)))

        assert order.state == state


async def test_an_order_of_amazons_own_is_refused(shop: Shop) -> None:
    shop.market.list_item("FBA-1", 4, by_channel=True)
    order = shop.sold("FBA-1")

    report = ElementTree.fromstring(await shop.report(await shop.feed(shop.cancellation(order))))

    assert report.findtext(f"{SUMMARY}/MessagesWithError") == "1"
    assert order.state == "live"


@pytest.mark.parametrize(
    "document",
    [
        "not xml",
        "<AmazonEnvelope/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><AmazonEnvelope>&b;</AmazonEnvelope>',
    ],
)
async def test_an_unreadable_document_ends_fatal(shop: Shop, document: str) -> None:
    feed_id = await shop.feed(document)

    shop.market.clock.move(1)
    state = await shop.feed_state(feed_id)

    assert state["processingStatus"] == "FATAL"
    assert "resultFeedDocumentId" not in state


async def test_the_upload_address_asks_for_what_was_signed(shop: Shop) -> None:
    created = (await shop.post("/documents", {"contentType": XML})).json()

    other_type = await shop.http.put(
        created["url"], content=b"<a/>", headers={"content-type": "text/plain"}
    )
    api_header = await shop.http.put(
        created["url"], content=b"<a/>", headers={"content-type": XML, **shop.headers}
    )
    shop.market.clock.move(301)
    late = await shop.http.put(created["url"], content=b"<a/>", headers={"content-type": XML})

    assert [one.status_code for one in (other_type, api_header, late)] == [403, 403, 403]


async def test_a_feed_needs_an_uploaded_document(shop: Shop) -> None:
    created = (await shop.post("/documents", {"contentType": XML})).json()

    answer = await shop.post("/feeds", shop.feed_of(created["feedDocumentId"]))

    assert answer.status_code == 400


async def test_fifteen_feeds_then_quota_exceeded(shop: Shop) -> None:
    answers = [await shop.post("/feeds", shop.feed_of("none")) for _ in range(16)]

    assert [answer.status_code for answer in answers] == [400] * 15 + [429]


async def test_a_compressed_report_says_so() -> None:
    async with open_shop(gzip_reports=True) as shop:
        feed_id = await shop.feed(shop.cancellation(shop.sold()))

        stored = await shop.report(feed_id)

        assert b"ProcessingReport" in gzip.decompress(stored)


async def test_an_ignored_feed_ends_well_and_does_nothing(shop: Shop) -> None:
    shop.market.faults.replace({"ignore_writes": Fault(endpoint="createFeed")})
    order = shop.sold()

    report = ElementTree.fromstring(await shop.report(await shop.feed(shop.cancellation(order))))

    assert report.findtext(f"{SUMMARY}/MessagesSuccessful") == "1"
    assert order.state == "live"
