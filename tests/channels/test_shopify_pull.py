"""The Shopify adapter against the sandbox over HTTP: pulling orders, points and faults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import msgspec
import pytest
from redis.asyncio import Redis

from channels.base import (
    AuthExpired,
    BadAnswer,
    Pulled,
    RetryLater,
    Throttled,
)
from channels.keep import Means, MemoryKeep
from channels.shopify import documents
from channels.shopify.adapter import (
    ShopifyAdapter,
    ShopifyCredentials,
    ShopifySettings,
    build,
)
from channels.shopify.client import ShopifyClient
from channels.shopify.orders import Orders
from channels.shopify.settings import POINTS
from inventory.vocabulary import (
    Party,
)
from tests.channels.sandbox_process import SandboxProcess
from tests.channels.shopify_shop import Opener, Shop, opened


@pytest.fixture
def open_shop(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


@pytest.fixture
async def shop(open_shop: Opener) -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def test_a_sale_is_pulled_with_its_lines(shop: Shop) -> None:
    ref = shop.sold({"MUG": 2, "MUG-RED": 1})

    pulled = await shop.pull()

    [order] = pulled.orders
    assert (order.order_ref, order.cancelled, order.cancellable) == (ref, False, True)
    assert [(line.channel_sku, line.quantity, line.unit_price) for line in order.lines] == [
        ("MUG", 2, 1000),
        ("MUG-RED", 1, 1000),
    ]
    behind = datetime.now(UTC) - pulled.watermark
    assert timedelta(seconds=2) <= behind < timedelta(seconds=5)
    assert pulled.problems == ()


async def test_an_order_is_read_again_only_when_it_may_have_changed(shop: Shop) -> None:
    shop.sandbox.move_clock(-60)
    ref = shop.sold()
    shop.sandbox.move_clock(0)
    [order] = (await shop.pull()).orders

    settled = await shop.pull(seen={ref: order.hint})
    shop.sandbox.act("shopify", ref, "ship")
    [shipped] = (await shop.pull(seen={ref: order.hint})).orders
    [fresh] = (await shop.pull(seen={ref: shipped.hint})).orders

    assert settled.orders == ()
    assert (shipped.lines[0].shipped, shipped.lines[0].cancelled, shipped.cancellable) == (
        2,
        0,
        False,
    )
    assert fresh.lines == shipped.lines


async def test_a_buyers_cancellation_is_pulled(shop: Shop) -> None:
    ref = shop.sold()
    shop.sandbox.act("shopify", ref, "buyer-cancel")

    [order] = (await shop.pull()).orders

    assert (order.cancelled, order.cancelled_by, order.lines[0].cancelled) == (
        True,
        Party.BUYER,
        2,
    )


async def test_all_lines_of_a_long_order_are_read(shop: Shop) -> None:
    many = {f"S-{number:02d}": 1 for number in range(60)}
    shop.sandbox.list_items("shopify", many)
    shop.sold(many)

    [order] = (await shop.pull()).orders

    assert [line.channel_sku for line in order.lines] == list(many)


async def pulled_all(shop: Shop, seen: dict[str, str]) -> list[Pulled]:
    """Pulls until nothing is left, as the puller makes them: what came in is known by its hint."""
    pulls: list[Pulled] = []
    while not pulls or "asked_at" in shop.cursor:
        pulls.append(await shop.pull(seen=seen))
        seen |= {order.order_ref: order.hint for order in pulls[-1].orders}
    return pulls


async def test_a_pull_that_runs_out_of_points_goes_on_where_it_stopped(open_shop: Opener) -> None:
    # A tenth of the bucket is kept for zeros and cancels; a pull has a thousand points.
    async with open_shop(points_per_second=1.0, points_at_once=1112) as shop:
        shop.sandbox.list_items("shopify", {"MUG": 1000})
        refs = {shop.sold({"MUG": 1}) for _ in range(120)}

        seen: dict[str, str] = {}
        with pytest.raises(Throttled):
            await pulled_all(shop, seen)
        assert 0 < len(seen) < 120
        assert shop.cursor.get("watermark") is None
        await shop.refill()
        pulls = await pulled_all(shop, seen)

        assert set(seen) == refs
        early = datetime.now(UTC) - timedelta(days=13)
        assert all(pulled.watermark < early for pulled in pulls[:-1])
        assert pulls[-1].watermark > datetime.now(UTC) - timedelta(minutes=1)


async def test_a_long_list_is_booked_in_parts_and_its_pages_are_asked_for_once(
    open_shop: Opener,
) -> None:
    async with open_shop() as shop:
        await shop.pull()
        [behind] = [shop.cursor["watermark"]]
        shop.sandbox.list_items("shopify", {"MUG": 1000})
        refs = [shop.sold({"MUG": 1}) for _ in range(75)]
        spent = shop.sandbox.books("shopify")["calls"]["graphql"]["used"]
        seen: dict[str, str] = {}

        pulls = await pulled_all(shop, seen)

        found = [[order.order_ref for order in pulled.orders] for pulled in pulls]
        assert found == [refs[:30], refs[30:60], refs[60:]]
        # 75 orders in one page, and each of them read once.
        assert shop.sandbox.books("shopify")["calls"]["graphql"]["used"] - spent == 75 + 75 * 5
        assert {pulled.watermark.isoformat() for pulled in pulls[:-1]} == {
            datetime.fromisoformat(behind).isoformat()
        }
        assert pulls[-1].watermark > datetime.fromisoformat(behind)


async def test_a_list_cursor_that_is_refused_starts_the_question_again(shop: Shop) -> None:
    ref = shop.sold()
    await shop.pull()
    watermark = shop.cursor["watermark"]
    asked_at = datetime.now(UTC).isoformat()
    shop.cursor |= {"after": "é", "since": "2026-01-01T00:00:00Z", "asked_at": asked_at}

    broken = await shop.pull()
    mended = await shop.pull()

    assert (broken.orders, broken.cursor) == ((), {"watermark": watermark})
    assert [order.order_ref for order in mended.orders] == [ref]


async def test_an_order_that_is_not_there_is_none(shop: Shop) -> None:
    assert await shop.adapter.read_order("1") is None


async def test_points_that_were_not_needed_come_back(shop: Shop) -> None:
    shop.sold()

    await shop.pull()

    spent = shop.sandbox.books("shopify")["calls"]["graphql"]["used"]
    level = await shop.adapter.budgets.level(POINTS)
    assert spent == 6
    assert 1000 - spent - 1 <= level <= 1000


async def test_throttled_says_how_long_to_wait_and_empties_our_bucket(
    open_shop: Opener,
) -> None:
    async with open_shop({"bucket": 60.0, "restore_rate": 50.0}) as shop:
        with pytest.raises(Throttled) as throttled:
            await shop.pull()

        missing = documents.ORDERS_POINTS - 60
        assert 0 < throttled.value.seconds <= missing / 50 + 0.2
        assert await shop.adapter.budgets.level(POINTS) < 1


async def test_a_token_that_ended_early_is_renewed_once(shop: Shop) -> None:
    await shop.pull()

    shop.sandbox.move_clock(90_000)

    assert await shop.adapter.read_order("1") is None


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ({"error_rate": 1}, RetryLater),
        ({"throttle_rate": {"endpoint": "graphql"}}, Throttled),
        ({"auth_expired": 1}, AuthExpired),
        ({"garbage": {"endpoint": "graphql"}}, BadAnswer),
        ({"timeout_after_apply": {"endpoint": "graphql"}}, RetryLater),
    ],
)
async def test_a_sick_shop_is_asked_again_later_or_by_a_person(
    shop: Shop, faults: dict[str, Any], error: type[Exception]
) -> None:
    await shop.pull()
    shop.sandbox.break_with("shopify", **faults)

    with pytest.raises(error):
        await shop.pull()

    shop.sandbox.break_with("shopify")
    await shop.refill()
    assert (await shop.pull()).orders == ()


async def test_wrong_keys_need_a_person_and_are_not_shown(shop: Shop, redis: Redis) -> None:
    access = shop.sandbox.access("shopify")
    wrong = ShopifyCredentials(client_id="x", client_secret="hush-hush")
    adapter = build(
        channel_id=2,
        base_url=access["base_url"],
        settings=msgspec.convert(access["settings"], ShopifySettings),
        credentials=wrong,
        means=Means(redis=redis, keep=MemoryKeep()),
    )
    await adapter.budgets.fill()

    with pytest.raises(AuthExpired) as refused:
        await adapter.read_order("1")

    await adapter.aclose()
    assert "hush-hush" not in f"{refused.value!r} {wrong!r}"


class Canned:
    """A client that answers a document with what a test likes."""

    def __init__(self, answers: dict[str, object]) -> None:
        self._answers = answers

    async def ask(self, document: str, kind: type[Any], **_: object) -> Any:
        """The answer for the document, read as the client would."""
        return msgspec.convert(self._answers[document], kind)


async def test_an_order_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    listed = {
        "id": "gid://shopify/Order/1",
        "updatedAt": "2026-11-21T09:00:00Z",
        "cancelledAt": None,
        "displayFulfillmentStatus": "UNFULFILLED",
    }
    lines = {"nodes": [{"id": "L", "sku": "MUG", "quantity": 1, "currentQuantity": 1}]}
    lines["nodes"][0] |= {"unfulfilledQuantity": 1, "variant": None}
    whole = {**listed, "createdAt": "2026-11-21T09:00:00Z", "cancelReason": None}
    broken = {**whole, "id": "gid://shopify/Order/2", "lineItems": {"nodes": "none"}}
    answers: dict[str, object] = {
        documents.ORDERS: {"orders": {"nodes": [listed, {"id": "gid://shopify/Order/3"}, None]}},
        documents.CHANGED: {"nodes": [broken, {**whole, "lineItems": lines}, None]},
    }

    orders = Orders(cast("ShopifyClient", Canned(answers)), ShopifySettings())
    pulled = await orders.pull({}, seen={})

    assert [order.order_ref for order in pulled.orders] == ["1"]
    assert [ref for ref, _ in pulled.problems] == ["3", "?", "2"]


async def test_shipments_are_read_where_only_they_tell(shop: Shop) -> None:
    ref = shop.sold({"MUG": 2, "MUG-RED": 1})
    shop.sandbox.act("shopify", ref, "ship")
    assert isinstance(shop.adapter, ShopifyAdapter)

    shipped = await shop.adapter._orders._shipped(f"gid://shopify/Order/{ref}")

    assert sorted(shipped.values()) == [1, 2]
    assert all(line_id.startswith("gid://shopify/LineItem/") for line_id in shipped)
