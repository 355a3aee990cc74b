"""Amazon's listings, submissions and reports in our words, on composed payloads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from defusedxml import ElementTree

from channels.amazon import mapping, mapping_feeds, wire
from inventory.vocabulary import PushStatus, Reason

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def listing(*channels: tuple[str, int | None]) -> wire.Item:
    """A listing with these fulfilment channels."""
    return wire.Item(
        sku="MUG-RED",
        fulfillment_availability=[
            wire.Availability(fulfillment_channel_code=code, quantity=quantity)
            for code, quantity in channels
        ],
    )


@pytest.mark.parametrize(
    ("item", "ours", "quantity"),
    [
        (listing(("DEFAULT", 7)), True, 7),
        (listing(("DEFAULT", None)), True, 0),
        (listing(("AMAZON_JP", None)), False, None),
        (listing(("DEFAULT", 7), ("AMAZON_JP", 3)), False, None),
        (listing(), False, None),
    ],
)
def test_only_a_listing_that_we_alone_ship_is_ours(
    item: wire.Item, ours: bool, quantity: int | None
) -> None:
    assert mapping.sold_by_us(item) is ours
    assert mapping.reading_from("MUG-RED", item).quantity == quantity


def test_accepted_is_accepted_and_invalid_names_its_first_error() -> None:
    issues = [
        wire.Issue(code="1", message="odd", severity="WARNING"),
        wire.Issue(code="90220", message="quantity is required", severity="ERROR"),
    ]
    good = mapping.outcome_from("S", wire.Submission(sku="S", status="ACCEPTED", issues=issues[:1]))
    bad = mapping.outcome_from("S", wire.Submission(sku="S", status="INVALID", issues=issues))

    assert (good.status, good.code) == (PushStatus.ACCEPTED, "")
    assert (bad.status, bad.code, bad.detail) == (
        PushStatus.REFUSED,
        "90220",
        "quantity is required",
    )


@pytest.mark.parametrize(
    ("reason", "code"),
    [(Reason.OUT_OF_STOCK, "NoInventory"), (Reason.BUYER_REQUEST, "BuyerCanceled")],
)
def test_the_cancellation_names_every_item_and_the_true_reason(reason: Reason, code: str) -> None:
    document = mapping_feeds.cancellation_document(
        seller_id="A1<&>", order_ref="249-1", item_codes=["01", "02"], reason=reason
    )

    root = ElementTree.fromstring(document)
    assert document.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    assert root.findtext("Header/MerchantIdentifier") == "A1<&>"
    assert root.findtext("MessageType") == "OrderAcknowledgement"
    [acknowledgement] = root.findall("Message/OrderAcknowledgement")
    assert acknowledgement.findtext("AmazonOrderID") == "249-1"
    assert acknowledgement.findtext("StatusCode") == "Failure"
    assert [
        (one.findtext("AmazonOrderItemCode"), one.findtext("CancelReason"))
        for one in acknowledgement.findall("Item")
    ] == [("01", code), ("02", code)]


def report(inner: str) -> bytes:
    """A processing report around `inner`."""
    head = "<AmazonEnvelope><Message><ProcessingReport>"
    return f"{head}{inner}</ProcessingReport></Message></AmazonEnvelope>".encode()


@pytest.mark.parametrize(
    ("inner", "refusal"),
    [
        ("<ProcessingSummary><MessagesWithError>0</MessagesWithError></ProcessingSummary>", None),
        (
            (
                "<ProcessingSummary><MessagesWithError>1</MessagesWithError></ProcessingSummary>"
                "<Result><ResultCode>Error</ResultCode><ResultMessageCode>18028</ResultMessageCode>"
                "<ResultDescription>shipped</ResultDescription></Result>"
            ),
            "18028 shipped",
        ),
        (
            "<ProcessingSummary><MessagesWithError>1</MessagesWithError></ProcessingSummary>",
            "refused without a stated reason",
        ),
        (
            (
                "<ProcessingSummary><MessagesWithError>0</MessagesWithError></ProcessingSummary>"
                "<Result><ResultCode>Warning</ResultCode></Result>"
            ),
            None,
        ),
    ],
)
def test_a_processing_report_refuses_or_not(inner: str, refusal: str | None) -> None:
    assert mapping_feeds.refusal_in(report(inner)) == refusal


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"oops",
        report(""),
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    ],
)
def test_a_report_that_says_nothing_is_not_a_success(document: bytes) -> None:
    with pytest.raises(mapping.Unreadable):
        mapping_feeds.refusal_in(document)
