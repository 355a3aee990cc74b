"""The Amazon adapter against the sandbox over HTTP: standing, listings and past orders."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from channels.amazon import survey, wire
from channels.amazon.settings import SEARCH_ORDERS
from channels.base import AuthExpired, Discovered, History, Rejected, RetryLater, Throttled
from inventory.vocabulary import ListingSeen
from tests.channels.amazon_seller import Opener, Seller, opened
from tests.channels.sandbox_process import SandboxProcess


@pytest.fixture
def open_seller(start_sandbox: Callable[..., SandboxProcess], redis: Redis) -> Opener:
    return partial(opened, start_sandbox, redis)


@pytest.fixture
async def seller(open_seller: Opener) -> AsyncIterator[Seller]:
    async with open_seller() as seller:
        yield seller


async def test_the_standing_names_the_account_and_the_secrets_end(open_seller: Opener) -> None:
    async with open_seller(client_secret_made_on="2026-09-01") as seller:
        standing = await seller.adapter.standing()

        assert standing.account == seller.sandbox.access("amazon")["settings"]["seller_id"]
        [end] = standing.expiries
        assert (end.name, end.ends_at) == (
            "LWA client secret",
            datetime(2027, 2, 28, tzinfo=UTC),
        )
        assert standing.dangers == ()
        assert seller.sandbox.books("amazon")["calls"]["searchOrders"]["used"] == 0


async def test_without_a_date_nothing_is_said_of_the_secret(seller: Seller) -> None:
    assert (await seller.adapter.standing()).expiries == ()


async def test_a_standing_that_is_refused_says_so(seller: Seller) -> None:
    seller.sandbox.break_with("amazon", auth_expired=1)

    with pytest.raises(AuthExpired):
        await seller.adapter.standing()


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("invalid_grant", AuthExpired),
        ("unauthorized_client", AuthExpired),
        ("access_denied", AuthExpired),
        ("invalid_client", AuthExpired),
        ("server_error", RetryLater),
        ("temporarily_unavailable", RetryLater),
        ("invalid_request", Rejected),
        ("invalid_scope", Rejected),
        ("a_new_word", AuthExpired),
    ],
)
async def test_the_words_of_a_refused_login_say_who_must_act(
    open_seller: Opener, word: str, error: type[Exception]
) -> None:
    async with open_seller({"login_error": word}) as seller:
        with pytest.raises(error, match=word) as refused:
            await seller.adapter.standing()

        assert type(refused.value) is error


async def discovered(seller: Seller) -> tuple[list[ListingSeen], list[Discovered]]:
    """All listings, and the steps in which they came."""
    listings: list[ListingSeen] = []
    steps: list[Discovered] = []
    cursor: dict[str, Any] | None = {}
    while cursor is not None:
        steps.append(await seller.adapter.discover(cursor))
        listings += steps[-1].listings
        cursor = steps[-1].cursor
    return listings, steps


async def test_every_listing_is_discovered_once(seller: Seller) -> None:
    seller.sandbox.list_items("amazon", {f"S-{number:02d}": number for number in range(25)})
    seller.sandbox.list_items("amazon", {"FBA-1": 3}, by_channel=True)

    listings, steps = await discovered(seller)

    by_sku = {one.channel_sku: one for one in listings}
    assert len(listings) == len(by_sku) == 28
    assert [step.total for step in steps] == [28, 28]
    assert by_sku["S-07"] == ListingSeen(
        channel_sku="S-07", codes=("S-07",), title="Article S-07", quantity=7
    )
    assert (by_sku["FBA-1"].quantity, by_sku["FBA-1"].fulfilled_by_channel) == (None, True)


async def test_more_listings_than_a_search_shows_are_discovered_in_windows(
    seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "PAGED_MAX", 40)
    for batch in range(5):
        keys = {f"S-{batch}-{number:02d}": 1 for number in range(20)}
        seller.sandbox.list_items("amazon", keys)

    listings, steps = await discovered(seller)

    assert len({one.channel_sku for one in listings}) == len(listings) == 102
    assert len(steps) > 5


class Endless:
    """Listings that were all made at one moment, page after page."""

    async def page(self, *, created_after: str | None, token: str | None) -> Any:
        """Twenty more."""
        at = int(token or "0")
        items = [
            {"sku": f"S-{at + number}", "summaries": [{"createdDate": "2026-01-01T00:00:00Z"}]}
            for number in range(20)
        ]
        del created_after
        page = {"items": items, "pagination": {"nextToken": str(at + 20)}}
        return msgspec.convert(page, wire.ItemsPage)


async def test_too_many_listings_of_one_moment_need_the_file(seller: Seller) -> None:
    owners: Any = seller.adapter._owners  # type: ignore[attr-defined]  # the adapter's own
    endless: Any = Endless()
    cursor: dict[str, Any] | None = {}
    for _ in range(99):
        cursor = (await survey.discover(endless, owners, cursor or {})).cursor

    with pytest.raises(Rejected, match="import Amazon's own file"):
        await survey.discover(endless, owners, cursor or {})


async def history(seller: Seller, since: datetime) -> list[History]:
    """All steps of the history."""
    steps: list[History] = []
    cursor: dict[str, Any] | None = {}
    while cursor is not None:
        steps.append(await seller.adapter.read_history(cursor, since=since))
        cursor = steps[-1].cursor
    return steps


@pytest.mark.parametrize("version", ["2026-01-01", "v0"])
async def test_past_orders_come_window_after_window(open_seller: Opener, version: str) -> None:
    now = datetime.now(UTC)
    async with open_seller(orders_api=version) as seller:
        refs = []
        for days in (20, 10, 1):
            seller.sandbox.move_clock(-days * 86_400)
            refs.append(seller.sandbox.buy("amazon", {"MUG-RED": 1}))
        seller.sandbox.move_clock(0)
        seller.sandbox.act("amazon", refs[1], "buyer-cancel")
        seller.sandbox.move_clock(2)

        steps = await history(seller, now - timedelta(days=25))

        orders = [order for step in steps for order in step.orders]
        assert [order.order_ref for order in orders] == refs
        assert [order.cancelled for order in orders] == [False, True, False]
        assert [step.until for step in steps] == sorted(step.until for step in steps)
        assert now - steps[-1].until < timedelta(minutes=4)
        assert len(steps) == 4


async def test_past_orders_leave_the_searches_that_new_ones_need(seller: Seller) -> None:
    await seller.drain(SEARCH_ORDERS, leave=10)

    with pytest.raises(Throttled) as throttled:
        await seller.adapter.read_history({}, since=datetime.now(UTC) - timedelta(days=89))

    assert throttled.value.seconds > 100


async def test_a_page_of_the_past_whose_token_died_is_asked_for_anew(seller: Seller) -> None:
    start = datetime.now(UTC) - timedelta(days=2)
    end = datetime.now(UTC) - timedelta(minutes=5)
    cursor = {"start": start.isoformat(), "end": end.isoformat(), "token": "dead"}

    step = await seller.adapter.read_history(cursor, since=start)

    assert (step.orders, step.cursor) == ((), None)
