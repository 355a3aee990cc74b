"""Moments as a shop in Tokyo names them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TICK = timedelta(microseconds=1)


def tokyo(year: int, month: int, day: int, hour: int = 0) -> datetime:
    """An hour of a day there, in UTC."""
    return datetime(year, month, day, hour, tzinfo=UTC) - timedelta(hours=9)
