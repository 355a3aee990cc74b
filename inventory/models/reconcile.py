"""Tables of looking whether channels show what they should: rotations, drift, holds, resyncs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, Big, BigKey


class Rotation(Base):
    """How far a channel's listings have been read back in turn.

    `cursor` is the last listing read in the round begun at `began_at`, None between rounds.
    `ended_from` is when the last whole round began: every listing was read since. `asked_at`: a
    person wants a round now. `per_second` is the most readings a second, None for what the
    adapter's read budget gives.
    """

    __tablename__ = "rotation"
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    cursor: Mapped[int] = mapped_column(server_default="0")
    began_at: Mapped[datetime | None]
    ended_from: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    hot_due_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    readings: Mapped[Big] = mapped_column(server_default="0")
    per_second: Mapped[int | None]
    failure: Mapped[str | None]
    __table_args__ = (CheckConstraint("per_second > 0", name="per_second"),)


class Drift(Base):
    """A difference between what a channel showed and what was expected, with what explains it.

    At most one case of a listing is open. `shown` is None where the channel has no such listing.
    `times` is how many readings have shown it. `look_at` is when it is read or judged again.
    """

    __tablename__ = "drift"
    id: Mapped[BigKey]
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"))
    cause: Mapped[str]
    story: Mapped[str]
    shown: Mapped[int | None]
    expected_low: Mapped[int | None]
    expected_high: Mapped[int | None]
    read_at: Mapped[datetime]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    times: Mapped[int] = mapped_column(server_default="1")
    look_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(
            "cause IN ('order_not_pulled', 'ignored', 'lost_update', 'hand_edit', 'mapping_error',"
            " 'closed_listing')",
            name="cause",
        ),
        Index(
            "uq_drift_open", "listing_id", unique=True, postgresql_where=text("closed_at IS NULL")
        ),
    )


class EarlySale(Base):
    """Units that a channel's number says were sold from `since` to `until`, seen or not.

    They are held until its orders arrive, or its watermark has passed `until`.
    """

    __tablename__ = "early_sale"
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"), primary_key=True)
    until: Mapped[datetime] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    units: Mapped[int]


class Resync(Base):
    """A wish that every listing of a channel is pushed again: `total` of them at the beginning."""

    __tablename__ = "resync"
    id: Mapped[BigKey]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    total: Mapped[int]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "uq_resync_open", "channel_id", unique=True, postgresql_where=text("ended_at IS NULL")
        ),
    )


class ResyncMark(Base):
    """A listing that is still to be pushed again; its number is that of the moment of sending.

    `not_before` is when it is looked at again, where it could not go.
    """

    __tablename__ = "resync_mark"
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"), primary_key=True)
    marked_at: Mapped[datetime]
    not_before: Mapped[datetime | None]
    __table_args__ = (Index("ix_resync_mark_listing_id", "listing_id"),)
