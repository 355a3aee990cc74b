"""Handling what the inbox holds, for events that nobody handled when they came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.runtime import Runtime


async def work(runtime: Runtime) -> int:
    """Handle new events until there are none; how many."""
    handled = 0
    async with runtime.lease("process") as mine:
        while mine:
            count = await runtime.inbox.handle()
            if not count:
                break
            handled += count
    if handled:
        runtime.ring("refresh")
    return handled
