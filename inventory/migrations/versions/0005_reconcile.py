"""Every number is read back in turn: rotations, drift, holds for orders not seen yet, resyncs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """No listing has been read in turn yet."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    _rotation()
    _drift()
    _early_sale()
    _resync()
    op.add_column("push", sa.Column("reference", sa.Text(), nullable=True))
    op.create_index(
        "ix_push_open", "push", ["channel_id"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.add_column(
        "reading",
        sa.Column("agrees", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index("ix_reading_agrees", "reading", ["read_at"], postgresql_where=sa.text("agrees"))
    op.create_index("ix_listing_channel_id_id", "listing", ["channel_id", "id"])
    op.create_index(
        "ix_listing_reassess",
        "listing",
        ["reassess_at"],
        postgresql_where=sa.text("reassess_at IS NOT NULL"),
    )
    op.create_index(
        "ix_listing_read",
        "listing",
        ["channel_id", "read_after"],
        postgresql_where=sa.text("read_after IS NOT NULL OR lane = 'read'"),
    )


def _rotation() -> None:
    op.create_table(
        "rotation",
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.Integer(), server_default="0", nullable=False),
        sa.Column("began_at", TIME, nullable=True),
        sa.Column("ended_from", TIME, nullable=True),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("hot_due_at", TIME, nullable=True),
        sa.Column("asked_at", TIME, nullable=True),
        sa.Column("readings", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("per_second", sa.Integer(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.CheckConstraint("per_second > 0", name=op.f("ck_rotation_per_second")),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_rotation_channel_id")
        ),
        sa.PrimaryKeyConstraint("channel_id", name=op.f("pk_rotation")),
    )


def _drift() -> None:
    op.create_table(
        "drift",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=True),
        sa.Column("expected_low", sa.Integer(), nullable=True),
        sa.Column("expected_high", sa.Integer(), nullable=True),
        sa.Column("read_at", TIME, nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("look_at", TIME, nullable=True),
        sa.Column("closed_at", TIME, nullable=True),
        sa.CheckConstraint(
            "cause IN ('order_not_pulled', 'ignored', 'lost_update', 'hand_edit', 'mapping_error',"
            " 'closed_listing')",
            name=op.f("ck_drift_cause"),
        ),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_drift_listing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drift")),
    )
    op.create_index(
        "uq_drift_open",
        "drift",
        ["listing_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _early_sale() -> None:
    op.create_table(
        "early_sale",
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listing.id"], name=op.f("fk_early_sale_listing_id")
        ),
        sa.PrimaryKeyConstraint("listing_id", "until", name=op.f("pk_early_sale")),
    )


def _resync() -> None:
    op.create_table(
        "resync",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_resync_channel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resync")),
    )
    op.create_index(
        "uq_resync_open",
        "resync",
        ["channel_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "resync_mark",
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("marked_at", TIME, nullable=False),
        sa.Column("not_before", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_resync_mark_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listing.id"], name=op.f("fk_resync_mark_listing_id")
        ),
        sa.PrimaryKeyConstraint("channel_id", "listing_id", name=op.f("pk_resync_mark")),
    )
    op.create_index("ix_resync_mark_listing_id", "resync_mark", ["listing_id"])
