"""Shopify's words to ours, on composed payloads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from channels.shopify import mapping, wire
from inventory.vocabulary import OrderLine, OrderSeen, Party, PushStatus

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def line(**changes: Any) -> dict[str, Any]:
    """One line item of two units."""
    return {
        "id": "gid://shopify/LineItem/11",
        "sku": "MUG",
        "quantity": 2,
        "currentQuantity": 2,
        "unfulfilledQuantity": 2,
        "variant": {"id": "gid://shopify/ProductVariant/5"},
        "originalUnitPriceSet": {"shopMoney": {"amount": "1200.0", "currencyCode": "JPY"}},
        **changes,
    }


def order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """One order, of one line unless given."""
    return {
        "id": "gid://shopify/Order/7001",
        "createdAt": "2026-11-21T09:00:00Z",
        "updatedAt": "2026-11-21T09:01:00Z",
        "cancelledAt": None,
        "cancelReason": None,
        "displayFulfillmentStatus": "UNFULFILLED",
        "lineItems": {"nodes": list(lines) or [line()], "pageInfo": {"hasNextPage": False}},
        "email": "someone@example.com",
        **changes,
    }


def seen(payload: dict[str, Any], shipped: dict[str, int] | None = None) -> OrderSeen:
    """The order as we see it."""
    read = mapping.wire_order(payload)
    order = mapping.order_from(read, read.line_items.nodes, observed_at=NOW, shipped=shipped)
    assert order is not None
    return order


def test_an_open_order() -> None:
    order_seen = seen(order())

    assert (order_seen.order_ref, order_seen.ordered_at, order_seen.observed_at) == (
        "7001",
        datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
        NOW,
    )
    assert order_seen.lines == (
        OrderLine(line_ref="11", channel_sku="MUG", quantity=2, unit_price=1200),
    )
    assert (order_seen.cancelled, order_seen.cancellable) == (False, True)
    assert order_seen.hint == "UNFULFILLED 2026-11-21T09:01:00+00:00"
    assert "example.com" not in repr(order_seen)


def test_the_list_gives_the_same_hint_as_the_order() -> None:
    for payload in (order(), order(cancelledAt="2026-11-21T09:00:30Z", cancelReason="STAFF")):
        assert mapping.hint_of(mapping.listed_order(payload)) == seen(payload).hint

    with pytest.raises(mapping.Unreadable):
        mapping.listed_order({"id": "gid://shopify/Order/1"})


@pytest.mark.parametrize(
    ("reason", "party"),
    [
        ("CUSTOMER", Party.BUYER),
        ("INVENTORY", Party.SELLER),
        ("FRAUD", Party.MARKETPLACE),
        ("NEW_REASON", None),
    ],
)
def test_a_cancelled_order_has_nothing_open(reason: str, party: Party | None) -> None:
    for left in (0, 2):
        order_seen = seen(
            order(
                line(currentQuantity=0, unfulfilledQuantity=left),
                cancelledAt="2026-11-21T09:30:00Z",
                cancelReason=reason,
            )
        )

        assert (order_seen.cancelled, order_seen.cancelled_by) == (True, party)
        assert (order_seen.lines[0].cancelled, order_seen.lines[0].shipped) == (2, 0)
        assert order_seen.cancellable is False


def test_units_removed_before_shipping_are_cancelled() -> None:
    for unfulfilled in (1, 2):
        order_seen = seen(order(line(currentQuantity=1, unfulfilledQuantity=unfulfilled)))

        assert (order_seen.lines[0].cancelled, order_seen.lines[0].shipped) == (1, 0)
        assert order_seen.cancellable


def test_a_shipped_order_cannot_be_cancelled() -> None:
    order_seen = seen(order(line(unfulfilledQuantity=0), displayFulfillmentStatus="FULFILLED"))

    assert (order_seen.lines[0].shipped, order_seen.cancellable) == (2, False)


def test_an_order_with_a_fulfilment_service_cannot_be_cancelled() -> None:
    assert seen(order(displayFulfillmentStatus="IN_PROGRESS")).cancellable is False


def test_only_shipments_tell_a_return_from_a_removal() -> None:
    payload = order(
        line(currentQuantity=1, unfulfilledQuantity=0),
        displayFulfillmentStatus="FULFILLED",
    )

    assert mapping.needs_shipments(mapping.wire_order(payload))
    assert not mapping.needs_shipments(mapping.wire_order(order()))
    returned = seen(payload, {"gid://shopify/LineItem/11": 2})
    removed = seen(payload, {"gid://shopify/LineItem/11": 1})
    assert (returned.lines[0].shipped, returned.lines[0].cancelled) == (2, 0)
    assert (removed.lines[0].shipped, removed.lines[0].cancelled) == (1, 1)


def test_shipments_that_were_called_off_do_not_count() -> None:
    rows = {"nodes": [{"quantity": 1, "lineItem": {"id": "L"}}], "pageInfo": {}}
    shipments = [
        {"status": status, "fulfillmentLineItems": rows}
        for status in ("SUCCESS", "SUCCESS", "CANCELLED", "FAILURE")
    ]
    answer = msgspec.convert({"order": {"fulfillments": shipments}}, wire.ShippedAnswer)

    assert mapping.shipped_units(answer) == {"L": 2}


def test_a_tip_is_no_stock_but_a_variant_without_sku_is_a_mistake() -> None:
    tip = line(id="gid://shopify/LineItem/12", sku=None, variant=None)

    assert [one.line_ref for one in seen(order(line(), tip)).lines] == ["11"]
    read = mapping.wire_order(order(tip))
    assert mapping.order_from(read, read.line_items.nodes, observed_at=NOW) is None
    with pytest.raises(mapping.Unreadable, match="without a SKU"):
        seen(order(line(sku="")))


@pytest.mark.parametrize(
    ("amount", "currency", "yen"),
    [("1200", "JPY", 1200), ("12.50", "USD", None), ("free", "JPY", None)],
)
def test_prices_are_whole_yen_or_nothing(amount: str, currency: str, yen: int | None) -> None:
    price = {"shopMoney": {"amount": amount, "currencyCode": currency}}

    assert seen(order(line(originalUnitPriceSet=price))).lines[0].unit_price == yen


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        order(id="gid://shopify/DraftOrder/1"),
        order(createdAt="2026-11-21T09:00:00"),
        order(line(quantity="2")),
    ],
)
def test_what_cannot_be_read_says_so(payload: Any) -> None:
    with pytest.raises(mapping.Unreadable):
        mapping.wire_order(payload)


def test_impossible_quantities_are_not_taken() -> None:
    with pytest.raises(mapping.Unreadable, match="impossible"):
        seen(order(line(currentQuantity=3, unfulfilledQuantity=0)))


def test_a_search_for_skus_quotes_them() -> None:
    assert mapping.sku_query(["A", 'B "x"', "c\\d"]) == (
        'sku:"A" OR sku:"B \\"x\\"" OR sku:"c\\\\d"'
    )


PLACE: dict[str, Any] = {"item_id": "I", "location_id": "L", "uri": "gid://hikiate/Push/1"}


def test_a_write_names_change_from_quantity() -> None:
    change = mapping.change_input(delta=-2, **PLACE)
    number = mapping.set_input(quantity=7, expected=9, **PLACE)
    zero = mapping.set_input(quantity=0, expected=None, **PLACE)

    place = {"inventoryItemId": "I", "locationId": "L"}
    assert change["changes"] == [{**place, "delta": -2, "changeFromQuantity": None}]
    assert number["quantities"] == [{**place, "quantity": 7, "changeFromQuantity": 9}]
    assert zero["quantities"] == [{**place, "quantity": 0, "changeFromQuantity": None}]
    assert {(one["name"], one["reason"]) for one in (change, number, zero)} == {
        ("available", "correction")
    }


@pytest.mark.parametrize(
    ("payload", "status", "code"),
    [
        ({"userErrors": []}, PushStatus.ACCEPTED, ""),
        (
            {"userErrors": [{"code": "INVALID_LOCATION", "message": "no"}]},
            PushStatus.REFUSED,
            "INVALID_LOCATION",
        ),
        (
            {"userErrors": [{"code": "IDEMPOTENCY_CONCURRENT_REQUEST", "message": "wait"}]},
            PushStatus.UNKNOWN,
            "IDEMPOTENCY_CONCURRENT_REQUEST",
        ),
        ({"userErrors": [{"code": None, "message": "?"}]}, PushStatus.REFUSED, "INVALID"),
        (None, PushStatus.UNKNOWN, "no_answer"),
    ],
)
def test_what_a_write_says(payload: object, status: PushStatus, code: str) -> None:
    outcome = mapping.outcome_from("MUG", payload)

    assert (outcome.status, outcome.code) == (status, code)
