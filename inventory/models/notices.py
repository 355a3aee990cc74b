"""Tables of what leaves the house for people: alert rules, alerts, endpoints, deliveries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, BigKey, Json, Key


class AlertRule(Base):
    """What the buyers' team wants to hear of, and which team of it.

    At most one of `sku_id`, `category` and `supplier_id` is given; none means everything. What
    `level` counts depends on `kind`: units, days of cover, days ahead, nothing. An alert closes
    itself when the level is exceeded by more than `clear_margin`.
    """

    __tablename__ = "alert_rule"
    id: Mapped[Key]
    kind: Mapped[str] = mapped_column(server_default="low_stock")
    sku_id: Mapped[int | None] = mapped_column(ForeignKey("sku.id"))
    category: Mapped[str | None]
    supplier_id: Mapped[int | None] = mapped_column(ForeignKey("supplier.id"))
    level: Mapped[int]
    clear_margin: Mapped[int] = mapped_column(server_default="0")
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        CheckConstraint("num_nonnulls(sku_id, category, supplier_id) <= 1", name="scope"),
    )


class Alert(Base):
    """Something that a person should know, fired once when it began and closed when it ended.

    `subject` names what it is about (`sku:MUG`, `channel:3`); one alert per rule and subject is
    open at a time. `told_at` is when its team was told last, None while it waits for a digest or
    is snoozed. `acknowledged_at` stops the escalation; until `snoozed_until` nothing is said.
    """

    __tablename__ = "alert"
    id: Mapped[BigKey]
    kind: Mapped[str]
    subject: Mapped[str]
    sku_id: Mapped[int | None] = mapped_column(ForeignKey("sku.id"))
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("alert_rule.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    state: Mapped[str] = mapped_column(server_default="open")
    detail: Mapped[Json]
    fired_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    snoozed_until: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
    escalated_to_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
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
        Index("ix_alert_open_sku", "sku_id", postgresql_where=text("state = 'open'")),
        Index("ix_alert_open_team", "team_id", "told_at", postgresql_where=text("state = 'open'")),
        Index(
            "ix_alert_snoozed",
            "kind",
            "subject",
            "snoozed_until",
            postgresql_where=text("snoozed_until IS NOT NULL"),
        ),
    )


class WebhookEndpoint(Base):
    """Where messages go: a signed webhook, a chat room or mailboxes. `events` empty means all.

    `url` is what may be shown: scheme and host. The whole address with its tokens is sealed in
    `address`, the keys that sign are sealed in `secret`, those before them in `secret_previous`
    until `previous_until`. `team` None takes the messages of every team. `failing_since` is when it
    stopped answering; None while its last answer was a good one. One that was disabled by a 410
    has `active` false, one that was removed has `removed_at` too.
    """

    __tablename__ = "webhook_endpoint"
    id: Mapped[Key]
    kind: Mapped[str] = mapped_column(server_default="webhook")
    name: Mapped[str] = mapped_column(server_default="")
    team: Mapped[str | None]
    url: Mapped[str]
    address: Mapped[bytes | None]
    secret: Mapped[bytes]
    public_key: Mapped[str | None]
    secret_previous: Mapped[bytes | None]
    public_key_previous: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    events: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default="{}")
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    removed_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Message(Base):
    """One message as it was said, kept 30 days so that an endpoint may be sent it again.

    `id` is the cursor of a replay. Of one `topic` the highest `version` is true and takes the place
    of the others; without a topic it stands alone. `team` None is for every endpoint.
    """

    __tablename__ = "message"
    id: Mapped[BigKey]
    message_id: Mapped[str] = mapped_column(unique=True)
    event: Mapped[str]
    topic: Mapped[str | None]
    version: Mapped[int] = mapped_column(BigInteger)
    team: Mapped[str | None]
    body: Mapped[Json]
    created_at: Mapped[datetime] = mapped_column(index=True)
    __table_args__ = (
        Index("ix_message_topic", "topic", "version", postgresql_where=text("topic IS NOT NULL")),
    )


class Delivery(Base):
    """One message to one endpoint: pending until delivered, or parked after the last try.

    `attempts` counts the tries begun. While one is under way, `leased_until` says when it is given
    up for dead. Of the messages of one `topic` (a listing's number, an alert about a SKU) at most
    one is pending per endpoint: a newer `version` takes its place. `tries` is the log of all tries
    (`inventory/outgoing/tries.py`).
    """

    __tablename__ = "delivery"
    id: Mapped[BigKey]
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoint.id"))
    message_id: Mapped[str]
    event: Mapped[str]
    topic: Mapped[str | None]
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    body: Mapped[Json]
    state: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_failure: Mapped[str | None]
    tries: Mapped[list[Json]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
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
        Index("ix_delivery_log", "endpoint_id", "id"),
    )
