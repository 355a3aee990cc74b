"""Who did what by hand: one row for every change that a person or a key made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from inventory.models import Audit


def note(
    session: AsyncSession, *, by: str, action: str, detail: dict[str, Any], now: datetime
) -> None:
    """Add the row to the caller's transaction. `detail` must hold no secret."""
    session.add(Audit(done_by=by, action=action, detail=detail, done_at=now))
