"""Parts of orders that end have entries of their own, and older ends say what is not known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

UNRECORDED = "lowered + LEAST(cancelled, ordered - shipped) > ends_recorded"
# What ended with a whole order has been put on record with it.
_WHOLE_ENDS = """
UPDATE order_line l SET ends_recorded = LEAST(l.cancelled, l.ordered - l.shipped)
FROM penalty_entry p WHERE p.order_id = l.order_id AND LEAST(l.cancelled, l.ordered - l.shipped) > 0
"""
# The record filled entries in for ended orders that had none, as counting nowhere. That is known
# of those below, as the decision table has them; of all others it was a guess.
_GUESSED = """
UPDATE penalty_entry p SET counts_against_metric = 'unconfirmed'
FROM channel c, sales_order o
WHERE c.id = p.channel_id AND o.id = p.order_id AND p.counts_against_metric = 'no' AND NOT p.weighs
  AND p.source = '' AND p.thresholds IS NULL AND p.metric_before IS NULL
  AND NOT (c.kind IN ('eccube', 'own_store') OR c.kind = 'amazon' AND o.fulfilled_by_channel
    OR (c.kind, p.cause) IN (('amazon', 'buyer_self'), ('amazon', 'buyer_request'),
      ('amazon', 'buyer_first'), ('amazon', 'marketplace'), ('yahoo', 'buyer_request'),
      ('yahoo', 'buyer_first'), ('shopify', 'marketplace')))
"""
_ORDERS = """
UPDATE penalty_entry p SET order_id = x.order_id FROM cancellation x WHERE x.id = p.cancellation_id
"""


def upgrade() -> None:
    """Parts that ended before are found by the desk afterwards, where their channel said so."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    for name in ("lowered", "ends_recorded"):
        op.add_column(
            "order_line", sa.Column(name, sa.Integer(), server_default="0", nullable=False)
        )
    op.add_column("penalty_entry", sa.Column("order_id", sa.BigInteger()))
    op.add_column(
        "penalty_entry", sa.Column("part", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column("penalty_entry", sa.Column("oversell_id", sa.BigInteger()))
    op.add_column("penalty_entry", sa.Column("own_window", JSONB()))
    op.execute(_ORDERS)
    op.alter_column("penalty_entry", "order_id", nullable=False)
    op.alter_column("penalty_entry", "cancellation_id", nullable=True)
    for column, table in (("order_id", "sales_order"), ("oversell_id", "oversell")):
        name = op.f(f"fk_penalty_entry_{column}")
        op.create_foreign_key(name, "penalty_entry", table, [column], ["id"])
    op.create_unique_constraint(
        op.f("uq_penalty_entry_order_id_part"), "penalty_entry", ["order_id", "part"]
    )
    op.create_index(op.f("ix_penalty_entry_oversell_id"), "penalty_entry", ["oversell_id"])
    for statement in (_GUESSED, _WHOLE_ENDS):
        op.execute(statement)
    op.create_index(
        "ix_order_line_unrecorded",
        "order_line",
        ["order_id"],
        postgresql_where=sa.text(UNRECORDED),
    )


def downgrade() -> None:
    op.drop_index("ix_order_line_unrecorded", "order_line")
    op.execute("DELETE FROM penalty_entry WHERE cancellation_id IS NULL")
    op.drop_index(op.f("ix_penalty_entry_oversell_id"), "penalty_entry")
    op.drop_constraint(op.f("uq_penalty_entry_order_id_part"), "penalty_entry")
    op.alter_column("penalty_entry", "cancellation_id", nullable=False)
    for name in ("own_window", "oversell_id", "part", "order_id"):
        op.drop_column("penalty_entry", name)
    for name in ("ends_recorded", "lowered"):
        op.drop_column("order_line", name)
