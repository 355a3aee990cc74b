"""A whole shop pushed again, through the real adapters: within its bound, and overtaken at once."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select, text

from inventory import bulks, resyncs
from inventory.models import Listing, Push, PushRow
from inventory.resyncs import Progress
from tests.workers.night import KINDS, PUSHES, Night, channel_sku
from workers import bulk, push

HELD_SECONDS_MAX = 20
BATCH = 400

SKUS = "INSERT INTO sku (code) SELECT unnest(CAST(:names AS text[]))"
LEVELS = """
INSERT INTO stock_level (sku_id, location_id, on_hand)
SELECT id, 1, 10 FROM sku WHERE code = ANY(:names)
"""
LISTINGS = """
INSERT INTO listing (channel_id, channel_sku, sku_id, quantity_wanted, revision_wanted,
  revision_published, quantity_known, known_from, known_at, quantity_published, published_at)
SELECT :channel, n.key, s.id, 10, 1, 1, 10, t.at, t.at, 10, t.at
FROM unnest(CAST(:names AS text[]), CAST(:keys AS text[])) AS n (name, key)
JOIN sku s ON s.code = n.name, (SELECT now() - interval '1 hour' AS at) t
"""


async def stocked(night: Night, kind: str, count: int) -> None:
    """Very many SKUs, ten of each, which the shop displays, known and in sync since an hour."""
    names = [f"SKU{number:05}" for number in range(count)]
    keys = [channel_sku(kind, name) for name in names]
    night.sandbox.list_items(kind, dict.fromkeys(keys, 10))
    async with night.runtime.database.transaction() as session:
        await session.execute(text(SKUS), {"names": names})
        await session.execute(text(LEVELS), {"names": names})
        listed = {"names": names, "keys": keys, "channel": night.ids[kind]}
        await session.execute(text(LISTINGS), listed)


async def start(night: Night, kind: str) -> int:
    async with night.runtime.database.transaction() as session:
        now = night.runtime.clock.now()
        return await resyncs.start(session, kind, by="mori", now=now)


async def progress(night: Night, kind: str) -> Progress:
    async with night.runtime.database.sessions() as session:
        return await resyncs.progress(session, kind, night.runtime.clock.now())


async def lanes(night: Night) -> list[tuple[str, int]]:
    """Every push: its lane, and how many numbers it carried."""
    async with night.runtime.database.sessions() as session:
        rows = await session.execute(
            select(Push.lane, func.count())
            .join(PushRow, PushRow.push_id == Push.id)
            .group_by(Push.id)
            .order_by(Push.id)
        )
        return [(lane, count) for lane, count in rows]


async def test_a_resync_fills_every_call_and_none_is_too_many(night: Night) -> None:
    calls = 8
    await night.open("rakuten", units=10)
    await stocked(night, "rakuten", calls * BATCH - 1)
    total = await start(night, "rakuten")
    assert total == calls * BATCH

    assert await push.push(night.runtime, night.ids["rakuten"], "number") == total

    assert await lanes(night) == [("resync", BATCH)] * calls
    done = await progress(night, "rakuten")
    assert (done.total, done.done, done.ended_at is not None) == (total, total, True)
    counted = night.sandbox.books("rakuten")["calls"]
    assert {name for name, limit in counted.items() if limit["refused"]} == set()


@pytest.mark.parametrize("zero", [False, True], ids=["a lower number", "a zero"])
async def test_an_urgent_number_overtakes_with_the_next_call(night: Night, zero: bool) -> None:
    await night.open("rakuten", units=10)
    await stocked(night, "rakuten", 3 * BATCH - 1)
    await start(night, "rakuten")
    held = night.wire.hold(PUSHES["rakuten"], before=False)
    sending = asyncio.create_task(push.push(night.runtime, night.ids["rakuten"], "number"))
    async with asyncio.timeout(HELD_SECONDS_MAX):
        await held.reached.wait()

    # The one that changes is not in the batch that is under way.
    [listing] = await night.rows(select(Listing).order_by(Listing.id.desc()).limit(1))
    units = 10 if zero else 3
    await night.damage(units, f"SKU{3 * BATCH - 2:05}")
    await push.refresh(night.runtime)
    urgent = asyncio.create_task(night.do("push", (night.ids["rakuten"], "zero"))) if zero else None
    held.release()
    await sending
    if urgent is not None:
        await urgent

    sent = [lane for lane, _ in await lanes(night)]
    assert sent.index("zero" if zero else "number") <= 2
    assert night.sandbox.displayed("rakuten")[listing.channel_sku] == 10 - units
    assert (await progress(night, "rakuten")).ended_at is not None


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_can_be_resynced(night: Night, kind: str) -> None:
    await night.open(kind, units=10)
    assert await start(night, kind) == 1
    await night.rounds(2)
    assert (await progress(night, kind)).ended_at is not None
    assert night.shown() == {kind: 10}


async def test_a_resync_goes_on_where_its_worker_died(night: Night) -> None:
    await night.open("rakuten", units=10)
    await stocked(night, "rakuten", BATCH)
    await start(night, "rakuten")
    async with night.runtime.database.transaction() as session:
        taken = await resyncs.claim(
            session,
            night.ids["rakuten"],
            most=BATCH,
            margins=night.runtime.margins,
            now=night.runtime.clock.now(),
        )
    assert taken is not None
    await night.round()  # one is left, and goes
    assert (await progress(night, "rakuten")).done == 1
    await night.execute("UPDATE push SET sent_at = sent_at - interval '2 minutes'")
    await push.settle_lost(night.runtime)
    await night.rounds(2)
    assert (await progress(night, "rakuten")).ended_at is not None


async def test_a_large_resync_of_amazon_is_one_feed_and_is_read_back(night: Night) -> None:
    await night.open("amazon", units=10)
    await stocked(night, "amazon", bulks.LEAST)
    total = await start(night, "amazon")
    shop = night.ids["amazon"]

    assert await push.push(night.runtime, shop, "number") == 0
    assert ("bulk", shop) in night.rings
    assert await bulk.work(night.runtime, shop) == total
    adapter = await night.adapter("amazon")

    async def over() -> bool:
        return await bulk.look(night.runtime, adapter, shop) == total

    await night.until(over)
    assert [lane for lane, _ in await lanes(night)] == ["bulk"]
    assert (await progress(night, "amazon")).ended_at is not None
    waiting = select(Listing).where(Listing.read_after.is_not(None))
    assert len(await night.rows(waiting)) == total
