"""While a call is under way the next batch is made ready: one, of other listings, and no more."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from inventory.models import Push, PushRow
from tests.workers.night import PUSHES, Night
from tests.workers.test_resync import BATCH, HELD_SECONDS_MAX, start, stocked
from workers import push

# Amazon takes a number in a call; so many are a batch.
SMALL = 20


async def open_pushes(night: Night) -> list[int]:
    return await night.rows(select(Push.id).where(Push.ended_at.is_(None)).order_by(Push.id))


async def sent_while_held(night: Night, kind: str, count: int) -> tuple[list[int], int]:
    """The pushes that are open while the first call is held, and how many numbers went then."""
    await night.open(kind, units=10)
    await stocked(night, kind, count - 1)
    await start(night, kind)
    held = night.wire.hold(PUSHES[kind], before=False)
    sending = asyncio.create_task(push.push(night.runtime, night.ids[kind], "number"))
    async with asyncio.timeout(HELD_SECONDS_MAX):
        await held.reached.wait()
    # Long enough for another claim, were there one.
    await asyncio.sleep(1.5)
    found = await open_pushes(night)
    held.release()
    return found, await sending


async def test_one_batch_is_claimed_ahead_where_calls_go_one_at_a_time(night: Night) -> None:
    found, sent = await sent_while_held(night, "rakuten", 4 * BATCH)

    assert len(found) == 2
    assert sent == 4 * BATCH
    carried = await night.rows(select(PushRow.listing_id).where(PushRow.push_id.in_(found)))
    assert len(carried) == len(set(carried)) == 2 * BATCH
    assert await open_pushes(night) == []
    counted = night.sandbox.books("rakuten")["calls"]
    assert {name for name, limit in counted.items() if limit["refused"]} == set()


async def test_none_is_claimed_ahead_where_calls_are_saved_up(night: Night) -> None:
    found, sent = await sent_while_held(night, "amazon", 2 * SMALL)

    assert len(found) == 1
    assert sent == 2 * SMALL
    assert await open_pushes(night) == []


async def test_a_channel_that_wants_to_be_left_alone_is_left_alone(night: Night) -> None:
    await night.open("rakuten", units=10)
    await stocked(night, "rakuten", 4 * BATCH - 1)
    await start(night, "rakuten")
    night.wire.cut(PUSHES["rakuten"], before=False)

    assert await push.push(night.runtime, night.ids["rakuten"], "number") <= BATCH

    # The one that failed, and at most the one that waited behind it.
    assert len(await night.rows(select(Push))) <= 2
    assert await open_pushes(night) == []
    assert ("push", night.ids["rakuten"], "number") not in night.rings
