"""Tables of the oversell desk: cases, what was done about them, cancellations, penalties."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, BigKey, Json


class Oversell(Base):
    """One shortage of one SKU: more units promised than there are. At most one is open per SKU."""

    __tablename__ = "oversell"
    id: Mapped[BigKey]
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"))
    state: Mapped[str] = mapped_column(server_default="open")
    shortage: Mapped[int]
    shortage_max: Mapped[int]
    cause_fact_id: Mapped[int | None]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("state IN ('open', 'closed')", name="state"),
        Index("uq_oversell_open", "sku_id", unique=True, postgresql_where=text("state = 'open'")),
    )


class OversellStep(Base):
    """One thing that was found, decided or done about a case, by whom and why."""

    __tablename__ = "oversell_step"
    id: Mapped[BigKey]
    oversell_id: Mapped[int] = mapped_column(ForeignKey("oversell.id"), index=True)
    step: Mapped[str]
    detail: Mapped[Json]
    done_by: Mapped[str]
    done_at: Mapped[datetime]


class Cancellation(Base):
    """An order that ends without being shipped: ours to decide (`oversell_id`) or only observed.

    `metric_before` and `metric_after` are what was foreseen when it was proposed.
    States: proposed, approved, refused (by a person), submitted, confirmed, failed (the channel
    refused it; a person is needed), observed (buyer or marketplace).
    """

    __tablename__ = "cancellation"
    id: Mapped[BigKey]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    order_id: Mapped[int] = mapped_column(ForeignKey("sales_order.id"), unique=True)
    oversell_id: Mapped[int | None] = mapped_column(ForeignKey("oversell.id"), index=True)
    state: Mapped[str]
    reason: Mapped[str]
    reason_code: Mapped[str]
    reference: Mapped[str | None]
    decided_by: Mapped[str | None]
    failure: Mapped[str | None]
    metric_before: Mapped[Json | None]
    metric_after: Mapped[Json | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime | None]
    proposed_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(
            "state IN ('proposed', 'approved', 'refused', 'submitted', 'confirmed', 'failed',"
            " 'observed')",
            name="state",
        ),
        Index(
            "ix_cancellation_due",
            "due_at",
            postgresql_where=text("state IN ('approved', 'submitted')"),
        ),
        Index(
            "ix_cancellation_open",
            "order_id",
            postgresql_where=text("state NOT IN ('confirmed', 'observed')"),
        ),
    )


class PenaltyEntry(Base):
    """What one cancellation did to the marketplace's metric: before, after, limit and as-of date.

    `weighs`: the metric is computed with it, as it counts, or may count and the shop caused it.
    """

    __tablename__ = "penalty_entry"
    id: Mapped[BigKey]
    cancellation_id: Mapped[int] = mapped_column(ForeignKey("cancellation.id"), unique=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    order_ref: Mapped[str]
    reason_code: Mapped[str]
    counts_against_metric: Mapped[str]
    weighs: Mapped[bool]
    metric_before: Mapped[Json]
    metric_after: Mapped[Json]
    recorded_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("counts_against_metric IN ('yes', 'no', 'unconfirmed')", name="counts"),
        Index(None, "channel_id", "recorded_at"),
    )
