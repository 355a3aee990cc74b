"""A marketplace tells of its orders by itself: they are in the ledger without a pull."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from sqlalchemy import select

from inventory.app import create_app
from inventory.config import Settings
from inventory.models import InboundEvent
from tests.channels.sandbox_process import SandboxProcess
from tests.workers.night import Night
from workers import notices, process, sweep

START_SECONDS_MAX = 30


class Door:
    """The API behind a real socket; what it rings for is remembered."""

    def __init__(self, url: str, rings: list[str]) -> None:
        self.url = url
        self.rings = rings


@pytest.fixture
async def door(settings: Settings) -> AsyncIterator[Door]:
    rings: list[str] = []
    app: Any = create_app(settings, ring=rings.append)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    async with asyncio.timeout(START_SECONDS_MAX):
        while not server.started:
            assert thread.is_alive()
            await asyncio.sleep(0.02)
    [listening] = server.servers
    port = listening.sockets[0].getsockname()[1]
    yield Door(f"http://127.0.0.1:{port}", rings)
    server.should_exit = True
    await asyncio.to_thread(thread.join)


def send_to(sandbox: SandboxProcess, kind: str, url: str | None) -> None:
    """Tell a marketplace where its webhooks go."""
    sandbox._json("PUT", f"/_sandbox/{kind}/hook", {"url": url})


async def opened(night: Night, door: Door, **channel: Any) -> None:
    """Two shops; from now on Shopify tells what happens to its orders."""
    await night.open("shopify", "rakuten", units=10, **channel)
    send_to(night.sandbox, "shopify", f"{door.url}/v1/notices/shopify")


async def heard(night: Night, count: int) -> list[InboundEvent]:
    """Wait until so many notices are stored."""
    found: list[InboundEvent] = []

    async def there() -> bool:
        nonlocal found
        found = await night.rows(
            select(InboundEvent)
            .where(InboundEvent.event_id.startswith("notice:"))
            .order_by(InboundEvent.id)
        )
        return len(found) >= count

    await night.until(there)
    return found


async def worked(night: Night) -> None:
    """What the workers do once they were rung for."""
    await process.work(night.runtime)
    await notices.work(night.runtime)


async def test_a_sale_is_in_the_ledger_and_off_the_other_shelf_without_a_pull(
    night: Night, door: Door
) -> None:
    await opened(night, door)
    pulls = (await night.channel("shopify")).pulled_at

    ref = night.buy("shopify", 3)
    [event] = await heard(night, 1)
    assert (event.kind, event.subject) == ("order", ref)
    await worked(night)
    await night.round()

    assert await night.stock() == (10, 3)
    assert night.shown() == {"shopify": 7, "rakuten": 7}
    assert (await night.channel("shopify")).pulled_at == pulls
    assert "process" in door.rings
    [sent] = night.sandbox._json("GET", "/_sandbox/shopify/hook")["sent"]
    assert sent["status"] == 200
    assert sent["seconds"] < 1


async def test_a_cancellation_and_an_edit_are_read_soon(night: Night, door: Door) -> None:
    await opened(night, door)
    ended, edited = night.buy("shopify", 2), night.buy("shopify", 3)
    await heard(night, 2)
    await worked(night)
    assert await night.stock() == (10, 5)

    night.sandbox.act("shopify", ended, "buyer-cancel")
    night.sandbox.act("shopify", edited, "drop-unit")
    told = await heard(night, 6)
    await worked(night)

    assert {event.kind for event in told[2:]} == {"notice"}
    assert await night.stock() == (10, 2)
    order = await night.order("shopify", ended)
    assert order is not None
    assert order.cancelled
    settled = await heard(night, 6)
    assert {event.state for event in settled} == {"handled"}


async def test_notices_that_come_twice_late_and_out_of_order_change_nothing(
    night: Night, door: Door
) -> None:
    await opened(night, door)
    night.sandbox.break_with("shopify", repeat_notices=1, shuffle_notices_s=0.5)
    refs = [night.buy("shopify", 1) for _ in range(4)]
    night.sandbox.act("shopify", refs[0], "buyer-cancel")
    night.sandbox.act("shopify", refs[1], "ship")

    told = await heard(night, 7)
    await worked(night)
    await night.pulled_until("shopify", refs[0], lambda order: order.cancelled)

    assert len(told) == 7
    assert (await night.stock()) == (9, 2)
    assert await night.units_sold() == 4


async def test_what_was_never_told_is_pulled(night: Night, door: Door) -> None:
    await opened(night, door)
    night.sandbox.break_with("shopify", lose_notices=1)

    ref = night.buy("shopify", 2)
    await night.pulled("shopify", ref)

    assert await night.stock() == (10, 2)


async def test_a_forged_notice_sells_nothing(night: Night, door: Door) -> None:
    await opened(night, door)
    night.sandbox.break_with("shopify", forge_notices=1)

    night.buy("shopify", 2)

    async def answered() -> bool:
        return bool(night.sandbox._json("GET", "/_sandbox/shopify/hook")["sent"])

    await night.until(answered)
    [sent] = night.sandbox._json("GET", "/_sandbox/shopify/hook")["sent"]
    assert sent["status"] == 401
    await worked(night)
    assert await night.stock() == (10, 0)


async def test_a_notice_that_cannot_be_served_is_left_to_the_pull(night: Night, door: Door) -> None:
    await opened(night, door)
    ref = night.buy("shopify", 2)
    await night.pulled("shopify", ref)
    night.sandbox.break_with("shopify", error_rate={"endpoint": "graphql"})
    night.sandbox.act("shopify", ref, "buyer-cancel")
    await heard(night, 3)

    for _ in range(4):
        assert await notices.work(night.runtime) == 0
    waiting = {event.state for event in (await heard(night, 3))[1:]}
    await notices.work(night.runtime)
    given_up = {
        (event.state, (event.outcome or {})["status"]) for event in (await heard(night, 3))[1:]
    }

    assert waiting == {"new"}
    assert given_up == {("handled", "left_to_the_pull")}
    night.sandbox.break_with("shopify")
    await night.rested()
    await night.pulled_until("shopify", ref, lambda order: order.cancelled)
    assert await night.stock() == (10, 0)


async def test_a_named_order_that_waits_is_rung_for_and_shows_in_health(
    night: Night, door: Door
) -> None:
    await opened(night, door)
    ref = night.buy("shopify", 2)
    night.sandbox.act("shopify", ref, "ship")
    await heard(night, 2)
    await process.work(night.runtime)

    await night.execute("UPDATE inbound_event SET received_at = received_at - interval '1 minute'")
    night.rings.clear()
    await sweep.work(night.runtime)

    assert ("notices",) in night.rings
    assert ("process",) not in night.rings
    kinds = {kind for kind, _ in await night.alerts()}
    assert "health.events_unhandled" in kinds
