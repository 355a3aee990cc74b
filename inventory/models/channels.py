"""Tables of the channels: shops, listings, what was pushed to them and what they say."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, Big, BigKey, Json, Key


class Channel(Base):
    """One connected shop. Credentials are sealed; `cursor` and `watermark` are of its order pulls.

    The rules (safety stock, cap, floor) hold for all its listings unless a listing says otherwise.
    `relative` is its adapter's word that numbers can be changed by a difference.
    `metrics` overrides the thresholds of `penalties` and says from when our history is complete.
    `costs` overrides the assumed prices of `prices`. So many `desk_hours` before its ship-by date
    an order's proposal must be decided; where it tells none, that is `ship_days` after the order.
    The next pull is due at `pull_due_at`; where there is need it may come at `pull_may_at`.
    `location_ids` is the order in which its sales take stock, None for all sellable locations.
    `live_at` is when a person let us publish to it; until then it is frozen, and read only.
    `standing` is what its adapter last said of its keys and dangers, at `standing_at`.
    `history_from` is from when on we hold all its orders, None: from its connection.
    """

    __tablename__ = "channel"
    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    base_url: Mapped[str] = mapped_column(server_default="")
    settings: Mapped[Json] = mapped_column(server_default="{}")
    credentials: Mapped[bytes | None]
    frozen: Mapped[bool] = mapped_column(server_default=text("false"))
    relative: Mapped[bool] = mapped_column(server_default=text("false"))
    location_ids: Mapped[list[int] | None] = mapped_column(ARRAY(INTEGER))
    safety_stock: Mapped[int] = mapped_column(server_default="0")
    safety_percent: Mapped[int] = mapped_column(server_default="0")
    quantity_max: Mapped[int | None]
    quantity_floor: Mapped[int] = mapped_column(server_default="0")
    desk_policy: Mapped[str] = mapped_column(server_default="review")
    desk_hours: Mapped[int] = mapped_column(server_default="24")
    ship_days: Mapped[int | None]
    metrics: Mapped[Json] = mapped_column(server_default="{}")
    costs: Mapped[Json] = mapped_column(server_default="{}")
    cursor: Mapped[Json] = mapped_column(server_default="{}")
    watermark: Mapped[datetime | None]
    pulled_at: Mapped[datetime | None]
    pull_due_at: Mapped[datetime | None]
    pull_may_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    failure: Mapped[str | None]
    connected_at: Mapped[datetime] = mapped_column(server_default=func.now())
    live_at: Mapped[datetime | None]
    standing: Mapped[Json | None]
    standing_at: Mapped[datetime | None]
    history_from: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(
            "desk_policy IN ('review', 'auto', 'auto_at_deadline')", name="desk_policy"
        ),
        CheckConstraint("desk_hours >= 0", name="desk_hours"),
        CheckConstraint("safety_percent BETWEEN 0 AND 100", name="safety_percent"),
    )

    @property
    def shadow(self) -> bool:
        """Whether it was never published to: connected for looking only, until a person says go."""
        return self.frozen and self.live_at is None


class ChannelSecret(Base):
    """What a channel's adapter must remember and nobody may read: tokens changed at each use."""

    __tablename__ = "channel_secret"
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    changed_at: Mapped[datetime]


class Listing(Base):
    """One SKU offered on one channel: what it should show, what it shows, and what is on the way.

    `quantity_known` is the last number known at the channel, true at some moment between
    `known_from` and `known_at`; None means that it must be read first.
    `lane` says how: zero, lower, raise, read (first), or None when nothing needs to be sent.
    `reassess_at` is when a margin kept for unseen sales may have become smaller.
    `preorder_units` is how many units of expected supply it may sell ahead.
    `raise_since` is when a higher number was first wanted; it waits for the raise barrier (L7).
    """

    __tablename__ = "listing"
    id: Mapped[Key]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    channel_sku: Mapped[str]
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"))
    safety_stock: Mapped[int | None]
    safety_percent: Mapped[int | None]
    quantity_max: Mapped[int | None]
    quantity_floor: Mapped[int | None]
    preorder_units: Mapped[int] = mapped_column(server_default="0")
    closed: Mapped[bool] = mapped_column(server_default=text("false"))
    closed_by_channel: Mapped[bool] = mapped_column(server_default=text("false"))
    fulfilled_by_channel: Mapped[bool] = mapped_column(server_default=text("false"))
    quantity_wanted: Mapped[int | None]
    lane: Mapped[str | None]
    revision_wanted: Mapped[Big] = mapped_column(server_default="0")
    revision_published: Mapped[Big] = mapped_column(server_default="0")
    wanted_at: Mapped[datetime | None]
    raise_since: Mapped[datetime | None]
    quantity_published: Mapped[int | None]
    published_at: Mapped[datetime | None]
    quantity_known: Mapped[int | None]
    known_from: Mapped[datetime | None]
    known_at: Mapped[datetime | None]
    push_id: Mapped[Big | None]
    zero_push_id: Mapped[Big | None]
    read_after: Mapped[datetime | None]
    reassess_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default="0")
    failure: Mapped[str | None]
    __table_args__ = (
        UniqueConstraint("channel_id", "channel_sku"),
        Index(None, "sku_id"),
        Index(None, "channel_id", "id"),
        # The order in which a lane is worked off.
        Index(
            "ix_listing_stale",
            "channel_id",
            "lane",
            text("(quantity_published IS NULL)"),
            text("wanted_at NULLS FIRST"),
            "id",
            postgresql_where=text("revision_published < revision_wanted"),
        ),
        Index(
            "ix_listing_reassess", "reassess_at", postgresql_where=text("reassess_at IS NOT NULL")
        ),
        Index(
            "ix_listing_read",
            "channel_id",
            "read_after",
            postgresql_where=text("read_after IS NOT NULL OR lane = 'read'"),
        ),
    )


class Push(Base):
    """One call that carried numbers to a channel; a row is never changed once it has ended.

    `reference` is the channel's name for a bulk job, which goes on after the call.
    """

    __tablename__ = "push"
    id: Mapped[BigKey]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    lane: Mapped[str]
    sent_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    failure: Mapped[str | None]
    reference: Mapped[str | None]
    __table_args__ = (
        Index(None, "channel_id", "sent_at"),
        Index("ix_push_open", "channel_id", postgresql_where=text("ended_at IS NULL")),
    )


class PushRow(Base):
    """One number within a push, and the proof that it was allowed.

    `stock_revision` is the ledger's revision of the SKU that the number contains; of a kit, the sum
    over its parts. A raise carries `decided_at` and the `watermark` that it waited for.
    """

    __tablename__ = "push_row"
    push_id: Mapped[int] = mapped_column(ForeignKey("push.id"), primary_key=True)
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"), primary_key=True)
    quantity: Mapped[int]
    change: Mapped[int | None]
    lane: Mapped[str]
    revision: Mapped[Big]
    stock_revision: Mapped[Big]
    decided_at: Mapped[datetime]
    watermark: Mapped[datetime | None]
    known_low: Mapped[int | None]
    unseen: Mapped[int]
    status: Mapped[str] = mapped_column(server_default="sent")
    code: Mapped[str] = mapped_column(server_default="")
    __table_args__ = (Index(None, "listing_id", "push_id"),)


class StockReading(Base):
    """What a channel said it shows, beside the range that we expected at that moment.

    Of a row that `agrees`, later readings that agree as well only move the time.
    """

    __tablename__ = "reading"
    id: Mapped[BigKey]
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"))
    quantity: Mapped[int | None]
    closed: Mapped[bool]
    expected_low: Mapped[int | None]
    expected_high: Mapped[int | None]
    agrees: Mapped[bool] = mapped_column(server_default=text("false"))
    read_at: Mapped[datetime]
    __table_args__ = (
        Index(None, "listing_id", "read_at"),
        Index("ix_reading_agrees", "read_at", postgresql_where=text("agrees")),
    )
