"""Tables of the ledger: SKUs, locations, facts, balances and movements."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, Big, BigKey, Json, Key, Small


class Sku(Base):
    """The smallest thing we count, or a kit of them. Safety stock is held back from every listing.

    A SKU with rows in `kit_part` is a kit: it has no stock of its own.
    """

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


class KitPart(Base):
    """Today's recipe: `quantity` units of `part_id` (a SKU or another kit) are in one `kit_id`."""

    __tablename__ = "kit_part"
    kit_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), primary_key=True)
    part_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), primary_key=True)
    quantity: Mapped[int]
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("kit_id <> part_id", name="itself"),
        Index(None, "part_id"),
    )


class Location(Base):
    """A place where stock lies. What lies at one that is not sellable is never offered."""

    __tablename__ = "location"
    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    sellable: Mapped[bool] = mapped_column(server_default=text("true"))


class Fact(Base):
    """The name of everything that ever happened; never partitioned, outlives everything.

    Ids come in blocks of 100 to the process that asks. There is no foreign key: channels are
    never removed, and a sale should not lock its channel. `content_hash` is 64 bits of the
    content. `outcome` is NULL where the fact was recorded, or granted, with nothing to add.
    """

    __tablename__ = "fact"
    id: Mapped[BigKey]
    recorded_at: Mapped[datetime]
    content_hash: Mapped[Big]
    channel_id: Mapped[int]
    kind: Mapped[str]
    fact_ref: Mapped[str]
    outcome: Mapped[Json | None]
    __table_args__ = (UniqueConstraint("channel_id", "fact_ref"),)


class StockLevel(Base):
    """The stored balance of one SKU at one location. `revision` counts its movements.

    `counted_at` is the moment of the newest count that was applied: what happened before it is
    contained in what was counted.
    """

    __tablename__ = "stock_level"
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), primary_key=True)
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(server_default="0")
    reserved: Mapped[int] = mapped_column(server_default="0")
    revision: Mapped[Big] = mapped_column(server_default="0")
    counted_at: Mapped[datetime | None]
    # Room for new versions of a row on its own page, so that no index is touched by a sale.
    __table_args__ = ({"postgresql_with": {"fillfactor": "50"}},)


class StockMovement(Base):
    """One immutable ledger entry with two deltas; partitioned by month of `recorded_at`.

    `revision` is the balance's revision after this entry: the entries of a balance are a chain
    without gaps, and a published number can say which sales it contains. Each partition has a
    unique index on it. `line` counts the order lines of the fact, from 0.
    """

    __tablename__ = "movement"
    fact_id: Mapped[Big]
    revision: Mapped[Big] = mapped_column(primary_key=True)
    recorded_at: Mapped[datetime]
    occurred_at: Mapped[datetime]
    sku_id: Mapped[int] = mapped_column(primary_key=True)
    location_id: Mapped[int] = mapped_column(primary_key=True)
    on_hand_delta: Mapped[int]
    reserved_delta: Mapped[int]
    line: Mapped[Small]
    kind: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    __table_args__ = (
        Index("ix_movement_fact", "fact_id", "recorded_at", postgresql_using="brin"),
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
