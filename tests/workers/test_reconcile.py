"""Reading back in turn, through the real adapters: what is found, put right, and told to whom."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from channels.base import Throttled
from inventory.models import Drift, Rotation
from inventory.reconcile import rotation
from tests.workers.night import KINDS, PUSHES, Night, channel_sku
from workers import reconcile, sweep


class Reconciled:
    """A night that is read back."""

    def __init__(self, night: Night) -> None:
        self.night = night

    async def round(self, *kinds: str) -> int:
        """One whole round of these channels, after the last one's time."""
        await self.night.execute(
            "UPDATE rotation SET ended_from = ended_from - interval '1 hour', due_at = NULL"
        )
        await self.night.execute("UPDATE drift SET look_at = now() WHERE look_at IS NOT NULL")
        return sum(
            [await reconcile.work(self.night.runtime, self.night.ids[kind]) for kind in kinds]
        )

    async def cases(self) -> list[tuple[str, bool]]:
        """Every case: its cause, and whether it is open."""
        rows = await self.night.rows(select(Drift).order_by(Drift.id))
        return [(case.cause, case.closed_at is None) for case in rows]


@pytest.fixture
def reconciled(night: Night) -> Reconciled:
    """A night to be opened."""
    return Reconciled(night)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_hand_edit_is_found_told_and_put_right(
    night: Night, reconciled: Reconciled, kind: str
) -> None:
    await night.open(kind, units=10)
    night.sandbox.hand_edit(kind, channel_sku(kind, "MUG"), 25)

    assert await reconciled.round(kind) == 1
    subject = f"listing:{kind}/{channel_sku(kind, 'MUG')}"
    assert await reconciled.cases() == [("hand_edit", True)]
    assert ("drift", subject) in await night.alerts()
    await night.rounds(1)
    assert night.shown() == {kind: 10}

    await reconciled.round(kind)
    assert await reconciled.cases() == [("hand_edit", False)]
    assert ("drift", subject) not in await night.alerts()


@pytest.mark.parametrize("kind", ["rakuten", "yahoo", "amazon"])
async def test_a_number_taken_and_ignored_is_found_by_the_next_round(
    night: Night, reconciled: Reconciled, kind: str
) -> None:
    await night.open(kind, units=10)
    await reconciled.round(kind)
    night.sandbox.break_with(kind, ignore_writes=1)
    await night.damage(2)
    await night.round()
    night.sandbox.break_with(kind)
    assert night.shown() == {kind: 10}

    await reconciled.round(kind)

    assert await reconciled.cases() == [("ignored", True)]
    await night.rounds(1)
    assert night.shown() == {kind: 8}


async def test_a_sale_is_held_elsewhere_before_its_order_is_pulled(
    night: Night, reconciled: Reconciled
) -> None:
    await night.open("amazon", "shopify", units=10)
    await reconciled.round("amazon", "shopify")
    ref = night.buy("amazon", 3)

    await reconciled.round("amazon")
    await night.rounds(1)

    # Nothing is pulled yet, and the other shop shows three fewer.
    assert await night.stock() == (10, 0)
    assert night.shown() == {"amazon": 7, "shopify": 7}
    assert await reconciled.cases() == [("order_not_pulled", True)]
    assert await night.alerts() == set()

    await night.pulled("amazon", ref)
    await night.full_second()
    await night.pull_all()
    await night.rounds(1)
    assert await night.stock() == (10, 3)
    assert night.shown() == {"amazon": 7, "shopify": 7}
    await reconciled.round("amazon")
    assert await reconciled.cases() == [("order_not_pulled", False)]


async def test_units_that_were_not_sold_come_back_when_the_watermark_has_passed(
    night: Night, reconciled: Reconciled
) -> None:
    await night.open("amazon", "shopify", units=10)
    night.sandbox.hand_edit("amazon", channel_sku("amazon", "MUG"), 6)
    await reconciled.round("amazon")
    await night.rounds(1)
    assert night.shown() == {"amazon": 6, "shopify": 6}

    await night.full_second()
    await night.pull_all()
    await reconciled.round("amazon")

    assert await reconciled.cases() == [("hand_edit", True)]
    await night.agree(10)


async def test_a_listing_that_the_shop_does_not_have_is_a_matter_for_a_person(
    night: Night, reconciled: Reconciled
) -> None:
    await night.open("rakuten", units=10)
    await night.add("POT", 5)
    await reconciled.round("rakuten")

    assert await reconciled.cases() == [("mapping_error", True)]
    assert ("drift", "listing:rakuten/pot/x") in await night.alerts()
    night.sandbox.list_items("rakuten", {channel_sku("rakuten", "POT"): 5})
    await night.rounds(1)
    assert await reconciled.cases() == [("mapping_error", False)]


async def test_numbers_in_doubt_go_first(night: Night, reconciled: Reconciled) -> None:
    await night.open("rakuten", units=10)
    await night.execute("UPDATE listing SET read_after = now()")
    assert await reconciled.round("rakuten") == 0
    assert ("read", night.ids["rakuten"]) in night.rings
    await night.round()
    assert await reconciled.round("rakuten") == 1


async def test_what_is_on_its_way_is_no_drift(night: Night, reconciled: Reconciled) -> None:
    await night.open("shopify", units=10)
    night.wire.cut(PUSHES["shopify"], before=False, calls=9)
    await night.damage(2)
    await night.round()  # eight stand there, and nobody knows
    await night.patience()
    assert await reconciled.round("shopify") == 0
    await night.round()
    assert await reconciled.cases() == []


async def test_a_used_up_budget_postpones_the_round_and_is_no_failure(
    night: Night, reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    await night.open("rakuten", units=10)
    adapter = await night.adapter("rakuten")

    async def refused(_: object) -> None:
        raise Throttled("today's calls are used up", seconds=600)

    monkeypatch.setattr(adapter, "read_stock", refused)
    assert await reconciled.round("rakuten") == 0
    [turn] = await night.rows(select(Rotation))
    assert turn.failure is None
    async with night.runtime.database.sessions() as session:
        assert await rotation.due(session, night.runtime.clock.now()) == []


async def test_the_rate_that_a_person_sets_is_kept_to(night: Night, reconciled: Reconciled) -> None:
    await night.open("rakuten", units=10, skus=("MUG", "POT", "CUP"))
    async with night.runtime.database.transaction() as session:
        now = night.runtime.clock.now()
        assert await rotation.ask(session, "rakuten", per_second=2, now=now) == ["rakuten"]
    began = night.runtime.clock.now()
    assert await reconcile.work(night.runtime, night.ids["rakuten"]) == 3
    assert (night.runtime.clock.now() - began).total_seconds() > 1.4
    [turn] = await night.rows(select(Rotation))
    assert (turn.readings, turn.asked_at, turn.began_at) == (3, None, None)


async def test_the_sweep_rings_for_rounds_cases_and_holds(
    night: Night, reconciled: Reconciled
) -> None:
    await night.open("rakuten", units=10)
    ring = ("reconcile", night.ids["rakuten"])

    async def rung() -> bool:
        night.rings.clear()
        await sweep.work(night.runtime)
        return ring in night.rings

    assert await rung()
    await reconciled.round("rakuten")
    assert not await rung()
    night.sandbox.hand_edit("rakuten", channel_sku("rakuten", "MUG"), 4)
    await reconciled.round("rakuten")
    await night.pull_all()
    assert await rung()  # the watermark has passed what was held
