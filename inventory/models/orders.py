"""Tables of what channels told us: events as received, orders and the parts they took."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, BigKey, Json


class InboundEvent(Base):
    """An event as a channel told it, stored once and handled once.

    States: new, handled, parked (a person is needed, `code` says why), conflict (the same event id
    came with other content; never applied).
    """

    __tablename__ = "inbound_event"
    id: Mapped[BigKey]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    event_id: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    content_hash: Mapped[bytes]
    body: Mapped[Json]
    state: Mapped[str] = mapped_column(server_default="new")
    code: Mapped[str] = mapped_column(server_default="")
    detail: Mapped[str] = mapped_column(server_default="")
    outcome: Mapped[Json | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("channel_id", "event_id", "content_hash"),
        CheckConstraint("state IN ('new', 'handled', 'parked', 'conflict')", name="state"),
        Index(
            "uq_inbound_event_name",
            "channel_id",
            "event_id",
            unique=True,
            postgresql_where=text("state <> 'conflict'"),
        ),
        Index(None, "channel_id", "subject", "id"),
        Index("ix_inbound_event_open", "id", postgresql_where=text("state <> 'handled'")),
    )


class SalesOrder(Base):
    """An order as far as stock is concerned.

    `revision` is our own count of the states seen; `digest` and `seen_at` belong to the last one.
    `buyer_asked_at` is when the marketplace's flag that the buyer asked was first seen.
    `past`: it was over before its channel was connected, is here for the metric, and moves nothing.
    """

    __tablename__ = "sales_order"
    id: Mapped[BigKey]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    order_ref: Mapped[str]
    ordered_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(server_default="0")
    digest: Mapped[bytes | None]
    hint: Mapped[str] = mapped_column(server_default="")
    cancelled: Mapped[bool] = mapped_column(server_default=text("false"))
    cancelled_by: Mapped[str | None]
    cancel_reason: Mapped[str | None]
    cancelled_at: Mapped[datetime | None]
    buyer_asked_to_cancel: Mapped[bool] = mapped_column(server_default=text("false"))
    buyer_asked_at: Mapped[datetime | None]
    cancellable: Mapped[bool] = mapped_column(server_default=text("true"))
    fulfilled_by_channel: Mapped[bool] = mapped_column(server_default=text("false"))
    ship_by: Mapped[datetime | None]
    shipped: Mapped[bool] = mapped_column(server_default=text("false"))
    past: Mapped[bool] = mapped_column(server_default=text("false"))
    recorded_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("channel_id", "order_ref"),
        Index(None, "channel_id", "ordered_at"),
        Index("ix_sales_order_cancelled", "id", postgresql_where=text("cancelled")),
    )


class OrderLine(Base):
    """One line of an order: units ordered, cancelled and shipped so far.

    `ended_at` is when we last heard that units of the line were cancelled. `lowered` are units that
    the channel no longer shows and never called cancelled. `ends_recorded` are units whose end is
    in the penalty record: what has ended beyond them is to be put there.
    """

    __tablename__ = "order_line"
    order_id: Mapped[int] = mapped_column(ForeignKey("sales_order.id"), primary_key=True)
    line_ref: Mapped[str] = mapped_column(primary_key=True)
    sku_id: Mapped[int | None] = mapped_column(ForeignKey("sku.id"))
    listing_id: Mapped[int | None] = mapped_column(ForeignKey("listing.id"))
    ordered: Mapped[int]
    cancelled: Mapped[int] = mapped_column(server_default="0")
    shipped: Mapped[int] = mapped_column(server_default="0")
    unit_price: Mapped[int | None]
    ordered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    lowered: Mapped[int] = mapped_column(server_default="0")
    ends_recorded: Mapped[int] = mapped_column(server_default="0")
    __table_args__ = (
        Index(None, "listing_id", "ordered_at"),
        Index(None, "sku_id"),
        Index(
            "ix_order_line_unrecorded",
            "order_id",
            postgresql_where=text("lowered + LEAST(cancelled, ordered - shipped) > ends_recorded"),
        ),
    )


class OrderPart(Base):
    """Where the units of a line were taken, so that a cancellation gives back just those.

    `per_unit` is how many units of the SKU are in one unit of the line: the recipe of the kit as
    it was when the line was first told, 1 for a SKU that is no kit.
    """

    __tablename__ = "order_part"
    order_id: Mapped[int] = mapped_column(ForeignKey("sales_order.id"), primary_key=True)
    line_ref: Mapped[str] = mapped_column(primary_key=True)
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), primary_key=True)
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"), primary_key=True)
    per_unit: Mapped[int] = mapped_column(server_default="1")
    reserved: Mapped[int] = mapped_column(server_default="0")
    shipped: Mapped[int] = mapped_column(server_default="0")
    __table_args__ = (
        Index("ix_order_part_reserved", "sku_id", postgresql_where=text("reserved > 0")),
    )
