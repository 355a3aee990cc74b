"""Each piece of work says what its calls are for, and the calls know it."""

from __future__ import annotations

from collections import defaultdict

import pytest

from channels.limits import Budgets, Grant, Purpose
from channels.purposes import current
from tests.workers.night import Night


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> defaultdict[str, set[Purpose]]:
    """Endpoint → for what it was called."""
    asked: defaultdict[str, set[Purpose]] = defaultdict(set)
    take = Budgets.take

    async def noting(
        self: Budgets, endpoint: str, *, longest_wait_seconds: float, cost: int = 1
    ) -> Grant:
        asked[endpoint].add(current())
        return await take(self, endpoint, longest_wait_seconds=longest_wait_seconds, cost=cost)

    monkeypatch.setattr(Budgets, "take", noting)
    return asked


async def test_pulls_numbers_zeros_readings_and_cancels_ask_as_what_they_are(
    night: Night, asked: defaultdict[str, set[Purpose]]
) -> None:
    await night.open("rakuten", units=10, desk_policy="auto")
    await night.damage(2)
    await night.rounds(1)
    await night.pulled("rakuten", night.buy("rakuten", 3))
    await night.damage(6)
    await night.rounds(1)

    async def given_up() -> bool:
        return Purpose.CANCEL in asked["rakuten.order"]

    await night.desk_until(given_up)

    assert asked["rakuten.bulk_upsert"] == {Purpose.NUMBER, Purpose.ZERO}
    assert asked["rakuten.bulk_get"] == {Purpose.READ_BACK}
    assert asked["rakuten.order"] == {Purpose.PULL, Purpose.CANCEL}
