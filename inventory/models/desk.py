"""Tables of the oversell desk: cases, what was tried and done, cancellations, penalties."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, Big, BigKey, Json


class Oversell(Base):
    """One shortage of one SKU: more units promised than there are. At most one is open per SKU.

    `weighed_of` names what its orders were last chosen from, so that they are chosen anew when
    that has changed, and not before. None: not chosen yet.
    """

    __tablename__ = "oversell"
    id: Mapped[BigKey]
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"))
    state: Mapped[str] = mapped_column(server_default="open")
    shortage: Mapped[int]
    shortage_max: Mapped[int]
    cause_fact_id: Mapped[int | None]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    weighed_of: Mapped[str | None]
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

    `metric_before`, `metric_after`, `cost` (whole yen, in parts) and `runner_up` (the best other
    set, and why it lost) are what was foreseen when it was proposed. It is decided by `decide_by`.
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
    cost: Mapped[Json | None]
    runner_up: Mapped[Json | None]
    decide_by: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
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
        Index(
            "ix_cancellation_decide_by", "decide_by", postgresql_where=text("state = 'proposed'")
        ),
    )


class Mitigation(Base):
    """What was tried before an order is given up, one row of each kind for a case.

    `units` are those that it covers, or has covered. States: nothing (it can cover none), covering
    (units will come until `until`), done (they are there), undone (they did not come).
    """

    __tablename__ = "mitigation"
    id: Mapped[BigKey]
    oversell_id: Mapped[int] = mapped_column(ForeignKey("oversell.id"))
    kind: Mapped[str]
    state: Mapped[str]
    units: Mapped[int]
    detail: Mapped[Json]
    judged_at: Mapped[datetime]
    until: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("oversell_id", "kind"),
        CheckConstraint("kind IN ('other_location', 'holds', 'inbound_supply')", name="kind"),
        CheckConstraint("state IN ('nothing', 'covering', 'done', 'undone')", name="state"),
    )


class PenaltyEntry(Base):
    """What an order's end, or that of a part, did to the metric: before, after, limit, as-of date.

    Every end has an entry; the metrics are None where the channel has none. `own_window` has those
    of the window that the end belongs to, where it lies outside of the one that ended then. `part`
    is 0 for the whole order, which has a cancellation; a part that ended while the rest lives on
    has its own number, and the case of the shortage that it was for, if any. `weighs`: the metric
    is computed with it, as it counts, or may count and the shop caused it. `cause` is who asked for
    the end and why, `source` where the rule about it stands, `lines` the order as it was then.
    `thresholds` are the rules that the metrics were computed by. `worth_yen` is what was ordered,
    `cost` what giving it up costs, part by part; None: not known.
    """

    __tablename__ = "penalty_entry"
    id: Mapped[BigKey]
    cancellation_id: Mapped[int | None] = mapped_column(ForeignKey("cancellation.id"), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("sales_order.id"))
    part: Mapped[int] = mapped_column(server_default="0")
    oversell_id: Mapped[int | None] = mapped_column(ForeignKey("oversell.id"), index=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    order_ref: Mapped[str]
    reason_code: Mapped[str]
    counts_against_metric: Mapped[str]
    weighs: Mapped[bool]
    metric_before: Mapped[Json | None]
    metric_after: Mapped[Json | None]
    own_window: Mapped[Json | None]
    recorded_at: Mapped[datetime]
    lines: Mapped[list[Json]] = mapped_column(JSONB, server_default="[]")
    cause: Mapped[str] = mapped_column(server_default="")
    source: Mapped[str] = mapped_column(server_default="")
    thresholds: Mapped[Json | None]
    worth_yen: Mapped[Big | None]
    cost: Mapped[Json | None]
    ended_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("order_id", "part"),
        CheckConstraint("counts_against_metric IN ('yes', 'no', 'unconfirmed')", name="counts"),
        Index(None, "channel_id", "recorded_at"),
        Index(None, "channel_id", "ended_at"),
    )
