"""The Amazon adapter on Orders API v0, which ends on 2027-03-27: the same orders, other wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from channels.amazon import mapping, mapping_v0
from channels.amazon.settings import V0_ITEMS, V0_ORDERS
from channels.amazon.wire_v0 import ItemV0, MoneyV0
from channels.base import Throttled
from inventory.vocabulary import OrderSeen
from tests.channels.amazon_seller import Opener, Seller, opened
from tests.channels.sandbox_process import SandboxProcess

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.fixture
def open_seller(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis, orders_api="v0")


@pytest.fixture
async def seller(open_seller: Opener) -> AsyncIterator[Seller]:
    async with open_seller() as seller:
        yield seller


def without_origin(order: OrderSeen) -> OrderSeen:
    """What both versions say of an order: v0 never says who cancelled or why."""
    return msgspec.structs.replace(
        order, observed_at=NOW, hint="", cancelled_by=None, cancel_reason=None
    )


async def test_both_versions_show_the_same_orders(
    start_sandbox: Callable[..., SandboxProcess], redis: Redis
) -> None:
    shown: dict[str, list[OrderSeen]] = {}
    for version in ("2026-01-01", "v0"):
        async with opened(start_sandbox, redis, orders_api=version) as seller:
            seller.sandbox.list_items("amazon", {"FBA-1": 3}, by_channel=True)
            refs = [seller.sold({"MUG-RED": 2, "MUG-BLUE": 1}) for _ in range(4)]
            refs.append(seller.sold({"FBA-1": 1}))
            for ref, action in zip(
                refs, ("ship", "buyer-cancel", "ask-cancel", "ship-part"), strict=False
            ):
                seller.sandbox.act("amazon", ref, action)
            seller.sandbox.move_clock(4)
            orders = {order.order_ref: order for order in (await seller.pull()).orders}
            assert await seller.order(refs[2]) is not None
            shown[version] = [
                msgspec.structs.replace(
                    without_origin(orders[ref]),
                    order_ref="",
                    ordered_at=NOW,
                    ship_by=None,
                    lines=tuple(
                        msgspec.structs.replace(line, line_ref="") for line in orders[ref].lines
                    ),
                )
                for ref in refs
            ]

    assert shown["v0"] == shown["2026-01-01"]
    shipped, cancelled, asked, part, fba = shown["v0"]
    assert [line.shipped for line in shipped.lines] == [2, 1]
    assert (cancelled.cancelled, asked.buyer_asked_to_cancel) == (True, True)
    assert [line.shipped for line in part.lines] == [2, 0]
    assert fba.fulfilled_by_channel


async def test_items_are_asked_for_only_where_an_order_has_changed(seller: Seller) -> None:
    ref = seller.sold()
    [order] = (await seller.pull()).orders

    again = await seller.pull(seen={ref: order.hint})
    by_number = await seller.order(ref)

    assert again.orders == ()
    assert by_number.hint == order.hint
    calls = seller.sandbox.books("amazon")["calls"]
    assert (calls["getOrdersV0"]["used"], calls["getOrderItemsV0"]["used"]) == (2, 2)


async def test_orders_whose_items_must_wait_are_gone_on_with(seller: Seller) -> None:
    refs = [seller.sandbox.buy("amazon", {"MUG-RED": 1}) for _ in range(4)]
    seller.sandbox.move_clock(2)
    await seller.drain(V0_ITEMS, leave=2)
    seller.patience(0)

    first = await seller.pull()
    with pytest.raises(Throttled):
        await seller.pull()
    await seller.refill()
    second = await seller.pull()

    assert (len(first.orders), len(second.orders)) == (2, 2)
    assert {order.order_ref for order in (*first.orders, *second.orders)} == set(refs)
    assert first.watermark < datetime.now(UTC) - timedelta(days=13)
    assert second.watermark > datetime.now(UTC) - timedelta(minutes=1)
    assert seller.sandbox.books("amazon")["calls"]["getOrdersV0"]["used"] == 1


async def test_its_own_search_sets_the_pace_and_its_end_is_told(seller: Seller) -> None:
    standing = await seller.adapter.standing()

    capabilities = seller.adapter.capabilities
    assert (capabilities.pull_endpoint, capabilities.pull_seconds_quiet) == (V0_ORDERS, 60)
    [end] = standing.expiries
    assert (end.name, end.ends_at.date().isoformat()) == ("Orders API v0", "2027-03-27")


async def test_an_order_that_is_not_there_is_none(seller: Seller) -> None:
    assert await seller.adapter.read_order("249-0000000-0000000") is None


def header(**changes: Any) -> dict[str, Any]:
    """One order as v0 lists it."""
    return {
        "AmazonOrderId": "249-1",
        "PurchaseDate": "2026-11-21T09:00:00Z",
        "LastUpdateDate": "2026-11-21T09:01:00Z",
        "OrderStatus": "Unshipped",
        "FulfillmentChannel": "MFN",
        "ShippingAddress": {"City": "杉並区"},
        **changes,
    }


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("true", True),
        ("True", True),
        ("false", False),
        (True, True),
        (False, False),
        ({"IsBuyerRequestedCancel": "true"}, True),
        ({"IsBuyerRequestedCancel": True}, True),
        ({"IsBuyerRequestedCancel": "false", "BuyerCancelReason": "true"}, False),
        ({"requester": "BUYER", "cancelReason": "late"}, True),
        ({"requester": "MERCHANT"}, False),
        ({}, False),
        (None, False),
        ("BUYER", False),
    ],
)
def test_the_buyers_wish_is_read_in_every_form_and_in_no_other(told: object, asked: bool) -> None:
    assert mapping.buyer_asked(told) is asked


def test_an_invoice_that_waits_is_a_shipped_order() -> None:
    seen = mapping.seen_from(
        mapping_v0.order_from(
            mapping_v0.header_from(header(OrderStatus="InvoiceUnconfirmed")),
            [_item(quantity_shipped=2)],
        ),
        observed_at=NOW,
    )

    assert (seen.cancellable, seen.lines[0].shipped) == (False, 2)


def test_a_price_is_for_one_unit_and_no_buyer_is_kept() -> None:
    kept = mapping_v0.header_from(header())
    seen = mapping.seen_from(
        mapping_v0.order_from(kept, [_item(item_price=_money("2400.00"))]), observed_at=NOW
    )

    assert seen.lines[0].unit_price == 1200
    assert "杉並区" not in f"{msgspec.to_builtins(kept)} {seen}"


@pytest.mark.parametrize("payload", [None, {}, header(LastUpdateDate="yesterday")])
def test_what_cannot_be_read_says_so(payload: object) -> None:
    with pytest.raises(mapping.Unreadable):
        mapping_v0.header_from(payload)


def _money(amount: str) -> MoneyV0:
    return MoneyV0(amount=amount, currency_code="JPY")


def _item(**changes: Any) -> ItemV0:
    told: dict[str, Any] = {"order_item_id": "1", "quantity_ordered": 2, "seller_sku": "MUG-RED"}
    return ItemV0(**{**told, **changes})
