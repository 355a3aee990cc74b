"""Very many numbers as one slow job, which holds up nobody."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from inventory import bulks, publishing
from inventory.models import Listing
from inventory.publishing import Claim
from inventory.reconcile import readings
from inventory.vocabulary import PushOutcome, PushStatus
from tests.conftest import Save
from tests.publishing.again import Again
from tests.publishing.shop import Shop


@pytest.fixture
async def again(shop: Shop, save: Save) -> Again:
    """Ten mugs, in sync on a Rakuten shop."""
    again = Again(shop.database, shop.ledger, shop.clock, shop.margins)
    await again.open(save)
    return again


async def gathered(again: Again) -> Claim | None:
    async with again.database.transaction() as session:
        claim, _ = await bulks.gather(
            session,
            again.x.channel_id,
            after=0,
            most=1000,
            margins=again.margins,
            now=again.clock.now(),
        )
        if claim is not None:
            await bulks.handed_in(session, [claim.push_id], "job-1")
    return claim


async def bulk_ended(again: Again, claim: Claim) -> None:
    outcomes = [
        PushOutcome(channel_sku=push.channel_sku, status=PushStatus.ACCEPTED)
        for push in claim.pushes
    ]
    async with again.database.transaction() as session:
        await bulks.finish(session, claim.push_id, outcomes, now=again.later(0.1))


async def test_many_quiet_numbers_go_as_one_job_and_are_read_back(again: Again, save: Save) -> None:
    await again.listed(save, bulks.LEAST)
    again.later(1)
    await again.start()
    async with again.database.sessions() as session:
        assert await bulks.worth_it(session, again.x.channel_id, again.clock.now())
    claim = await gathered(again)
    assert claim is not None
    assert len(claim.pushes) == bulks.LEAST + 1
    assert await again.claim_again() is None  # none of them goes by itself as well
    again.later(120)
    await bulk_ended(again, claim)
    assert (await again.progress()).ended_at is not None
    async with again.database.sessions() as session:
        due = await readings.due(session, again.x.channel_id, most=2000, now=again.clock.now())
    assert len(due) == bulks.LEAST + 1


async def test_zeros_and_what_sells_are_never_in_a_job(again: Again, save: Save) -> None:
    await again.listed(save, 2)
    again.later(1)
    await again.sell(again.x, 1)
    async with again.database.transaction() as session:
        one = update(Listing).where(Listing.channel_sku == "X-0001")
        await session.execute(one.values(closed=True))
    again.later(5)
    await again.receive(1)
    await again.refresh()
    await again.start()
    claim = await gathered(again)
    assert claim is not None
    assert [push.channel_sku for push in claim.pushes] == ["X-0000"]


async def test_a_number_that_moves_during_the_job_is_pushed_by_itself_and_read_back(
    again: Again,
) -> None:
    await again.start()
    job = await gathered(again)
    assert job is not None
    again.later(30)
    await again.sell(again.y, 4)
    await again.refresh()
    assert await again.numbers() == [(6, None)]
    again.later(30)
    await bulk_ended(again, job)  # ten may have landed after six
    assert await again.numbers() == []
    again.later(5)
    assert await again.read(10) == ["X"]
    assert await again.numbers() == [(6, None)]


async def test_a_first_publish_in_a_job_does_not_go_by_itself_as_well(
    again: Again, save: Save
) -> None:
    await again.listed(save, 3, published=False)
    await again.receive(1)
    await again.refresh()
    again.later(1)
    await again.pulled()
    claim = await gathered(again)
    assert claim is not None
    assert {push.quantity for push in claim.pushes if push.channel_sku != "X"} == {11}
    assert {push.channel_sku for push in claim.pushes} >= {"X-0000", "X-0001", "X-0002"}
    assert await again.numbers() == []


async def test_a_job_that_nobody_hears_of_again_is_in_doubt(again: Again) -> None:
    await again.start()
    job = await gathered(again)
    assert job is not None
    again.later(bulks.LOST_SECONDS + 1)
    async with again.database.sessions() as session:
        assert await publishing.lost_pushes(session, again.clock.now()) == []
        assert await bulks.lost(session, again.clock.now()) == []
        again.later(bulks.JOB_SECONDS_MAX)
        assert await bulks.lost(session, again.clock.now()) == [job.push_id]
