"""The desk weighs: assumed prices, what an order costs, what is tried before, and by when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

POLICY, BEFORE = "ck_channel_desk_policy", "desk_policy IN ('review', 'auto')"
NOW = "desk_policy IN ('review', 'auto', 'auto_at_deadline')"


def upgrade() -> None:
    """Cancellations of before have no cost, and no deadline but their own."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    moment = sa.DateTime(timezone=True)
    op.add_column(
        "channel", sa.Column("costs", postgresql.JSONB(), server_default="{}", nullable=False)
    )
    op.add_column(
        "channel", sa.Column("desk_hours", sa.Integer(), server_default="24", nullable=False)
    )
    op.add_column("channel", sa.Column("ship_days", sa.Integer()))
    op.drop_constraint(op.f(POLICY), "channel")
    op.create_check_constraint(op.f(POLICY), "channel", NOW)
    op.create_check_constraint(op.f("ck_channel_desk_hours"), "channel", "desk_hours >= 0")
    for column in (
        sa.Column("cost", postgresql.JSONB()),
        sa.Column("runner_up", postgresql.JSONB()),
        sa.Column("decide_by", moment),
        sa.Column("escalated_at", moment),
    ):
        op.add_column("cancellation", column)
    op.create_index(
        "ix_cancellation_decide_by",
        "cancellation",
        ["decide_by"],
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.create_table(
        "mitigation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("oversell_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("judged_at", moment, nullable=False),
        sa.Column("until", moment, nullable=True),
        sa.CheckConstraint(
            "kind IN ('other_location', 'holds', 'inbound_supply')",
            name=op.f("ck_mitigation_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('nothing', 'covering', 'done', 'undone')", name=op.f("ck_mitigation_state")
        ),
        sa.ForeignKeyConstraint(
            ["oversell_id"], ["oversell.id"], name=op.f("fk_mitigation_oversell_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mitigation")),
        sa.UniqueConstraint("oversell_id", "kind", name=op.f("uq_mitigation_oversell_id_kind")),
    )


def downgrade() -> None:
    """Back to the newest order."""
    op.drop_table("mitigation")
    op.drop_index("ix_cancellation_decide_by", "cancellation")
    for name in ("cost", "runner_up", "decide_by", "escalated_at"):
        op.drop_column("cancellation", name)
    op.execute("UPDATE channel SET desk_policy = 'review' WHERE desk_policy = 'auto_at_deadline'")
    op.drop_constraint(op.f("ck_channel_desk_hours"), "channel")
    op.drop_constraint(op.f(POLICY), "channel")
    op.create_check_constraint(op.f(POLICY), "channel", BEFORE)
    op.drop_column("channel", "ship_days")
    op.drop_column("channel", "desk_hours")
    op.drop_column("channel", "costs")
