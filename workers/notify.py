"""Sends webhooks that are due. A dead endpoint takes a slot for ten seconds, never the house."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession
from standardwebhooks import Webhook

from inventory import alerts, dispatch
from inventory.dispatch import Due, Verdict
from inventory.endpoints import secret_of
from inventory.outbound import Answer, Outbound
from inventory.security import SecretUnreadable

if TYPE_CHECKING:
    from workers.runtime import Runtime

AT_ONCE = 20
FAILING_AT_ONCE = 10
# While a slow endpoint holds its slot, newly queued messages are looked for this often.
LOOK_SECONDS = 0.25
CLAIM_SECONDS = 10.0
LEASE_SECONDS = CLAIM_SECONDS + 5.0
ENDPOINT_DISABLED = "endpoint_disabled"
HEADERS = {"content-type": "application/json", "user-agent": "Hikiate-Webhooks/1"}


async def work(runtime: Runtime, *, outbound: Outbound | None = None) -> int:
    """Send what is due, up to 20 at once, until nothing is left; how many tries were made.

    One run claims at a time, for at most 10 s, and ends at most 10 s later: by then another may
    have begun. Returns 0 at once where another run is claiming; that one sends it all.
    """
    out = outbound or Outbound(runtime.settings.webhook_networks)
    running: dict[asyncio.Task[None], Due] = {}
    try:
        async with runtime.lease("notify", seconds=LEASE_SECONDS) as mine:
            started = await _claim_all(runtime, out, running) if mine else 0
        while running:
            await _ended(running, seconds=None)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if outbound is None:
            await out.aclose()
    return started


async def _claim_all(
    runtime: Runtime, out: Outbound, running: dict[asyncio.Task[None], Due]
) -> int:
    started = 0
    loop = asyncio.get_running_loop()
    until = loop.time() + CLAIM_SECONDS
    while loop.time() < until:
        for due in await _claim(runtime, list(running.values())):
            running[asyncio.create_task(_deliver(runtime, out, due))] = due
            started += 1
        if not running:
            break
        await _ended(running, seconds=LOOK_SECONDS)
    return started


async def _ended(running: dict[asyncio.Task[None], Due], *, seconds: float | None) -> None:
    """Wait for the first try to end; what went wrong beside the call itself is raised here."""
    ended, _ = await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in ended:
        del running[task]
        task.result()


async def _claim(runtime: Runtime, running: list[Due]) -> list[Due]:
    if len(running) >= AT_ONCE:
        return []
    failing = sum(due.failing_since is not None for due in running)
    async with runtime.database.transaction() as session:
        return await dispatch.due(
            session,
            runtime.clock.now(),
            AT_ONCE - len(running),
            failing_max=FAILING_AT_ONCE - failing,
        )


async def _deliver(runtime: Runtime, out: Outbound, due: Due) -> None:
    answer = await _post(runtime, out, due)
    now = runtime.clock.now()
    async with runtime.database.transaction() as session:
        verdict = await dispatch.record(session, due, answer, now)
        await _alert(session, due, verdict, now)


async def _post(runtime: Runtime, out: Outbound, due: Due) -> Answer:
    try:
        secret = secret_of(runtime.vault, due.secret)
    except SecretUnreadable as error:
        return Answer(failure=error.code)
    now = runtime.clock.now()
    content = dispatch.payload(due)
    signature = Webhook(secret).sign(due.message_id, now, content.decode())
    headers = HEADERS | {
        "webhook-id": due.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    return await out.post(due.url, headers=headers, content=content)


async def _alert(session: AsyncSession, due: Due, verdict: Verdict, now: datetime) -> None:
    """A disabled endpoint is a person's to mend; its first good answer afterwards closes this.

    One that fails without a 410 shows in health by its late messages.
    """
    subject = f"endpoint:{due.endpoint_id}"
    if verdict is Verdict.DISABLED:
        detail = {"endpoint_id": due.endpoint_id, "failure": "gone"}
        await alerts.fire(session, kind=ENDPOINT_DISABLED, subject=subject, detail=detail, now=now)
    elif verdict is Verdict.DELIVERED and due.failing_since is not None:
        await alerts.close(session, kind=ENDPOINT_DISABLED, subject=subject, now=now)
