"""Lean facts and movements; holds, kits, transfers, expected supply, counts, proofs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)

# A month's partition is made ahead of time; what no partition covers lies in the default one,
# so that a late task never refuses a sale. A month that has begun in the default partition stays
# there: history is never moved.
PARTITIONS = """
CREATE OR REPLACE FUNCTION make_movement_partition(month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text := 'movement_' || to_char(month, 'YYYY_MM');
  first timestamptz := date_trunc('month', month)::timestamp AT TIME ZONE 'UTC';
  next timestamptz := (date_trunc('month', month) + interval '1 month')::timestamp
    AT TIME ZONE 'UTC';
BEGIN
  IF to_regclass(name) IS NULL AND NOT EXISTS (
    SELECT FROM movement_default WHERE recorded_at >= first AND recorded_at < next
  ) THEN
    EXECUTE format(
      'CREATE TABLE %I PARTITION OF movement FOR VALUES FROM (%L) TO (%L)', name, first, next
    );
    PERFORM guard_movement_partition(name);
  END IF;
END $$
"""

# The chain of a balance's entries is unique in every partition: two writers of one revision are
# a fault that the database itself refuses.
GUARD = """
CREATE FUNCTION guard_movement_partition(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format(
    'CREATE UNIQUE INDEX %I ON %I (sku_id, location_id, revision)',
    'uq_' || name, name
  );
  EXECUTE format(
    'CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I'
    ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name
  );
END $$
"""

# Holds lived among the orders; those still open become rows of their own, the others are history
# that the movements tell.
HOLDS = """
INSERT INTO reservation (fact_id, expires_at, channel_id, parts)
SELECT f.id, o.expires_at, o.channel_id, array_agg(n ORDER BY p.line_ref, p.location_id, i)
FROM sales_order o
JOIN fact f ON f.channel_id = o.channel_id AND 'hold:' || f.fact_ref = o.order_ref
JOIN order_part p ON p.order_id = o.id AND p.reserved > 0
CROSS JOIN LATERAL unnest(ARRAY[p.sku_id, p.location_id, p.reserved]) WITH ORDINALITY AS u (n, i)
WHERE o.reservation AND NOT o.cancelled
GROUP BY f.id, o.expires_at, o.channel_id
"""


def upgrade() -> None:
    """Facts and movements are copied into their new tables; no row is lost."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '600s'")
    _facts()
    _movements()
    _warehouse()
    op.execute(HOLDS)
    for table in ("order_part", "order_line"):
        op.execute(
            f"DELETE FROM {table} WHERE order_id IN (SELECT id FROM sales_order WHERE reservation)"  # noqa: S608 -- a constant
        )
    op.execute("DELETE FROM sales_order WHERE reservation")
    op.drop_index("ix_sales_order_expiring", "sales_order")
    op.drop_column("sales_order", "reservation")
    op.drop_column("sales_order", "expires_at")
    op.add_column("order_part", sa.Column("per_unit", sa.Integer(), server_default="1"))
    op.alter_column("order_part", "per_unit", nullable=False)
    op.add_column("listing", sa.Column("preorder_units", sa.Integer(), server_default="0"))
    op.alter_column("listing", "preorder_units", nullable=False)
    op.add_column("stock_level", sa.Column("counted_at", TIME))
    op.execute("ALTER TABLE stock_level SET (fillfactor = 50)")
    op.execute("ALTER SEQUENCE fact_id_seq INCREMENT BY 100")
    op.execute(
        "INSERT INTO location (code, sellable) VALUES ('damaged', false), ('in-transit', false)"
        " ON CONFLICT DO NOTHING"
    )


def _facts() -> None:
    op.execute("ALTER TABLE fact RENAME TO fact_before")
    op.execute("ALTER INDEX pk_fact RENAME TO pk_fact_before")
    op.execute("ALTER INDEX uq_fact_channel_id_fact_ref RENAME TO uq_fact_before")
    op.execute("ALTER SEQUENCE fact_id_seq RENAME TO fact_before_id_seq")
    op.create_table(
        "fact",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("content_hash", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fact_ref", sa.Text(), nullable=False),
        sa.Column("outcome", JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_fact"),
        sa.UniqueConstraint("channel_id", "fact_ref", name="uq_fact_channel_id_fact_ref"),
    )
    op.execute(
        "INSERT INTO fact (id, recorded_at, content_hash, channel_id, kind, fact_ref, outcome)"
        " OVERRIDING SYSTEM VALUE SELECT id, recorded_at,"
        " ('x' || encode(substr(content_hash, 1, 8), 'hex'))::bit(64)::bigint,"
        " channel_id, kind, fact_ref, CASE WHEN outcome = jsonb_build_object('status',"
        " CASE kind WHEN 'reserve' THEN 'granted' ELSE 'recorded' END) THEN NULL ELSE outcome END"
        " FROM fact_before ORDER BY id"
    )
    op.execute("SELECT setval('fact_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM fact), false)")
    op.drop_table("fact_before")
    _append_only("fact")
    op.execute(
        "CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON fact"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _movements() -> None:
    op.execute("CREATE TEMP TABLE movement_before ON COMMIT DROP AS SELECT * FROM movement")
    op.drop_table("movement")
    op.create_table(
        "movement",
        sa.Column("fact_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("on_hand_delta", sa.Integer(), nullable=False),
        sa.Column("reserved_delta", sa.Integer(), nullable=False),
        sa.Column("line", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        postgresql_partition_by="RANGE (recorded_at)",
    )
    op.create_index(
        "ix_movement_fact", "movement", ["fact_id", "recorded_at"], postgresql_using="brin"
    )
    op.execute(GUARD)
    op.execute(PARTITIONS)
    op.execute("CREATE TABLE movement_default PARTITION OF movement DEFAULT")
    op.execute("SELECT guard_movement_partition('movement_default')")
    _append_only("movement")
    op.execute(
        "SELECT make_movement_partition(month) FROM (SELECT DISTINCT"
        " date_trunc('month', recorded_at AT TIME ZONE 'UTC')::date AS month FROM movement_before"
        " UNION SELECT date_trunc('month', (now() + n * interval '1 month') AT TIME ZONE 'UTC')"
        "::date FROM generate_series(0, 1) AS n) AS months"
    )
    op.execute(
        "INSERT INTO movement SELECT fact_id, revision, recorded_at, occurred_at, sku_id,"
        " location_id, on_hand_delta, reserved_delta, line, kind, coalesce(reason, '')"
        " FROM movement_before ORDER BY fact_id, line"
    )


def _append_only(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    if table == "movement":
        op.execute(
            "CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON movement"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _warehouse() -> None:
    op.create_table(
        "kit_part",
        sa.Column("kit_id", sa.Integer(), nullable=False),
        sa.Column("part_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("kit_id <> part_id", name=op.f("ck_kit_part_itself")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_kit_part_quantity")),
        sa.ForeignKeyConstraint(["kit_id"], ["sku.id"], name=op.f("fk_kit_part_kit_id")),
        sa.ForeignKeyConstraint(["part_id"], ["sku.id"], name=op.f("fk_kit_part_part_id")),
        sa.PrimaryKeyConstraint("kit_id", "part_id", name=op.f("pk_kit_part")),
    )
    op.create_index(op.f("ix_kit_part_part_id"), "kit_part", ["part_id"])
    op.create_table(
        "reservation",
        sa.Column("fact_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("parts", ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_reservation")),
    )
    op.create_index(
        "ix_reservation_expiring",
        "reservation",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    _transfer()
    _supply()
    _count()
    op.create_table(
        "checkpoint",
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), nullable=False),
        sa.Column("proven_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_checkpoint_sku_id")),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_checkpoint_location_id")
        ),
        sa.PrimaryKeyConstraint("sku_id", "location_id", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "seal",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("movements", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_seal")),
    )


def _transfer() -> None:
    op.create_table(
        "transfer",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("transfer_ref", sa.Text(), nullable=False),
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("from_location_id", sa.Integer(), nullable=False),
        sa.Column("to_location_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("arrived", sa.Integer(), server_default="0", nullable=False),
        sa.Column("missing", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sent_at", TIME, nullable=False),
        sa.CheckConstraint("arrived + missing <= quantity", name=op.f("ck_transfer_units")),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_transfer_sku_id")),
        sa.ForeignKeyConstraint(
            ["from_location_id"], ["location.id"], name=op.f("fk_transfer_from_location_id")
        ),
        sa.ForeignKeyConstraint(
            ["to_location_id"], ["location.id"], name=op.f("fk_transfer_to_location_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer")),
        sa.UniqueConstraint("transfer_ref", name=op.f("uq_transfer_transfer_ref")),
    )
    op.create_index(
        "ix_transfer_open",
        "transfer",
        ["id"],
        postgresql_where=sa.text("arrived + missing < quantity"),
    )


def _supply() -> None:
    op.create_table(
        "inbound_supply",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("supply_ref", sa.Text(), nullable=False),
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("ended", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_inbound_supply_sku_id")),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_inbound_supply_location_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_supply")),
        sa.UniqueConstraint("supply_ref", name=op.f("uq_inbound_supply_supply_ref")),
    )
    op.create_index(
        "ix_inbound_supply_open",
        "inbound_supply",
        ["sku_id"],
        postgresql_where=sa.text("NOT ended AND received < expected"),
    )


def _count() -> None:
    op.create_table(
        "stock_count",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("count_ref", sa.Text(), nullable=False),
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("difference", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("counted_at", TIME, nullable=False),
        sa.CheckConstraint(
            "state IN ('applied', 'recount', 'superseded')", name=op.f("ck_stock_count_state")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_stock_count_sku_id")),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_stock_count_location_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_count")),
        sa.UniqueConstraint("count_ref", name=op.f("uq_stock_count_count_ref")),
    )
