"""Tables of the house itself: keys, audit, leases, switches."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, func
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, BigKey, Json, Key


class ApiKey(Base):
    """A caller of the API. Only the hash of the key is kept; `channel_id` binds it to one shop."""

    __tablename__ = "api_key"
    id: Mapped[Key]
    name: Mapped[str]
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channel.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]


class Audit(Base):
    """Who did what by hand."""

    __tablename__ = "audit"
    id: Mapped[BigKey]
    done_by: Mapped[str]
    action: Mapped[str]
    detail: Mapped[Json]
    done_at: Mapped[datetime]


class Lease(Base):
    """Who may do a piece of coarse work until when; a holder that died loses it by itself."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    held_until: Mapped[datetime]


class Switch(Base):
    """A named switch for the whole house, such as `frozen` (stop publishing everywhere)."""

    __tablename__ = "switch"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Json]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
