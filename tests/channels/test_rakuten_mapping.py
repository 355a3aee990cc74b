"""Rakuten's order models in our words, from composed payloads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from channels.rakuten.mapping import (
    MalformedOrder,
    is_live,
    order_from,
    ordered_day,
    progress_of,
    split_sku,
)
from inventory.vocabulary import OrderLine, OrderSeen, Party

NOON = datetime(2026, 2, 1, 3, 0, tzinfo=UTC)
JST = timezone(timedelta(hours=9))


def item(detail: int = 777, **more: Any) -> dict[str, Any]:
    return {
        "itemDetailId": detail,
        "itemNumber": "TEE-001",
        "manageNumber": "tee-001",
        "price": 1980,
        "units": 2,
        "deleteItemFlag": 0,
        "SkuModelList": [{"variantId": "M-blk", "merchantDefinedSkuId": "SKU-42"}],
        **more,
    }


def order(progress: int = 300, **more: Any) -> dict[str, Any]:
    package = {"basketId": 555, "ShippingModelList": [], "ItemModelList": [item()]}
    return {
        "orderNumber": "123456-20260201-0000000001",
        "orderProgress": progress,
        "orderDatetime": "2026-02-01T00:12:03+0900",
        "OrdererModel": {"familyName": "見本", "emailAddress": "hanako@example.com"},
        "PackageModelList": [{**package, **more.pop("package", {})}],
        "ChangeReasonModelList": None,
        **more,
    }


def seen(payload: dict[str, Any]) -> OrderSeen:
    return order_from(msgspec.json.encode(payload), observed_at=NOON)


def test_an_order_waiting_for_shipment() -> None:
    found = seen(order())

    assert found.lines == (
        OrderLine(line_ref="555/777", channel_sku="tee-001/M-blk", quantity=2, unit_price=1980),
    )
    assert (found.order_ref, found.ordered_at, found.observed_at) == (
        "123456-20260201-0000000001",
        datetime(2026, 2, 1, 0, 12, 3, tzinfo=JST),
        NOON,
    )
    assert (found.cancelled, found.cancellable, found.fulfilled_by_channel) == (False, True, False)
    assert found.hint.startswith("live:300:")
    assert b"hanako" not in msgspec.json.encode(found)


@pytest.mark.parametrize(
    ("progress", "hint", "cancellable", "shipped", "cancelled"),
    [
        (100, "live:100", True, 0, 0),
        (200, "live:200", True, 0, 0),
        (400, "live:400", False, 0, 0),
        (500, "shipped:500", False, 2, 0),
        (600, "shipped:600", False, 2, 0),
        (700, "shipped:700", False, 2, 0),
        (800, "cancelled:800", False, 0, 2),
        (900, "cancelled:900", False, 0, 2),
    ],
)
def test_what_each_state_means(
    progress: int, hint: str, cancellable: bool, shipped: int, cancelled: int
) -> None:
    found = seen(order(progress))
    assert (found.hint.rpartition(":")[0], found.cancellable) == (hint, cancellable)
    assert (found.lines[0].shipped, found.lines[0].cancelled) == (shipped, cancelled)
    assert (found.cancelled, is_live(found.hint)) == (progress >= 800, progress <= 400)


def test_a_shipping_date_ships_the_package_and_a_number_alone_blocks_the_cancel() -> None:
    dated = seen(order(package={"ShippingModelList": [{"shippingDate": "2026-02-01"}]}))
    assert (dated.lines[0].shipped, dated.cancellable) == (2, False)
    assert dated.hint.startswith("shipped:300:")

    numbered = seen(order(package={"ShippingModelList": [{"shippingNumber": "4000-1"}]}))
    assert (numbered.lines[0].shipped, numbered.cancellable) == (0, False)
    assert numbered.hint.startswith("live:300:")


@pytest.mark.parametrize(("progress", "cancelled"), [(400, False), (800, True), (900, True)])
def test_what_was_reported_as_shipped_stays_so(progress: int, cancelled: bool) -> None:
    # getOrderItem names no parcels.
    package = {"ShippingModelList": None}
    found = seen(
        order(progress, package=package, shippingCmplRptDatetime="2026-02-01T09:00:00+0900")
    )
    assert (found.lines[0].shipped, found.lines[0].cancelled) == (2, 0)
    assert found.cancelled is cancelled


def test_a_hint_keeps_the_progress() -> None:
    assert progress_of(seen(order(400)).hint) == 400
    assert [progress_of(hint) for hint in ("", "shipped", "shipped:x:1", "v0")] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("reason", "detail", "party"), [(0, 8, Party.SELLER), (1, 1, Party.BUYER), (7, 9, None)]
)
def test_who_cancelled_and_why(reason: int, detail: int, party: Party | None) -> None:
    changes = [
        {"changeId": 2, "changeType": 0, "changeReason": reason, "changeReasonDetail": detail},
        {"changeId": 1, "changeType": 4, "changeReason": 1, "changeReasonDetail": 6},
    ]
    found = seen(order(900, ChangeReasonModelList=changes))
    assert (found.cancelled_by, found.cancel_reason) == (party, str(detail))


def test_a_cancel_after_shipping_leaves_the_units_shipped() -> None:
    found = seen(order(900, package={"ShippingModelList": [{"shippingDate": "2026-02-01"}]}))
    assert (found.cancelled, found.lines[0].shipped, found.lines[0].cancelled) == (True, 2, 0)


def test_a_deleted_line_is_cancelled_and_the_rest_lives_on() -> None:
    items = [item(1, deleteItemFlag=1), item(2, manageNumber="MUG", SkuModelList=[])]
    found = seen(order(package={"ItemModelList": items}))
    assert [(line.channel_sku, line.quantity, line.cancelled) for line in found.lines] == [
        ("tee-001/M-blk", 2, 2),
        ("mug", 2, 0),
    ]
    assert is_live(found.hint)


def test_the_hint_changes_with_the_units_and_not_with_the_time_of_reading() -> None:
    fewer = order(package={"ItemModelList": [item(units=1)]})
    assert seen(order()).hint != seen(fewer).hint
    later = order_from(msgspec.json.encode(order()), observed_at=NOON + timedelta(hours=1))
    assert later.hint == seen(order()).hint


def test_a_price_not_settled_yet_is_none() -> None:
    found = seen(order(package={"ItemModelList": [item(price=-9999)]}))
    assert found.lines[0].unit_price is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"orderProgress": 150},
        {"orderProgress": "three"},
        {"orderDatetime": "yesterday"},
        {"orderDatetime": "2026-02-01T00:12:03"},
        {"PackageModelList": []},
        {"PackageModelList": None},
        {"package": {"ItemModelList": [item(units=-1)]}},
        {"package": {"ItemModelList": [item(manageNumber=None)]}},
        {"package": {"ItemModelList": [item(), item()]}},
        {"package": {"ItemModelList": [item(SkuModelList=[{"variantId": x} for x in "ab"])]}},
    ],
)
def test_a_malformed_order_is_named_as_such(wrong: dict[str, Any]) -> None:
    payload = order(**{key: value for key, value in wrong.items() if key == "package"})
    payload |= {key: value for key, value in wrong.items() if key != "package"}
    with pytest.raises(MalformedOrder) as caught:
        seen(payload)
    assert "見本" not in str(caught.value)


def test_channel_skus_and_order_numbers_are_taken_apart() -> None:
    assert split_sku("TEE-001/M-blk") == ("tee-001", "M-blk")
    for wrong in ("tee-001", "tee 001/M", "/M", "tee/", "t/" + "v" * 33, "a/b/c"):
        assert split_sku(wrong) is None
    assert ordered_day("123456-20260201-0000000001") == datetime(2026, 2, 1, tzinfo=JST)
    assert ordered_day("123456-20261301-1") is None
    assert ordered_day("odd") is None
