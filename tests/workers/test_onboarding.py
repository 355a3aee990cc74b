"""Real shops at the sandbox are looked at, taken over, and only then published to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from inventory import catalogue, connections, matches, past_orders, shadow
from inventory.catalogue import NewSku
from inventory.models import HistoryReading, SalesOrder
from inventory.shadow import ShadowTotals
from inventory.vocabulary import Kind
from tests.workers.night import BY, KINDS, Night, channel_sku
from workers import cutover, history, onboarding

SHOWN = 7
SOLD = 2


async def looked_at(night: Night, kind: str) -> dict[str, str]:
    """A shop that has been selling is connected, discovered and matched; what was found."""
    night.sandbox.list_items(kind, {channel_sku(kind, "MUG"): SHOWN + SOLD})
    night.buy(kind, SOLD)
    async with night.runtime.database.transaction() as session:
        for code in ("MUG", "PEN"):
            now = night.runtime.clock.now()
            await catalogue.create_sku(session, NewSku(code=code), by=BY, now=now)
    await night.connect(kind, live=False)
    channel_id = night.ids[kind]
    kept = await onboarding.check(night.runtime, channel_id)
    assert kept.failure is None
    assert await onboarding.discover(night.runtime, channel_id, lambda *_: None) == 1
    async with night.runtime.database.transaction() as session:
        now = night.runtime.clock.now()
        picks = {channel_sku(kind, "MUG"): "MUG"}
        await matches.apply(session, channel_id, duplicates=True, picks=picks, by=BY, now=now)
        rows = await matches.preview(session, channel_id)
    return {row.channel_sku: row.sku or "" for row in rows}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_selling_shop_is_taken_over_and_let_go(night: Night, kind: str) -> None:
    assert await looked_at(night, kind) == {channel_sku(kind, "MUG"): "MUG"}
    channel_id = night.ids[kind]
    if kind == "amazon":
        await night.full_second()

    found = await cutover.pull_open_orders(
        night.runtime, channel_id, seconds=30, tell=lambda *_: None
    )

    assert (found.orders, found.units, found.parked) == (1, SOLD, 0)
    await night.receive("MUG", 20)
    await night.rounds(3)
    assert night.shown() == {kind: SHOWN}
    assert night.writes(kind) == []
    async with night.runtime.database.sessions() as session:
        totals = await shadow.totals(session, channel_id)
    assert totals == ShadowTotals(
        listings=1, agree=0, would_rise=1, would_fall=0, to_zero=0, unread=0, unlisted=0
    )

    async with night.runtime.database.transaction() as session:
        now = night.runtime.clock.now()
        await connections.go_live(session, kind, by=BY, now=now)
    await night.agree(18)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_past_is_read_from_the_shop_and_moves_nothing(night: Night, kind: str) -> None:
    await looked_at(night, kind)
    channel_id = night.ids[kind]
    await night.receive("MUG", 20)
    # The order is still open: it is booked by the past where no pull came before.
    async with night.runtime.database.transaction() as session:
        now = night.runtime.clock.now()
        await past_orders.ask(session, channel_id, days=30, now=now + timedelta(seconds=1))
    if kind == "amazon":
        await night.full_second()

    read = await read_all(night, channel_id)

    assert read.state == "done", read.failure
    if kind == "amazon":  # its list of past orders ends some minutes ago: the pull has the rest
        return
    assert read.orders == 1
    orders = await night.rows(select(SalesOrder))
    assert [order.past for order in orders] == [False]
    assert await night.stock() == (20, SOLD)
    channel = await night.channel(kind)
    assert channel.history_from == read.since
    assert Kind(channel.kind) is Kind(kind)


async def read_all(night: Night, channel_id: int) -> Any:
    """Read the past, the pauses between pages left out; where it ended."""

    async def done() -> bool:
        await night.execute("UPDATE history_reading SET due_at = now()")
        await history.page(night.runtime, channel_id)
        [row] = await night.rows(select(HistoryReading))
        return bool(row.state != "reading")

    await night.until(done)
    [row] = await night.rows(select(HistoryReading))
    return row
