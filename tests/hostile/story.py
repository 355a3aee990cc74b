"""How a hostile night goes: sales, a fault at one shop, its end, and the rounds after it."""

from __future__ import annotations

from typing import Any

from tests.hostile.agreement import agree, lawful
from tests.workers.night import Night
from workers import push

PUSH_ROUNDS_MAX = 2


class Story:
    """One shop that is struck, and one beside it that is well and sells the same."""

    def __init__(self, night: Night, kind: str) -> None:
        self.night = night
        self.kind = kind
        self.well = "amazon" if kind == "shopify" else "shopify"

    async def open(self) -> None:
        """Both shops show ten units."""
        await self.night.open(self.kind, self.well, units=10)

    def strike(self, **faults: Any) -> None:
        """Set the struck shop's knobs; none given puts it right."""
        self.night.sandbox.break_with(self.kind, **faults)

    async def through(self, **faults: Any) -> None:
        """Open, and sell in both shops while one is struck; a unit breaks, and five come in."""
        await self.open()
        self.strike(**faults)
        self.night.buy(self.kind)
        self.night.buy(self.well)
        await self.night.damage(1)
        await self.round()
        await self.night.receive("MUG", 5)
        await self.round()

    async def round(self) -> None:
        """One pull of both shops and one push round, after which no raise was unlawful.

        What the round left in doubt is read back in it, as a worker would at the end of the push.
        """
        await self.night.pull_all()
        await self.night.rounds(1)
        await self._read_back()
        await lawful(self.night)

    async def _read_back(self) -> None:
        runtime = self.night.runtime
        async with runtime.database.sessions() as session:
            waiting = await push.waiting(session, runtime.clock.now())
        for work in waiting:
            if work[0] == "read":
                await self.night.do(*work)

    async def named(self) -> None:
        """Health names the shop that is struck, and does not say that the other one fails."""
        alerts = await self.night.alerts()
        assert f"channel:{self.kind}" in {subject for _, subject in alerts}, alerts
        assert ("health.channel_failing", f"channel:{self.well}") not in alerts

    async def recovered(self, **faults: Any) -> None:
        """The fault has ended: within two rounds all books agree, and no shop is in health.

        `faults` are knobs that stay on, because they are over by themselves.
        """
        self.strike(**faults)
        await self.night.rested()
        for _ in range(PUSH_ROUNDS_MAX):
            await self.round()
        await agree(self.night)
        # A month that ended by a moved clock and is not sealed yet is the house's own affair.
        alerts = await self.night.alerts()
        assert {alert for alert in alerts if alert[1] != "house"} == set()
