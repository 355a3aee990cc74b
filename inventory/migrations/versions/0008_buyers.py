"""What buyers asked, since when the marketplace shows it, and what they are to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False)


def upgrade() -> None:
    """A flag that is shown already is taken as seen when the order was last read."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.add_column("sales_order", sa.Column("buyer_asked_at", TIME, nullable=True))
    op.execute(
        "UPDATE sales_order SET buyer_asked_at = coalesce(seen_at, recorded_at)"
        " WHERE buyer_asked_to_cancel"
    )
    op.create_table(
        "buyer_request",
        _id(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("by_marketplace", sa.Boolean(), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_with", sa.Text(), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.CheckConstraint(
            "by_marketplace OR reference <> ''", name=op.f("ck_buyer_request_reference")
        ),
        sa.CheckConstraint("recorded_by <> ''", name=op.f("ck_buyer_request_recorded_by")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_buyer_request_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_buyer_request")),
        sa.UniqueConstraint("order_id", name=op.f("uq_buyer_request_order_id")),
    )
    op.create_table(
        "buyer_message",
        _id(),
        sa.Column("cancellation_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("notes", postgresql.JSONB(), nullable=False),
        sa.Column("drafted_at", TIME, nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("sent_by", sa.Text(), nullable=True),
        sa.Column("repay_due_at", TIME, nullable=True),
        sa.Column("repaid_at", TIME, nullable=True),
        sa.Column("repaid_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cancellation_id"], ["cancellation.id"], name=op.f("fk_buyer_message_cancellation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_buyer_message")),
        sa.UniqueConstraint("cancellation_id", name=op.f("uq_buyer_message_cancellation_id")),
    )
    op.create_index(
        "ix_buyer_message_repay",
        "buyer_message",
        ["repay_due_at"],
        postgresql_where=sa.text("repay_due_at IS NOT NULL AND repaid_at IS NULL"),
    )


def downgrade() -> None:
    """What was recorded is lost."""
    op.drop_table("buyer_message")
    op.drop_table("buyer_request")
    op.drop_column("sales_order", "buyer_asked_at")
