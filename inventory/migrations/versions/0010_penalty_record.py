"""The penalty record says all of an entry: lines, cause, cost, thresholds; every end has one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# What was written down when the entries were made is read from where it still stands.
_FILL = """
UPDATE penalty_entry p SET ended_at = coalesce(x.confirmed_at, p.recorded_at),
  cause = CASE x.reason WHEN 'out_of_stock' THEN 'shop_out_of_stock' ELSE x.reason END
FROM cancellation x WHERE x.id = p.cancellation_id
"""
# Until now an end that surely counts nowhere left no entry.
_HARMLESS = """
INSERT INTO penalty_entry (cancellation_id, channel_id, order_ref, reason_code, cause,
  counts_against_metric, weighs, ended_at, recorded_at)
SELECT x.id, x.channel_id, o.order_ref, x.reason_code,
  CASE x.reason WHEN 'out_of_stock' THEN 'shop_out_of_stock' ELSE x.reason END,
  'no', false, coalesce(x.confirmed_at, x.proposed_at), coalesce(x.confirmed_at, x.proposed_at)
FROM cancellation x JOIN sales_order o ON o.id = x.order_id
WHERE x.state IN ('confirmed', 'observed')
  AND NOT EXISTS (SELECT FROM penalty_entry p WHERE p.cancellation_id = x.id)
"""
_LINES = """
UPDATE penalty_entry p SET lines = told.lines, worth_yen = told.worth FROM (
  SELECT x.id, jsonb_agg(jsonb_build_object('line_ref', l.line_ref, 'channel_sku', g.channel_sku,
      'sku', s.code, 'ordered', l.ordered, 'cancelled', l.cancelled, 'shipped', l.shipped,
      'unit_price', l.unit_price) ORDER BY l.line_ref) AS lines,
    CASE WHEN bool_and(l.unit_price IS NOT NULL OR l.ordered = 0)
      THEN sum(cast(l.unit_price AS bigint) * l.ordered) END AS worth
  FROM penalty_entry e JOIN cancellation x ON x.id = e.cancellation_id
  JOIN order_line l ON l.order_id = x.order_id
  LEFT JOIN listing g ON g.id = l.listing_id LEFT JOIN sku s ON s.id = l.sku_id
  GROUP BY x.id
) told WHERE told.id = p.cancellation_id
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    document, words = postgresql.JSONB(), sa.Text()
    for column in (
        sa.Column("lines", document, server_default="[]", nullable=False),
        sa.Column("cause", words, server_default="", nullable=False),
        sa.Column("source", words, server_default="", nullable=False),
        sa.Column("thresholds", document),
        sa.Column("worth_yen", sa.BigInteger()),
        sa.Column("cost", document),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    ):
        op.add_column("penalty_entry", column)
    # A channel without a metric has entries all the same.
    op.alter_column("penalty_entry", "metric_before", nullable=True)
    op.alter_column("penalty_entry", "metric_after", nullable=True)
    for statement in (_FILL, _HARMLESS, _LINES):
        op.execute(statement)
    op.alter_column("penalty_entry", "ended_at", nullable=False)
    op.create_index(
        op.f("ix_penalty_entry_channel_id_ended_at"), "penalty_entry", ["channel_id", "ended_at"]
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_penalty_entry_channel_id_ended_at"), "penalty_entry")
    op.execute("DELETE FROM penalty_entry WHERE metric_before IS NULL")
    op.alter_column("penalty_entry", "metric_before", nullable=False)
    op.alter_column("penalty_entry", "metric_after", nullable=False)
    for name in ("ended_at", "cost", "worth_yen", "thresholds", "source", "cause", "lines"):
        op.drop_column("penalty_entry", name)
