"""The sandbox's marketplaces: how staff, and Amazon itself, end an order on the screen."""

from __future__ import annotations

import pytest

from channels.sandbox.market import Market, NotAllowed
from channels.sandbox.server import create_app
from tests.sandbox.hand_clock import HandClock

DAY = 86_400.0
KEYS = {"rakuten": "mug/x", "yahoo": "mug:x", "amazon": "MUG-A", "shopify": "S-MUG"}


def opened(kind: str, clock: HandClock | None = None) -> Market:
    """A marketplace that displays five mugs."""
    app = create_app(clock=clock or HandClock(), options={"amazon": {"pending_s": 0.0}})
    market: Market = app.state.sandbox.markets[kind]
    market.list_item(KEYS[kind], 5)
    return market


def bought(market: Market) -> str:
    """Two of them, bought."""
    return market.place([(KEYS[market.kind], 2)]).ref


@pytest.mark.parametrize(
    ("kind", "code", "by", "displayed"),
    [
        ("rakuten", "8", "seller", 3),
        ("rakuten", "6", "buyer", 3),
        ("yahoo", "210", "seller", 3),
        ("yahoo", "160", "buyer", 3),
        ("yahoo", "400", "marketplace", 3),
        ("amazon", "NoInventory", "seller", 3),
        ("amazon", "GeneralAdjustment", "seller", 5),
        ("shopify", "FRAUD", "seller", 5),
    ],
)
async def test_staff_end_an_order_with_a_code_of_the_marketplace(
    kind: str, code: str, by: str, displayed: int
) -> None:
    market = opened(kind)
    ref = bought(market)
    order = market.actions[f"cancel-as-{code}"](ref)

    assert (order.state, order.cancelled_by, order.cancel_code) == ("cancelled", by, code)
    assert market.listings[KEYS[kind]].displayed == displayed
    assert market.listings[KEYS[kind]].closed is (code == "210")
    with pytest.raises(NotAllowed):
        market.actions[f"cancel-as-{code}"](ref)


@pytest.mark.parametrize(
    ("kind", "code", "ends"),
    [
        ("rakuten", "15", True),
        ("yahoo", "110", True),
        ("amazon", "GeneralAdjustment", False),
        ("shopify", "OTHER", False),
    ],
)
async def test_where_the_marketplace_lets_them_staff_end_a_shipped_order(
    kind: str, code: str, *, ends: bool
) -> None:
    market = opened(kind)
    ref = bought(market)
    market.ship(ref)
    if not ends:
        with pytest.raises(NotAllowed):
            market.actions[f"cancel-as-{code}"](ref)
        return
    order = market.actions[f"cancel-as-{code}"](ref)
    assert (order.lines[0].shipped, order.lines[0].cancelled) == (2, 0)
    assert market.listings[KEYS[kind]].displayed == 3


async def test_rakuten_waits_until_a_change_is_settled() -> None:
    market = opened("rakuten")
    ref = bought(market)
    market.actions["open-change"](ref)
    with pytest.raises(NotAllowed):
        market.actions["cancel-as-8"](ref)


async def test_amazon_ends_what_nobody_shipped_in_time() -> None:
    clock = HandClock()
    market = opened("amazon", clock)
    shipped, left = bought(market), bought(market)
    market.ship(shipped)
    clock.pass_seconds(10 * DAY - 1)
    with pytest.raises(NotAllowed):
        market.actions["lapse"](left)
    clock.pass_seconds(1)
    with pytest.raises(NotAllowed):
        market.actions["lapse"](shipped)
    assert market.actions["lapse"](left).cancelled_by == "marketplace"


async def test_staff_adjust_what_was_not_shipped() -> None:
    market = opened("amazon")
    ref = bought(market)
    with pytest.raises(NotAllowed):
        market.actions["adjust-rest"](ref)
    market.actions["ship-part"](ref)
    order = market.actions["adjust-rest"](ref)
    assert (order.state, order.lines[0].shipped, order.lines[0].cancelled) == ("shipped", 1, 1)
    assert market.listings[KEYS["amazon"]].displayed == 3
