"""Sends messages that are due, by every transport. A dead endpoint holds up nobody but itself."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts
from inventory.outgoing import dispatch, transports
from inventory.outgoing.dispatch import Due, Verdict
from inventory.outgoing.endpoint_keys import adopt, keys_of
from inventory.outgoing.endpoints import reach_of
from inventory.outgoing.outbound import Answer, Outbound
from inventory.outgoing.removals import DISABLED_ALERT
from inventory.security import SecretUnreadable

if TYPE_CHECKING:
    from workers.runtime import Runtime

# Tries that may be fresh at once; one that lasts long is not counted any more, so that silent
# endpoints take no slot from the others. Each endpoint has two at most (`dispatch`), of 100.
AT_ONCE = 30
FAILING_AT_ONCE = 10
SLOW_SECONDS = 0.5
# While a slow endpoint is waited for, a ring in this process starts the next look; without a ring
# (it may have come to another process) newly queued messages are looked for this often.
LOOK_SECONDS = 0.1
CLAIM_SECONDS = 10.0
LEASE_SECONDS = CLAIM_SECONDS + 5.0
# What a run is woken by while it holds the lease.
_RUNGS: WeakKeyDictionary[Runtime, asyncio.Event] = WeakKeyDictionary()


class Running(Struct, frozen=True):
    """A try under way, and when it began, by the loop's clock."""

    due: Due
    began: float


async def work(runtime: Runtime, *, outbound: Outbound | None = None) -> int:
    """Send what is due, up to 30 fresh at once, until nothing is left; how many tries were made.

    One run claims at a time, for at most 10 s, and ends at most 10 s later: by then another may
    have begun. Returns 0 at once where another run is claiming; that one sends it all.
    """
    out = outbound or Outbound(runtime.settings.webhook_networks)
    running: dict[asyncio.Task[None], Running] = {}
    started = 0
    # Before the lease is asked for: who holds it looks again, even while giving it back.
    _rung(runtime).set()
    try:
        started = await _claim_while_rung(runtime, out, running)
        while running:
            await _ended(running, None)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if outbound is None:
            await out.aclose()
    return started


async def _claim_while_rung(
    runtime: Runtime, out: Outbound, running: dict[asyncio.Task[None], Running]
) -> int:
    loop = asyncio.get_running_loop()
    started, rung, until = 0, _rung(runtime), loop.time() + CLAIM_SECONDS
    while rung.is_set() and loop.time() < until:
        async with runtime.lease("notify", seconds=LEASE_SECONDS) as mine:
            if not mine:
                return started
            started += await _claim_all(runtime, out, running, until)
    if rung.is_set():
        # Rung for in the last moment: another run is to begin, while this one waits.
        runtime.ring("notify")
    return started


def _rung(runtime: Runtime) -> asyncio.Event:
    return _RUNGS.setdefault(runtime, asyncio.Event())


async def _claim_all(
    runtime: Runtime,
    out: Outbound,
    running: dict[asyncio.Task[None], Running],
    until: float,
) -> int:
    async with runtime.database.transaction() as session:
        await adopt(session, runtime.vault)
    started, rung = 0, _rung(runtime)
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        rung.clear()
        for due in await _claim(runtime, list(running.values())):
            task = asyncio.create_task(_deliver(runtime, out, due))
            running[task] = Running(due, loop.time())
            started += 1
        if not running:
            break
        await _ended(running, rung)
    return started


async def _ended(running: dict[asyncio.Task[None], Running], rung: asyncio.Event | None) -> None:
    """Wait for the first try to end, or for a ring; what went wrong beside the call is raised."""
    waiting: set[asyncio.Task[Any]] = set(running)
    bell = None if rung is None else asyncio.create_task(rung.wait())
    try:
        ended, _ = await asyncio.wait(
            waiting if bell is None else {*waiting, bell},
            timeout=None if bell is None else LOOK_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        if bell is not None:
            bell.cancel()
    for task in ended & waiting:
        del running[task]
        task.result()


async def _claim(runtime: Runtime, running: list[Running]) -> list[Due]:
    now = asyncio.get_running_loop().time()
    failing = sum(each.due.failing_since is not None for each in running)
    fresh = sum(
        each.due.failing_since is None and each.began > now - SLOW_SECONDS for each in running
    )
    if fresh >= AT_ONCE:
        return []
    async with runtime.database.transaction() as session:
        return await dispatch.due(
            session,
            runtime.clock.now(),
            AT_ONCE - fresh,
            failing_max=FAILING_AT_ONCE - failing,
        )


async def _deliver(runtime: Runtime, out: Outbound, due: Due) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    answer = await _post(runtime, out, due)
    took = round((loop.time() - began) * 1_000)
    now = runtime.clock.now()
    async with runtime.database.transaction() as session:
        verdict = await dispatch.record(session, due, answer, now, milliseconds=took)
        await _alert(session, due, verdict, now)


async def _post(runtime: Runtime, out: Outbound, due: Due) -> Answer:
    now = runtime.clock.now()
    try:
        reach = reach_of(runtime.vault, due.address)
        keys = [keys_of(runtime.vault, due.secret)]
        if due.secret_previous and due.previous_until and due.previous_until > now:
            keys.append(keys_of(runtime.vault, due.secret_previous))
    except SecretUnreadable as error:
        return Answer(failure=error.code)
    return await transports.send(out, due, reach, keys, now)


async def _alert(session: AsyncSession, due: Due, verdict: Verdict, now: datetime) -> None:
    """A disabled endpoint is a person's to mend; its first good answer afterwards closes this.

    One that fails without a 410 shows in health by its late messages.
    """
    subject = f"endpoint:{due.endpoint_id}"
    if verdict is Verdict.DISABLED:
        detail = {"endpoint_id": due.endpoint_id, "failure": "gone"}
        await alerts.fire(session, kind=DISABLED_ALERT, subject=subject, detail=detail, now=now)
    elif verdict is Verdict.DELIVERED and due.failing_since is not None:
        await alerts.close(session, kind=DISABLED_ALERT, subject=subject, now=now)
