"""Lists of orders that move while they are read, repeat themselves, or come in no order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channels.rakuten.orders import OrderReader
from tests.hostile.story import Story
from tests.workers.night import KINDS

PAGE = 2
# As many as a raise takes that is wanted, waits for its barrier and goes out.
ROUNDS = 3
LISTS = {"rakuten": "order-searchOrderItem", "yahoo": "orderList", "amazon": "searchOrders"}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two orders on a page, so that three make two pages."""
    defaults = OrderReader.page.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "amount", PAGE)
    monkeypatch.setattr("channels.yahoo.client.PAGE_ORDERS", PAGE)
    monkeypatch.setattr("channels.yahoo.look.PAGE_ORDERS", PAGE)
    monkeypatch.setattr("channels.amazon.orders.PAGE_ORDERS", PAGE)


# Shopify's pages begin after a place and not after a count of rows: they do not shift.
@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("kind", ["rakuten", "yahoo", "amazon"])
async def test_an_order_that_slipped_between_two_pages_is_found(
    story: Callable[[str], Story], kind: str
) -> None:
    told = story(kind)
    night = told.night
    await told.open()
    told.strike(shift_pages={"value": 1, "endpoint": LISTS[kind]})
    for _ in range(PAGE + 1):
        night.buy(kind)
    if kind != "amazon":
        # Amazon tells no total, so nothing shows that a row is missing: whether its page tokens
        # keep the list as it was is UNCONFIRMED. There a raise could go out in such a minute.
        await night.receive("MUG", 5)
    for _ in range(ROUNDS):
        await told.round()
    assert await night.units_sold() == PAGE

    await told.recovered()
    assert await night.units_sold() == PAGE + 1


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("kind", ["rakuten", "yahoo", "amazon"])
async def test_an_order_met_on_two_pages_is_booked_once(
    story: Callable[[str], Story], kind: str
) -> None:
    told = story(kind)
    night = told.night
    await told.open()
    told.strike(shift_pages={"value": -1, "endpoint": LISTS[kind]})
    for _ in range(PAGE + 1):
        night.buy(kind)
    await told.round()

    await told.recovered()
    assert await night.units_sold() == PAGE + 1


@pytest.mark.parametrize("kind", KINDS)
async def test_orders_repeated_and_in_no_order_are_booked_once_with_what_became_of_them(
    story: Callable[[str], Story], kind: str
) -> None:
    told = story(kind)
    night = told.night
    await told.open()
    told.strike(repeat_orders=1, shuffle_orders=1)
    kept, ended, left = (night.buy(kind) for _ in range(3))
    await told.round()
    night.sandbox.act(kind, ended, "buyer-cancel")
    night.sandbox.act(kind, left, "ship")
    await night.pulled_until(kind, ended, lambda order: order.cancelled)
    await told.round()
    await told.round()

    assert await night.order(kind, kept) is not None
    await told.recovered()
    assert await night.stock() == (9, 1)
