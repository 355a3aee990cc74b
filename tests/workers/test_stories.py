"""Stories of real nights: real adapters, marketplaces in the sandbox, a delay that is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import select

from inventory.models import Oversell
from inventory.story import lines, oversell
from inventory.story.delay import Delay, Where
from inventory.story.oversell import OversellStory
from tests.channels.sandbox_process import SandboxProcess
from tests.workers import wire
from tests.workers.conftest import QUICK
from tests.workers.night import PUSHES, Night
from workers.runtime import Runtime

VISIBLE_AFTER_SECONDS = 2.5


@pytest.fixture
async def slow_night(
    runtime: Runtime, start_sandbox: Callable[..., SandboxProcess]
) -> AsyncIterator[Night]:
    """A night in which Rakuten shows an order two and a half seconds after it was placed."""
    options: dict[str, Any] = QUICK | {"rakuten": {"visible_after_s": VISIBLE_AFTER_SECONDS}}
    sandbox = start_sandbox(**options)
    async with wire.opened(sandbox.url) as line:
        yield Night(runtime, sandbox, line)
        for _, adapter in runtime._adapters.values():
            await adapter.aclose()
        runtime._adapters.clear()


async def told(night: Night) -> OversellStory:
    """The story of the one case, once it is closed."""

    async def closed() -> bool:
        [case] = await night.rows(select(Oversell))
        return bool(case.state == "closed")

    await night.desk_until(closed)
    [case] = await night.rows(select(Oversell))
    async with night.runtime.database.sessions() as session:
        return await oversell.tell(session, case.id, night.runtime.clock.now())


async def sold_twice(night: Night) -> tuple[str, str]:
    """Rakuten sells both mugs; in a later second, before anybody acts, Yahoo! sells one of them."""
    first = night.buy("rakuten", 2)
    await night.full_second()
    return first, night.buy("yahoo", 1)


def one_delay(found: OversellStory, first: str, second: str) -> Delay:
    """The one delay of the story, which is about these two orders."""
    [delay] = found.delays
    assert (delay.order_ref, delay.gone_by) == (second, f"rakuten {first}")
    assert [sale.order_ref for sale in found.sales] == [first, second]
    assert [sale.beyond_stock for sale in found.sales] == [False, True]
    return delay


async def test_an_order_shown_late_and_the_push_that_came_too_late(slow_night: Night) -> None:
    night = slow_night
    await night.open("rakuten", "yahoo", units=2)
    first, second = await sold_twice(night)
    await night.pulled("yahoo", second)
    await night.pulled("rakuten", first)
    await night.round()

    found = await told(night)

    delay = one_delay(found, first, second)
    assert delay.where is Where.ARRIVAL
    # The marketplace cuts the time of an order off to the second.
    assert delay.seconds is not None
    assert VISIBLE_AFTER_SECONDS <= delay.seconds < VISIBLE_AFTER_SECONDS + 5
    assert delay.told_quantity == 0
    assert delay.too_late_seconds is not None
    assert delay.too_late_seconds > 0
    [yahoo] = [each for each in found.listings if each.channel == "yahoo"]
    zero = [each for each in yahoo.moments if each.what == "told" and each.quantity == 0]
    assert zero[0].status == "accepted"
    assert zero[0].at == delay.told_at
    assert "yahoo was told 0 at" in found.headline
    [given_up] = [each for each in found.given_up if each.state == "confirmed"]
    assert given_up.entry is not None
    assert f"rakuten told us of it after {delay.seconds:.1f} s" in "\n".join(lines.lines(found))


async def test_a_number_that_waited_here(night: Night) -> None:
    await night.open("rakuten", "yahoo", units=2)
    first = night.buy("rakuten", 2)
    await night.pulled("rakuten", first)
    await night.full_second()
    second = night.buy("yahoo", 1)
    await night.round()
    await night.pulled("yahoo", second)

    delay = one_delay(await told(night), first, second)

    assert delay.where is Where.OUR_SIDE
    assert delay.known_at is not None
    assert delay.told_at is not None
    assert delay.known_at < delay.sold_at < delay.told_at
    assert delay.seconds == (delay.told_at - delay.known_at).total_seconds()


async def test_a_sale_while_the_number_was_on_its_way(night: Night) -> None:
    await night.open("rakuten", "yahoo", units=2)
    first = night.buy("rakuten", 2)
    await night.pulled("rakuten", first)
    held = night.wire.hold(PUSHES["yahoo"])
    going = asyncio.create_task(night.round())
    await held.reached.wait()
    await night.full_second()
    second = night.buy("yahoo", 1)
    held.release()
    await going
    await night.pulled("yahoo", second)

    delay = one_delay(await told(night), first, second)

    assert delay.where is Where.ON_THE_WAY
    assert delay.told_quantity == 0
    assert delay.too_late_seconds is not None
    assert delay.too_late_seconds > 0


async def test_a_number_that_yahoo_took_and_did_not_show(night: Night) -> None:
    await night.open("rakuten", "yahoo", units=2)
    first = night.buy("rakuten", 2)
    await night.pulled("rakuten", first)
    night.sandbox.break_with("yahoo", ignore_writes=1)
    await night.round()
    night.sandbox.break_with("yahoo")
    await night.full_second()
    second = night.buy("yahoo", 1)
    await night.pulled("yahoo", second)

    found = await told(night)

    delay = one_delay(found, first, second)
    assert delay.where is Where.CHANNEL
    assert delay.told_quantity == 0
    assert "yahoo had accepted 0" in found.headline
