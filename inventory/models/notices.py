"""Tables of what leaves the house for people: alert rules, alerts, endpoints, deliveries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, BigKey, Json, Key


class AlertRule(Base):
    """Tell the buyers' team when a SKU's available units fall to `level` or below.

    `sku_id` None means every SKU. An alert closes itself when available is above the level again.
    """

    __tablename__ = "alert_rule"
    id: Mapped[Key]
    sku_id: Mapped[int | None] = mapped_column(ForeignKey("sku.id"))
    level: Mapped[int]
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Alert(Base):
    """Something that a person should know, fired once when it began and closed when it ended.

    `subject` names what it is about (`sku:MUG`, `channel:3`); one alert per rule and subject is
    open at a time.
    """

    __tablename__ = "alert"
    id: Mapped[BigKey]
    kind: Mapped[str]
    subject: Mapped[str]
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("alert_rule.id"))
    state: Mapped[str] = mapped_column(server_default="open")
    detail: Mapped[Json]
    fired_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("state IN ('open', 'closed')", name="state"),
        Index(
            "uq_alert_open",
            "kind",
            "subject",
            text("coalesce(rule_id, 0)"),
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
    )


class WebhookEndpoint(Base):
    """An address that receives signed messages. The secret is sealed; `events` empty means all.

    `failing_since` is when it stopped answering; None while its last answer was a good one.
    """

    __tablename__ = "webhook_endpoint"
    id: Mapped[Key]
    url: Mapped[str]
    secret: Mapped[bytes]
    events: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default="{}")
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    failing_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Delivery(Base):
    """One message to one endpoint: pending until delivered, or parked after the last try.

    `attempts` counts the tries begun. While one is under way, `leased_until` says when it is given
    up for dead. Of the messages of one `topic` (a listing's number) at most one is pending per
    endpoint: a newer one takes its place.
    """

    __tablename__ = "delivery"
    id: Mapped[BigKey]
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoint.id"))
    message_id: Mapped[str]
    event: Mapped[str]
    topic: Mapped[str | None]
    body: Mapped[Json]
    state: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_failure: Mapped[str | None]
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("endpoint_id", "message_id"),
        CheckConstraint("state IN ('pending', 'delivered', 'parked')", name="state"),
        Index(
            "ix_delivery_due", "endpoint_id", "due_at", postgresql_where=text("state = 'pending'")
        ),
        Index(
            "ix_delivery_leased",
            "endpoint_id",
            postgresql_where=text("state = 'pending' AND leased_until IS NOT NULL"),
        ),
        Index(
            "uq_delivery_topic",
            "endpoint_id",
            "topic",
            unique=True,
            postgresql_where=text("state = 'pending' AND topic IS NOT NULL"),
        ),
    )
