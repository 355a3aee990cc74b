"""Tables of the buyers' team: who is told, from whom a SKU is bought, how fast it sells."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, Big, BigKey, Key


class Team(Base):
    """People who are told of alerts together.

    What none of them has acknowledged after `escalate_minutes` is told to `escalates_to_id`, once.
    More than `digest_over` messages within `digest_minutes` become one digest. A removed one stays
    for the alerts it was told of.
    """

    __tablename__ = "team"
    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    escalates_to_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    escalate_minutes: Mapped[int] = mapped_column(server_default="60")
    digest_over: Mapped[int] = mapped_column(server_default="5")
    digest_minutes: Mapped[int] = mapped_column(server_default="15")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    removed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("escalates_to_id <> id", name="itself"),
        CheckConstraint("escalate_minutes > 0", name="escalate_minutes"),
        CheckConstraint("digest_over >= 0 AND digest_minutes > 0", name="digest"),
    )


class Supplier(Base):
    """Who delivers: `lead_days` from the order to the shelf, None where nobody has told.

    What is ordered should last `cover_days` after it has arrived. A removed one stays for the rules
    that named it.
    """

    __tablename__ = "supplier"
    id: Mapped[Key]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    lead_days: Mapped[int | None]
    cover_days: Mapped[int] = mapped_column(server_default="28")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    removed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("lead_days >= 0", name="lead_days"),
        CheckConstraint("cover_days > 0", name="cover_days"),
    )


class BuyingTerms(Base):
    """How a SKU is bought: its category, its supplier, and the units in one pack."""

    __tablename__ = "buying_terms"
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), primary_key=True)
    category: Mapped[str | None]
    supplier_id: Mapped[int | None] = mapped_column(ForeignKey("supplier.id"))
    pack_size: Mapped[int] = mapped_column(server_default="1")
    __table_args__ = (
        CheckConstraint("pack_size > 0", name="pack_size"),
        Index(None, "category"),
        Index(None, "supplier_id"),
    )


class SkuPace(Base):
    """How fast a SKU sells: `sold` units in `days` in stock, Tokyo days `since` to before `until`.

    A SKU that was never in stock in the last window keeps what was measured last.
    """

    __tablename__ = "sku_pace"
    sku_id: Mapped[int] = mapped_column(ForeignKey("sku.id"), primary_key=True)
    sold: Mapped[int]
    days: Mapped[float]
    per_day: Mapped[float]
    since: Mapped[date]
    until: Mapped[date]


class AlertMessage(Base):
    """One thing that one team is told about one alert, `team_id` None: whoever hears of all.

    `told_at` None: it waits for the next digest. `digest_id` is the same for all of one digest,
    None for what was told alone.
    """

    __tablename__ = "alert_message"
    id: Mapped[BigKey]
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"), index=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    event: Mapped[str]
    made_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
    digest_id: Mapped[Big | None]
    __table_args__ = (
        CheckConstraint("event IN ('fired', 'reminded', 'escalated', 'closed')", name="event"),
        Index(None, "team_id", "told_at"),
        Index("ix_alert_message_waiting", "team_id", postgresql_where=text("told_at IS NULL")),
        Index(
            "ix_alert_message_digest", "digest_id", postgresql_where=text("digest_id IS NOT NULL")
        ),
    )
