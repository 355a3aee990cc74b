"""Marketplaces that misbehave on a sale night: no crash, a record, no second sale, and recovery."""

from __future__ import annotations

import asyncio

import pytest

from tests.workers.night import KINDS, PUSHES, Night
from workers import sender

PUSH_ROUNDS_MAX = 2


@pytest.mark.parametrize(
    ("fault", "pulls_end", "pushes_end"),
    [
        # A used-up budget is no failure of a channel: it is pulled as often as it permits. The
        # order functions of Rakuten say 503 for that all the same.
        pytest.param("throttle_rate", {"", "retry_later"}, "unsent", id="429"),
        pytest.param("error_rate", {"retry_later"}, "unsent", id="503"),
        pytest.param("auth_expired", {"auth_expired"}, "unsent", id="key expired"),
        pytest.param("garbage", {"bad_answer"}, "unknown", id="garbage"),
        pytest.param("timeout_after_apply", {"retry_later"}, "unknown", id="no answer"),
    ],
)
async def test_after_a_storm_every_channel_agrees_within_two_push_rounds(
    night: Night, fault: str, pulls_end: set[str], pushes_end: str
) -> None:
    await night.open(units=10)
    for kind in KINDS:
        night.sandbox.break_with(kind, **{fault: 1})
        night.buy(kind)
    await night.damage(2)
    await night.pull_all()
    await night.rounds(PUSH_ROUNDS_MAX)

    channels = [await night.channel(kind) for kind in KINDS]
    assert {(channel.failure or "").partition(":")[0] for channel in channels} == pulls_end
    for kind in KINDS:
        assert set(await night.push_ends(kind)) == {pushes_end}, kind
        assert (await night.listing(kind)).failure, kind
    late = {("health.listings_stale", f"channel:{kind}") for kind in KINDS}
    assert late <= await night.alerts()
    assert await night.units_sold() == 0

    for kind in KINDS:
        night.sandbox.break_with(kind)
    await night.rested()
    for _ in range(PUSH_ROUNDS_MAX):
        await night.pull_all()
        await night.rounds(1)

    assert await night.stock() == (8, 4)
    assert night.shown() == dict.fromkeys(KINDS, 4)
    assert await night.alerts() == set()


@pytest.mark.parametrize("done", [False, True], ids=["before it was done", "after it was done"])
async def test_a_push_whose_line_is_cut_is_never_done_twice(night: Night, done: bool) -> None:
    await night.open(units=10)
    for kind in KINDS:
        night.wire.cut(PUSHES[kind], before=not done)
    await night.damage(2)

    await night.round()
    ends = {kind: await night.push_ends(kind) for kind in KINDS}
    await night.rounds(PUSH_ROUNDS_MAX)

    for kind in KINDS:
        # A repeat that the channel knows by its key is asked for at once; others are read back.
        repeatable = (await night.adapter(kind)).capabilities.repeatable
        assert ends[kind] == (["accepted"] if repeatable else ["unknown"]), kind
        again = [] if done or repeatable else ["accepted"]
        assert await night.push_ends(kind) == ends[kind] + again, kind
        assert night.writes(kind) == [(10, 8)], kind


async def test_a_change_in_doubt_starts_anew_from_zero(night: Night) -> None:
    await night.open("shopify", units=10)
    night.wire.cut(PUSHES["shopify"], before=False, calls=1 + sender.REPEATS_MAX)
    await night.damage(2)

    await night.round()
    await night.rounds(1)
    await night.rounds(1)
    zeroed = night.shown()
    await night.pull_all()
    await night.rounds(1)

    assert zeroed == {"shopify": 0}
    assert night.writes("shopify") == [(10, 8), (8, 0), (0, 8)]


async def test_a_number_taken_and_ignored_is_put_right_by_the_next_reading(night: Night) -> None:
    await night.open(units=10)
    for kind in KINDS:
        night.sandbox.break_with(kind, ignore_writes=1)
    await night.damage(2)
    await night.rounds(PUSH_ROUNDS_MAX)
    assert night.shown() == dict.fromkeys(KINDS, 10)

    for kind in KINDS:
        night.sandbox.break_with(kind)
    await night.execute("UPDATE listing SET read_after = now()")
    await night.rounds(PUSH_ROUNDS_MAX)

    assert night.shown() == dict.fromkeys(KINDS, 8)


async def test_orders_shown_late_and_twice_are_booked_once(night: Night) -> None:
    await night.open(units=10)
    for kind in KINDS:
        night.sandbox.break_with(kind, repeat_orders=1, order_delay_s=1.5)
    refs = {kind: night.buy(kind) for kind in KINDS}

    await asyncio.gather(*(night.pulled(kind, ref) for kind, ref in refs.items()))
    await night.agree(6)

    assert await night.stock() == (10, 4)
    assert await night.units_sold() == 4
