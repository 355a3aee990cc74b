"""A shop is looked at before it is written to: what it has, what it says of itself, its past."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Whoever is connected already has been published to since then."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    moment = sa.DateTime(timezone=True)
    for column in (
        sa.Column("live_at", moment),
        sa.Column("standing", postgresql.JSONB()),
        sa.Column("standing_at", moment),
        sa.Column("history_from", moment),
    ):
        op.add_column("channel", column)
    op.execute("UPDATE channel SET live_at = connected_at")
    op.add_column(
        "sales_order",
        sa.Column("past", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_table(
        "listing_seen",
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("channel_sku", sa.Text(), nullable=False),
        sa.Column("codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("fulfilled_by_channel", sa.Boolean(), nullable=False),
        sa.Column("dangers", postgresql.JSONB(), nullable=False),
        sa.Column("seen_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_listing_seen_channel_id")
        ),
        sa.PrimaryKeyConstraint("channel_id", "channel_sku", name=op.f("pk_listing_seen")),
    )
    op.create_table(
        "history_reading",
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("cursor", postgresql.JSONB(), nullable=False),
        sa.Column("until", moment, nullable=True),
        sa.Column("orders", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), server_default="reading", nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.CheckConstraint(
            "state IN ('reading', 'done', 'failed')", name=op.f("ck_history_reading_state")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_history_reading_channel_id")
        ),
        sa.PrimaryKeyConstraint("channel_id", name=op.f("pk_history_reading")),
    )
