"""Tables of what buyers asked and what they are to be told; nothing of who they are (L13)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from inventory.models.base import Base, BigKey, Json


class BuyerRequest(Base):
    """A buyer's wish to cancel, put on record by a named person; one per order.

    `by_marketplace`: the marketplace shows it by a flag; else `reference` says where the message
    lies. `recorded_with` is the key or the command that the person used.
    """

    __tablename__ = "buyer_request"
    id: Mapped[BigKey]
    order_id: Mapped[int] = mapped_column(ForeignKey("sales_order.id"), unique=True)
    by_marketplace: Mapped[bool]
    asked_at: Mapped[datetime]
    reference: Mapped[str]
    recorded_by: Mapped[str]
    recorded_with: Mapped[str]
    recorded_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("by_marketplace OR reference <> ''", name="reference"),
        CheckConstraint("recorded_by <> ''", name="recorded_by"),
    )


class BuyerMessage(Base):
    """A message to a buyer, drafted for a person to send; placeholders stand for buyer data.

    `notes` are the channel's rules for whoever sends it. `repay_due_at`: money moved, and the
    refund should be seen to by then. The house sends nothing to a buyer itself.
    """

    __tablename__ = "buyer_message"
    id: Mapped[BigKey]
    cancellation_id: Mapped[int] = mapped_column(ForeignKey("cancellation.id"), unique=True)
    subject: Mapped[str]
    body: Mapped[str]
    notes: Mapped[Json]
    drafted_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    sent_by: Mapped[str | None]
    repay_due_at: Mapped[datetime | None]
    repaid_at: Mapped[datetime | None]
    repaid_by: Mapped[str | None]
    __table_args__ = (
        Index(
            "ix_buyer_message_repay",
            "repay_due_at",
            postgresql_where=text("repay_due_at IS NOT NULL AND repaid_at IS NULL"),
        ),
    )
