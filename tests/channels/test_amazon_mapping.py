"""Amazon's words to ours, on composed payloads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from channels.amazon import mapping
from inventory.vocabulary import OrderLine, Party

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def item(**changes: Any) -> dict[str, Any]:
    """One item of an order; None takes a member away."""
    body: dict[str, Any] = {
        "orderItemId": "00000000000001",
        "quantityOrdered": 2,
        "product": {
            "asin": "B000000001",
            "sellerSku": "MUG-RED",
            "price": {"unitPrice": {"amount": "1200", "currencyCode": "JPY"}},
        },
        "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": 2},
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def order(*items: dict[str, Any], status: str = "UNSHIPPED", **changes: Any) -> dict[str, Any]:
    """One order, of one item unless given."""
    return {
        "orderId": "249-0000001-0000001",
        "createdTime": "2026-11-21T09:00:00Z",
        "lastUpdatedTime": "2026-11-21T09:01:00Z",
        "salesChannel": {"channelName": "AMAZON"},
        "buyer": {"buyerName": "山田", "buyerEmail": "someone@example.com"},
        "fulfillment": {
            "fulfillmentStatus": status,
            "fulfilledBy": "MERCHANT",
            "shipByWindow": {"latestDateTime": "2026-11-24T14:59:59Z"},
        },
        "orderItems": list(items) or [item()],
        **changes,
    }


def test_an_unshipped_order() -> None:
    seen = mapping.order_from(order(), observed_at=NOW)

    assert (seen.order_ref, seen.ordered_at, seen.observed_at) == (
        "249-0000001-0000001",
        datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
        NOW,
    )
    assert seen.lines == (
        OrderLine(line_ref="00000000000001", channel_sku="MUG-RED", quantity=2, unit_price=1200),
    )
    assert (seen.cancelled, seen.cancellable, seen.fulfilled_by_channel) == (False, True, False)
    assert seen.ship_by == datetime(2026, 11, 24, 14, 59, 59, tzinfo=UTC)
    assert seen.hint == "UNSHIPPED 2026-11-21T09:01:00+00:00 0+0/2"


def test_buyers_data_goes_nowhere() -> None:
    seen = mapping.order_from(order(), observed_at=NOW)

    assert "山田" not in repr(seen)
    assert "example.com" not in repr(seen)


def test_a_pending_order_without_open_units_has_not_lost_them() -> None:
    for units in (None, {}, {"quantityFulfilled": 0, "quantityUnfulfilled": 0}):
        payload = order(item(fulfillment=units), status="PENDING")

        seen = mapping.order_from(payload, observed_at=NOW)

        assert (seen.lines[0].quantity, seen.lines[0].cancelled) == (2, 0)
        assert seen.cancellable is False
        assert mapping.is_pending(seen)


@pytest.mark.parametrize(("allowed", "cancellable"), [(False, False), (True, True)])
def test_pending_is_cancellable_only_when_the_setting_says_so(
    allowed: bool, cancellable: bool
) -> None:
    seen = mapping.order_from(order(status="PENDING"), observed_at=NOW, pending_cancellable=allowed)

    assert seen.cancellable is cancellable


def test_a_cancelled_order_says_by_whom_and_why() -> None:
    ended = {"cancellationExecution": {"cancelledBy": "AMAZON", "cancelReason": "PaymentFailed"}}
    payload = order(item(cancellation=ended), status="CANCELLED")

    seen = mapping.order_from(payload, observed_at=NOW)

    assert (seen.cancelled, seen.cancelled_by, seen.cancel_reason) == (
        True,
        Party.MARKETPLACE,
        "PaymentFailed",
    )
    assert (seen.lines[0].quantity, seen.lines[0].cancelled) == (2, 2)
    assert seen.cancellable is False


def test_a_cancelled_order_that_shows_no_units_any_more() -> None:
    seen = mapping.order_from(
        order(item(quantityOrdered=0, fulfillment=None), status="CANCELLED"), observed_at=NOW
    )

    assert (seen.cancelled, seen.lines[0].quantity, seen.lines[0].cancelled) == (True, 0, 0)


def test_one_item_of_two_cancelled() -> None:
    ended = {"cancellationExecution": {"cancelledBy": "BUYER"}}
    payload = order(
        item(),
        item(
            orderItemId="2",
            cancellation=ended,
            fulfillment={"quantityFulfilled": 0, "quantityUnfulfilled": 0},
        ),
    )

    seen = mapping.order_from(payload, observed_at=NOW)

    assert [line.cancelled for line in seen.lines] == [0, 2]
    assert (seen.cancelled, seen.cancelled_by) == (False, Party.BUYER)


def test_items_that_different_parties_ended_name_nobody() -> None:
    gone = {"quantityFulfilled": 0, "quantityUnfulfilled": 0}
    items = [
        item(
            orderItemId=str(number),
            cancellation={"cancellationExecution": {"cancelledBy": by}},
            fulfillment=gone,
        )
        for number, by in enumerate(("BUYER", "MERCHANT"))
    ]

    seen = mapping.order_from(order(*items, item(orderItemId="9")), observed_at=NOW)

    assert (seen.cancelled, seen.cancelled_by, seen.cancel_reason) == (False, None, None)


def test_a_partly_shipped_order_cannot_be_cancelled() -> None:
    units = {"quantityFulfilled": 1, "quantityUnfulfilled": 1}
    seen = mapping.order_from(
        order(item(fulfillment=units), status="PARTIALLY_SHIPPED"), observed_at=NOW
    )

    assert (seen.lines[0].shipped, seen.lines[0].cancelled, seen.cancellable) == (1, 0, False)


def test_the_buyers_wish_is_marketplace_evidence() -> None:
    wish = {"cancellationRequest": {"requester": "BUYER", "cancelReason": "Mistake"}}
    asked = mapping.order_from(order(item(cancellation=wish)), observed_at=NOW)
    silent = mapping.order_from(order(item(cancellation={})), observed_at=NOW)

    assert (asked.buyer_asked_to_cancel, silent.buyer_asked_to_cancel) == (True, False)
    assert asked.hint == f"{silent.hint} asked"
    assert asked.lines[0].cancelled == 0


def test_an_order_of_amazons_own_is_not_ours_to_cancel() -> None:
    payload = order()
    payload["fulfillment"]["fulfilledBy"] = "AMAZON"

    seen = mapping.order_from(payload, observed_at=NOW)

    assert (seen.fulfilled_by_channel, seen.cancellable) == (True, False)


def test_a_listed_order_is_as_new_as_its_last_update() -> None:
    as_of = datetime(2026, 11, 21, 9, 0, 30, tzinfo=UTC)

    listed = mapping.order_from(order(), observed_at=as_of, listed=True)
    read = mapping.order_from(order(), observed_at=as_of)

    assert listed.observed_at == datetime(2026, 11, 21, 9, 1, tzinfo=UTC)
    assert read.observed_at == as_of


@pytest.mark.parametrize(
    ("amount", "currency", "yen"),
    [
        ("1200.00", "JPY", 1200),
        ("12.00", "USD", None),
        ("a lot", "JPY", None),
        ("NaN", "JPY", None),
    ],
)
def test_prices_are_whole_yen_or_nothing(amount: str, currency: str, yen: int | None) -> None:
    price = {"unitPrice": {"amount": amount, "currencyCode": currency}}
    payload = order(item(product={"sellerSku": "MUG-RED", "price": price}))

    assert mapping.order_from(payload, observed_at=NOW).lines[0].unit_price == yen


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        order(item(product={"asin": "B1"})),
        order(item(quantityOrdered=-1)),
        order(item(quantityOrdered="2")),
        order(item(fulfillment={"quantityFulfilled": 3, "quantityUnfulfilled": 0})),
        order(orderItems=[]),
        order(createdTime="2026-11-21T09:00:00"),
        order(fulfillment=None),
    ],
)
def test_what_cannot_be_read_says_so(payload: object) -> None:
    with pytest.raises(mapping.Unreadable):
        mapping.order_from(payload, observed_at=NOW)
