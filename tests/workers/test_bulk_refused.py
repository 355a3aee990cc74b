"""A bulk job that the channel does not take: none of its numbers is left hanging."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import func, select

from channels.base import AuthExpired, ChannelError, OutcomeUnknown, Rejected
from inventory import bulks
from inventory.models import Listing, Push, PushRow, ResyncMark
from inventory.vocabulary import QuantityPush
from tests.workers.night import Night
from tests.workers.test_resync import start, stocked
from workers import bulk

SHOP = "amazon"


@pytest.fixture
async def total(night: Night) -> int:
    """So many listings shall be pushed again that a job is worth it."""
    await night.open(SHOP, units=10)
    await stocked(night, SHOP, bulks.LEAST)
    return await start(night, SHOP)


async def handed_in(night: Night, monkeypatch: pytest.MonkeyPatch, error: ChannelError) -> int:
    """The channel answers a job with this error; how many numbers it was asked to take."""
    asked: list[int] = []

    async def push_bulk(pushes: Sequence[QuantityPush]) -> str:
        asked.append(len(pushes))
        raise error

    monkeypatch.setattr(await night.adapter(SHOP), "push_bulk", push_bulk)
    assert await bulk.work(night.runtime, night.ids[SHOP]) == 0
    return sum(asked)


async def ends(night: Night) -> dict[str, int]:
    """How many numbers ended how; every push has ended."""
    assert await night.rows(select(Push).where(Push.ended_at.is_(None))) == []
    async with night.runtime.database.sessions() as session:
        rows = await session.execute(select(PushRow.status, func.count()).group_by(PushRow.status))
        return dict(rows.all())


async def count(night: Night, model: type[Listing | ResyncMark], *where: object) -> int:
    return len(await night.rows(select(model).where(*where)))  # type: ignore[arg-type]  # SQLAlchemy takes any clause


async def test_a_job_refused_as_a_whole_refuses_each_number_and_waits(
    night: Night, monkeypatch: pytest.MonkeyPatch, total: int
) -> None:
    assert await handed_in(night, monkeypatch, Rejected("no feeds for this shop")) == total

    assert await ends(night) == {"refused": total}
    assert {push.failure for push in await night.rows(select(Push))} == {"rejected"}
    later = Listing.not_before > night.runtime.clock.now()
    assert await count(night, Listing, Listing.failures == 1, later) == total
    # The wish stays, and is not tried again at once.
    assert await count(night, ResyncMark) == total
    async with night.runtime.database.sessions() as session:
        shop, now = night.ids[SHOP], night.runtime.clock.now()
        assert not await bulks.worth_it(session, shop, now)


async def test_a_job_without_a_valid_key_frees_its_numbers(
    night: Night, monkeypatch: pytest.MonkeyPatch, total: int
) -> None:
    assert await handed_in(night, monkeypatch, AuthExpired("the token is refused")) == total

    assert await ends(night) == {"unsent": total}
    assert await count(night, Listing, Listing.failures == 0, Listing.push_id.is_(None)) == total
    async with night.runtime.database.sessions() as session:
        shop, now = night.ids[SHOP], night.runtime.clock.now()
        assert await bulks.worth_it(session, shop, now)


async def test_a_job_of_which_nobody_knows_whether_it_was_taken_is_read_back(
    night: Night, monkeypatch: pytest.MonkeyPatch, total: int
) -> None:
    assert await handed_in(night, monkeypatch, OutcomeUnknown("no answer")) == total

    assert await ends(night) == {"unknown": total}
    assert await count(night, Listing, Listing.lane == "read") == total
