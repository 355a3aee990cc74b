"""An endpoint that is removed: nothing goes there any more, and nobody need mend it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from inventory import alerts
from inventory.outgoing import endpoints
from inventory.outgoing.dispatch import park_waiting

DISABLED_ALERT = "endpoint_disabled"


async def remove(session: AsyncSession, endpoint_id: int, now: datetime) -> None:
    """Remove an endpoint; what waits for it is parked, and the alert about its 410 closes.

    Raises `NotFound`.
    """
    await endpoints.remove(session, endpoint_id, now)
    await park_waiting(session, endpoint_id, "endpoint_removed")
    await alerts.close(session, kind=DISABLED_ALERT, subject=f"endpoint:{endpoint_id}", now=now)
