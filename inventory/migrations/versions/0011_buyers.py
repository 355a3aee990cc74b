"""Teams, suppliers, the pace of sales, and alerts that are acknowledged, snoozed, escalated."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
TOLD_BEFORE = """
INSERT INTO alert_message (alert_id, event, made_at, told_at)
SELECT id, 'fired', fired_at, fired_at FROM alert WHERE state = 'open'
"""


# Whoever hears of single alerts hears of those that are told together, too.
ALSO = """
UPDATE webhook_endpoint
SET events = events || ARRAY['alert.digest', 'alert.escalated', 'alert.reminded']
WHERE 'alert.fired' = ANY(events)
"""


def upgrade() -> None:
    """Rules go on as they were; who was told of an open alert hears of its end."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    _tables()
    _rules()
    _alerts()
    _messages()
    op.execute(
        "UPDATE alert a SET sku_id = s.id, told_at = a.fired_at FROM sku s"
        " WHERE a.subject = 'sku:' || s.code"
    )
    op.execute("UPDATE alert SET told_at = fired_at WHERE told_at IS NULL")
    op.execute(TOLD_BEFORE)
    op.execute(ALSO)


def _key(big: bool = False) -> sa.Column[int]:  # noqa: FBT001, FBT002 -- a width
    width = sa.BigInteger() if big else sa.Integer()
    return sa.Column("id", width, sa.Identity(always=False), nullable=False)


def _number(name: str, default: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=default, nullable=False)


def _made() -> sa.Column[datetime]:
    return sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False)


def _named(table: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        table,
        _key(),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        *columns,
        _made(),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("code", name=f"uq_{table}_code"),
    )


def _tables() -> None:
    _named(
        "team",
        sa.Column("escalates_to_id", sa.Integer(), nullable=True),
        _number("escalate_minutes", "60"),
        _number("digest_over", "5"),
        _number("digest_minutes", "15"),
        sa.ForeignKeyConstraint(["escalates_to_id"], ["team.id"], name="fk_team_escalates_to_id"),
        sa.CheckConstraint("escalates_to_id <> id", name=op.f("ck_team_itself")),
        sa.CheckConstraint("escalate_minutes > 0", name=op.f("ck_team_escalate_minutes")),
        sa.CheckConstraint("digest_over >= 0 AND digest_minutes > 0", name=op.f("ck_team_digest")),
    )
    _named(
        "supplier",
        sa.Column("lead_days", sa.Integer(), nullable=True),
        _number("cover_days", "28"),
        sa.CheckConstraint("lead_days >= 0", name=op.f("ck_supplier_lead_days")),
        sa.CheckConstraint("cover_days > 0", name=op.f("ck_supplier_cover_days")),
    )
    op.create_table(
        "buying_terms",
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("supplier_id", sa.Integer(), nullable=True),
        _number("pack_size", "1"),
        sa.PrimaryKeyConstraint("sku_id", name="pk_buying_terms"),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name="fk_buying_terms_sku_id"),
        sa.ForeignKeyConstraint(
            ["supplier_id"], ["supplier.id"], name="fk_buying_terms_supplier_id"
        ),
        sa.CheckConstraint("pack_size > 0", name=op.f("ck_buying_terms_pack_size")),
    )
    op.create_index("ix_buying_terms_category", "buying_terms", ["category"])
    op.create_index("ix_buying_terms_supplier_id", "buying_terms", ["supplier_id"])
    op.create_table(
        "sku_pace",
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("sold", sa.Integer(), nullable=False),
        sa.Column("days", sa.Float(), nullable=False),
        sa.Column("per_day", sa.Float(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("sku_id", name="pk_sku_pace"),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name="fk_sku_pace_sku_id"),
    )


def _rules() -> None:
    op.add_column(
        "alert_rule", sa.Column("kind", sa.Text(), server_default="low_stock", nullable=False)
    )
    op.add_column("alert_rule", sa.Column("category", sa.Text(), nullable=True))
    op.add_column("alert_rule", sa.Column("supplier_id", sa.Integer(), nullable=True))
    op.add_column("alert_rule", _number("clear_margin", "0"))
    op.add_column("alert_rule", sa.Column("team_id", sa.Integer(), nullable=True))
    for name, table in (("supplier_id", "supplier"), ("team_id", "team")):
        op.create_foreign_key(f"fk_alert_rule_{name}", "alert_rule", table, [name], ["id"])
    op.create_check_constraint(
        op.f("ck_alert_rule_scope"),
        "alert_rule",
        "num_nonnulls(sku_id, category, supplier_id) <= 1",
    )


def _alerts() -> None:
    keys = {"sku_id": "sku", "team_id": "team", "escalated_to_id": "team"}
    for name, table in keys.items():
        op.add_column("alert", sa.Column(name, sa.Integer(), nullable=True))
        op.create_foreign_key(f"fk_alert_{name}", "alert", table, [name], ["id"])
    for name in ("told_at", "acknowledged_at", "snoozed_until", "escalated_at"):
        op.add_column("alert", sa.Column(name, TIME, nullable=True))
    op.add_column("alert", sa.Column("acknowledged_by", sa.Text(), nullable=True))
    is_open = sa.text("state = 'open'")
    op.create_index("ix_alert_open_sku", "alert", ["sku_id"], postgresql_where=is_open)
    op.create_index("ix_alert_open_team", "alert", ["team_id", "told_at"], postgresql_where=is_open)
    op.create_index(
        "ix_alert_snoozed",
        "alert",
        ["kind", "subject", "snoozed_until"],
        postgresql_where=sa.text("snoozed_until IS NOT NULL"),
    )


def _messages() -> None:
    op.create_table(
        "alert_message",
        _key(big=True),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("told_at", TIME, nullable=True),
        sa.Column("digest_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_alert_message"),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_alert_message_alert_id"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name="fk_alert_message_team_id"),
        sa.CheckConstraint(
            "event IN ('fired', 'reminded', 'escalated', 'closed')",
            name=op.f("ck_alert_message_event"),
        ),
    )
    op.create_index("ix_alert_message_alert_id", "alert_message", ["alert_id"])
    op.create_index("ix_alert_message_team_id_told_at", "alert_message", ["team_id", "told_at"])
    waiting = sa.text("told_at IS NULL")
    op.create_index(
        "ix_alert_message_waiting", "alert_message", ["team_id"], postgresql_where=waiting
    )
    op.create_index(
        "ix_alert_message_digest",
        "alert_message",
        ["digest_id"],
        postgresql_where=sa.text("digest_id IS NOT NULL"),
    )
