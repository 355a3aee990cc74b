"""Tables of the warehouse's own work: holds, transfers under way, supply expected, counts."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, Big, BigKey


class Reservation(Base):
    """Units held for a basket and not yet sold, given back or expired; the row ends with the hold.

    Its name is that of the fact `fact_id`. `parts` are the units still held, in threes: SKU id,
    location id, units. What it held at first is in the fact's movements.
    """

    __tablename__ = "reservation"
    fact_id: Mapped[Big] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime | None]
    channel_id: Mapped[int]
    parts: Mapped[list[int]] = mapped_column(ARRAY(INTEGER))
    __table_args__ = (
        Index(
            "ix_reservation_expiring",
            "expires_at",
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
    )


class Transfer(Base):
    """Units on their way between two locations: sent, and so far arrived or found missing."""

    __tablename__ = "transfer"
    id: Mapped[BigKey]
    transfer_ref: Mapped[str] = mapped_column(unique=True)
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"))
    from_location_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    to_location_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    quantity: Mapped[int]
    arrived: Mapped[int] = mapped_column(server_default="0")
    missing: Mapped[int] = mapped_column(server_default="0")
    sent_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("arrived + missing <= quantity", name="units"),
        Index("ix_transfer_open", "id", postgresql_where=text("arrived + missing < quantity")),
    )


class InboundSupply(Base):
    """Units expected from a supplier (入荷予定): outside available until they are received.

    `ended`: nothing more will come, whatever is missing.
    """

    __tablename__ = "inbound_supply"
    id: Mapped[BigKey]
    supply_ref: Mapped[str] = mapped_column(unique=True)
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"))
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    expected: Mapped[int]
    received: Mapped[int] = mapped_column(server_default="0")
    due_on: Mapped[date]
    ended: Mapped[bool] = mapped_column(server_default=text("false"))
    changed_at: Mapped[datetime]
    __table_args__ = (
        Index(
            "ix_inbound_supply_open",
            "sku_id",
            postgresql_where=text("NOT ended AND received < expected"),
        ),
    )


class StockCount(Base):
    """What was counted of one SKU at one location (棚卸), and what the book said of that moment.

    States: applied, recount (too far from the book: a second count is wanted), superseded (by the
    second count). `difference` is what was counted less what the book said.
    """

    __tablename__ = "stock_count"
    id: Mapped[BigKey]
    count_ref: Mapped[str] = mapped_column(unique=True)
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"))
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    counted: Mapped[int]
    difference: Mapped[int]
    reason: Mapped[str]
    state: Mapped[str]
    counted_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("state IN ('applied', 'recount', 'superseded')", name="state"),
    )


class Checkpoint(Base):
    """A balance proven at one revision, so that a later proof begins there."""

    __tablename__ = "checkpoint"
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), primary_key=True)
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"), primary_key=True)
    revision: Mapped[Big]
    on_hand: Mapped[int]
    reserved: Mapped[int]
    proven_at: Mapped[datetime]


class Seal(Base):
    """An ended month of movements: how many, the hash of its rows, and one chained to the last.

    Months are those of UTC, as the partitions are. `hash` covers the month, `movements`,
    `rows_hash` and the `hash` of the month before. `detached_at`: its partition was detached.
    """

    __tablename__ = "seal"
    month: Mapped[date] = mapped_column(primary_key=True)
    movements: Mapped[Big]
    rows_hash: Mapped[bytes]
    hash: Mapped[bytes]
    sealed_at: Mapped[datetime]
    detached_at: Mapped[datetime | None]


class Carried(Base):
    """What the detached months add up to for one balance (繰越): a full proof begins there."""

    __tablename__ = "carried"
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), primary_key=True)
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"), primary_key=True)
    revision: Mapped[Big]
    on_hand: Mapped[int]
    reserved: Mapped[int]
