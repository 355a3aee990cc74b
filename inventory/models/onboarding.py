"""Tables of shops that are being connected: what they have on sale, and how far back we read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, Json


class SeenListing(Base):
    """A listing as its channel showed it when its listings were last discovered.

    `codes` are what the shop itself wrote there to know the thing by, best first. `dangers` are
    settings there that let it sell what is not there.
    """

    __tablename__ = "listing_seen"
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    channel_sku: Mapped[str] = mapped_column(primary_key=True)
    codes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    title: Mapped[str]
    quantity: Mapped[int | None]
    closed: Mapped[bool]
    fulfilled_by_channel: Mapped[bool]
    dangers: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    seen_at: Mapped[datetime]


class HistoryReading(Base):
    """How far a channel's past orders have been read, for its metric; `due_at` is the next page.

    States: reading, done, failed (`failure` says why). `until`: all placed before it are in.
    """

    __tablename__ = "history_reading"
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    since: Mapped[datetime]
    cursor: Mapped[Json]
    until: Mapped[datetime | None]
    orders: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str] = mapped_column(server_default="reading")
    failure: Mapped[str | None]
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("state IN ('reading', 'done', 'failed')", name="state"),)
