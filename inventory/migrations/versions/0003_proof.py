"""Months of movements are closed and sealed; what detached months add up to is carried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REFUSE = """
CREATE FUNCTION refuse_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'month % is closed: no movement can be added',
    to_char(NEW.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM') USING ERRCODE = 'restrict_violation';
END $$
"""

# The trigger's lock waits for inserts under way; whoever reads afterwards sees the whole month.
# What no partition covers lies in the default one, which stays open for the months to come.
CLOSE = """
CREATE FUNCTION close_movement_month(month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text := 'movement_' || to_char(month, 'YYYY_MM');
  next timestamptz := (date_trunc('month', month) + interval '1 month')::timestamp
    AT TIME ZONE 'UTC';
BEGIN
  IF to_regclass(name) IS NOT NULL THEN
    EXECUTE format(
      'CREATE OR REPLACE TRIGGER closed BEFORE INSERT ON %I'
      ' FOR EACH ROW EXECUTE FUNCTION refuse_sealed()', name
    );
  END IF;
  EXECUTE format(
    'CREATE OR REPLACE TRIGGER closed BEFORE INSERT ON movement_default'
    ' FOR EACH ROW WHEN (NEW.recorded_at < %L) EXECUTE FUNCTION refuse_sealed()', next
  );
END $$
"""


def upgrade() -> None:
    """No month is sealed yet."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.add_column("seal", sa.Column("rows_hash", sa.LargeBinary(), nullable=False))
    op.add_column("seal", sa.Column("detached_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "carried",
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_carried_sku_id")),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_carried_location_id")
        ),
        sa.PrimaryKeyConstraint("sku_id", "location_id", name=op.f("pk_carried")),
    )
    op.execute(REFUSE)
    op.execute(CLOSE)
    # The last check was kept in another shape.
    op.execute("DELETE FROM switch WHERE name = 'ledger_check'")
    # A seal is for good; only whether its partition is attached may change.
    op.execute(
        "CREATE TRIGGER for_good BEFORE DELETE OR UPDATE OF month, movements, rows_hash, hash,"
        " sealed_at ON seal FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER for_good_truncate BEFORE TRUNCATE ON seal"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
