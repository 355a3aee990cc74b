"""Tables of the ledger: SKUs, locations, facts, balances and movements."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, Big, BigKey, Json, Key, Small


class Sku(Base):
    """The smallest thing we count. Safety stock is held back from every listing of it."""

    __tablename__ = "sku"
    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    safety_stock: Mapped[int] = mapped_column(server_default="0")
    safety_percent: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        CheckConstraint("safety_stock >= 0", name="safety_stock"),
        CheckConstraint("safety_percent BETWEEN 0 AND 100", name="safety_percent"),
    )


class Location(Base):
    """A place where stock lies. What lies at one that is not sellable is never offered."""

    __tablename__ = "location"
    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    sellable: Mapped[bool] = mapped_column(server_default=text("true"))


class Fact(Base):
    """The name of everything that ever happened, with its first outcome; never partitioned."""

    __tablename__ = "fact"
    id: Mapped[BigKey]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    fact_ref: Mapped[str]
    kind: Mapped[str]
    content_hash: Mapped[bytes]
    outcome: Mapped[Json]
    recorded_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("channel_id", "fact_ref"),)


class StockLevel(Base):
    """The stored balance of one SKU at one location. `revision` counts its movements."""

    __tablename__ = "stock_level"
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), primary_key=True)
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(server_default="0")
    reserved: Mapped[int] = mapped_column(server_default="0")
    revision: Mapped[Big] = mapped_column(server_default="0")


class StockMovement(Base):
    """One immutable ledger entry with two deltas; partitioned by month of `recorded_at`.

    `revision` is the balance's revision after this entry, so that a published number can say which
    sales it contains.
    """

    __tablename__ = "movement"
    fact_id: Mapped[Big] = mapped_column(primary_key=True)
    line: Mapped[Small] = mapped_column(primary_key=True)
    location_id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(primary_key=True)
    sku_id: Mapped[int]
    on_hand_delta: Mapped[int]
    reserved_delta: Mapped[int]
    revision: Mapped[Big]
    reason: Mapped[str | None]
    occurred_at: Mapped[datetime]
    __table_args__ = (
        Index(None, "sku_id", "location_id", "revision"),
        {"postgresql_partition_by": "RANGE (recorded_at)"},
    )


class StaleSku(Base):
    """The only mark that a ledger transaction leaves for publishing and alerts.

    `mark` names the transaction that made it last, so that a newer one is not taken for it.
    """

    __tablename__ = "stale_sku"
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), primary_key=True)
    mark: Mapped[Big] = mapped_column(server_default=text("(pg_current_xact_id()::text)::bigint"))
    marked_at: Mapped[datetime]
