"""A key that expires in mid-sale: nothing but a person helps, and nothing is lost until then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inventory import connections
from inventory.app import check_by_adapter
from inventory.connections import ChannelChange
from tests.hostile.story import Story
from tests.workers.night import BY, KINDS
from workers import sweep


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sale_goes_on_elsewhere_until_the_key_is_renewed(
    story: Callable[[str], Story], kind: str
) -> None:
    told = story(kind)
    night = told.night
    await told.through(auth_expired=1)

    channel = await night.channel(kind)
    assert (channel.failure or "").startswith("auth_expired")
    assert ("health.channel_failing", f"channel:{kind}") in await night.alerts()
    assert night.writes(kind) == []
    assert ("pull", night.ids[kind]) not in await rung(told)

    told.strike()
    await renewed(told)

    assert ("pull", night.ids[kind]) in await rung(told)
    await told.recovered()
    assert night.shown() == {kind: 12, told.well: 12}


async def rung(told: Story) -> list[tuple[object, ...]]:
    """What the sweep rings for now."""
    night = told.night
    # Something sells, so every shop is pulled as soon as it may be.
    night.rings.clear()
    await sweep.work(night.runtime)
    return night.rings


async def renewed(told: Story) -> None:
    """A person enters the shop's keys anew."""
    runtime = told.night.runtime
    credentials = told.night.sandbox.access(told.kind)["credentials"]
    async with runtime.database.transaction() as session:
        await connections.change_channel(
            session,
            told.kind,
            ChannelChange(credentials=credentials),
            vault=runtime.vault,
            check=check_by_adapter,
            by=BY,
            now=runtime.clock.now(),
        )
