"""The first schema: ledger, channels, orders, desk, notices, house."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A month's partition is made ahead of time; what no partition covers lies in the default one,
# so that a late task never refuses a sale.
PARTITIONS = """
CREATE FUNCTION make_movement_partition(month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text := 'movement_' || to_char(month, 'YYYY_MM');
  first timestamptz := date_trunc('month', month)::timestamp AT TIME ZONE 'UTC';
  next timestamptz := (date_trunc('month', month) + interval '1 month')::timestamp
    AT TIME ZONE 'UTC';
BEGIN
  -- A month that has begun in the default partition stays there: history is never moved.
  IF to_regclass(name) IS NULL AND NOT EXISTS (
    SELECT FROM movement_default WHERE recorded_at >= first AND recorded_at < next
  ) THEN
    EXECUTE format(
      'CREATE TABLE %I PARTITION OF movement FOR VALUES FROM (%L) TO (%L)', name, first, next
    );
    EXECUTE format(
      'CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I'
      ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name
    );
  END IF;
END $$
"""

APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END $$
"""


def upgrade() -> None:
    """Make all tables; movements and facts can be added to and never changed."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    _tables()
    op.execute(APPEND_ONLY)
    op.execute(PARTITIONS)
    for table in ("fact", "movement"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute("CREATE TABLE movement_default PARTITION OF movement DEFAULT")
    op.execute(
        "CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON movement_default"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute("SELECT make_movement_partition((now() AT TIME ZONE 'UTC')::date)")
    op.execute(
        "SELECT make_movement_partition(((now() AT TIME ZONE 'UTC') + interval '1 month')::date)"
    )
    op.execute("INSERT INTO location (code) VALUES ('main')")
    op.execute(
        "INSERT INTO channel (id, code, kind) OVERRIDING SYSTEM VALUE VALUES (0, 'house', 'house')"
    )


def _tables() -> None:  # noqa: PLR0915 -- one statement a table, in the order of their keys
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("done_by", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), server_default="", nullable=False),
        sa.Column("settings", JSONB(), server_default="{}", nullable=False),
        sa.Column("credentials", sa.LargeBinary(), nullable=True),
        sa.Column("frozen", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("relative", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("location_ids", ARRAY(sa.Integer()), nullable=True),
        sa.Column("safety_stock", sa.Integer(), server_default="0", nullable=False),
        sa.Column("safety_percent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quantity_max", sa.Integer(), nullable=True),
        sa.Column("quantity_floor", sa.Integer(), server_default="0", nullable=False),
        sa.Column("desk_policy", sa.Text(), server_default="review", nullable=False),
        sa.Column("metrics", JSONB(), server_default="{}", nullable=False),
        sa.Column("cursor", JSONB(), server_default="{}", nullable=False),
        sa.Column("watermark", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pulled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pull_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pull_may_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column(
            "connected_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "desk_policy IN ('review', 'auto')", name=op.f("ck_channel_desk_policy")
        ),
        sa.CheckConstraint(
            "safety_percent BETWEEN 0 AND 100", name=op.f("ck_channel_safety_percent")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
        sa.UniqueConstraint("code", name=op.f("uq_channel_code")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "location",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("sellable", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_location")),
        sa.UniqueConstraint("code", name=op.f("uq_location_code")),
    )
    op.create_table(
        "movement",
        sa.Column("fact_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.SmallInteger(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("on_hand_delta", sa.Integer(), nullable=False),
        sa.Column("reserved_delta", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "fact_id", "line", "location_id", "kind", "recorded_at", name=op.f("pk_movement")
        ),
        postgresql_partition_by="RANGE (recorded_at)",
    )
    op.create_index(
        op.f("ix_movement_sku_id_location_id_revision"),
        "movement",
        ["sku_id", "location_id", "revision"],
        unique=False,
    )
    op.create_table(
        "sku",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("safety_stock", sa.Integer(), server_default="0", nullable=False),
        sa.Column("safety_percent", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("safety_percent BETWEEN 0 AND 100", name=op.f("ck_sku_safety_percent")),
        sa.CheckConstraint("safety_stock >= 0", name=op.f("ck_sku_safety_stock")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sku")),
        sa.UniqueConstraint("code", name=op.f("uq_sku_code")),
    )
    op.create_table(
        "switch",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", JSONB(), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switch")),
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("events", ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    op.create_table(
        "alert_rule",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("sku_id", sa.Integer(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_alert_rule_sku_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rule")),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text()), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_api_key_channel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_key_key_hash")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("endpoint_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_failure", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'parked')", name=op.f("ck_delivery_state")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_delivery_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint(
            "endpoint_id", "message_id", name=op.f("uq_delivery_endpoint_id_message_id")
        ),
    )
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["endpoint_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_delivery_leased",
        "delivery",
        ["endpoint_id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND leased_until IS NOT NULL"),
    )
    op.create_index(
        "uq_delivery_topic",
        "delivery",
        ["endpoint_id", "topic"],
        unique=True,
        postgresql_where=sa.text("state = 'pending' AND topic IS NOT NULL"),
    )
    op.create_table(
        "fact",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("fact_ref", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", JSONB(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_fact_channel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fact")),
        sa.UniqueConstraint("channel_id", "fact_ref", name=op.f("uq_fact_channel_id_fact_ref")),
    )
    op.create_table(
        "inbound_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), server_default="new", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome", JSONB(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('new', 'handled', 'parked', 'conflict')", name=op.f("ck_inbound_event_state")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_inbound_event_channel_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_event")),
        sa.UniqueConstraint(
            "channel_id",
            "event_id",
            "content_hash",
            name=op.f("uq_inbound_event_channel_id_event_id_content_hash"),
        ),
    )
    op.create_index(
        op.f("ix_inbound_event_channel_id_subject_id"),
        "inbound_event",
        ["channel_id", "subject", "id"],
        unique=False,
    )
    op.create_index(
        "uq_inbound_event_name",
        "inbound_event",
        ["channel_id", "event_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'conflict'"),
    )
    op.create_index(
        "ix_inbound_event_open",
        "inbound_event",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state <> 'handled'"),
    )
    op.create_table(
        "listing",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("channel_sku", sa.Text(), nullable=False),
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("safety_stock", sa.Integer(), nullable=True),
        sa.Column("safety_percent", sa.Integer(), nullable=True),
        sa.Column("quantity_max", sa.Integer(), nullable=True),
        sa.Column("quantity_floor", sa.Integer(), nullable=True),
        sa.Column("closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "closed_by_channel", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column(
            "fulfilled_by_channel", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("quantity_wanted", sa.Integer(), nullable=True),
        sa.Column("lane", sa.Text(), nullable=True),
        sa.Column("revision_wanted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("revision_published", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raise_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quantity_published", sa.Integer(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quantity_known", sa.Integer(), nullable=True),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("push_id", sa.BigInteger(), nullable=True),
        sa.Column("zero_push_id", sa.BigInteger(), nullable=True),
        sa.Column("read_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reassess_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_listing_channel_id")),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_listing_sku_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing")),
        sa.UniqueConstraint(
            "channel_id", "channel_sku", name=op.f("uq_listing_channel_id_channel_sku")
        ),
    )
    op.create_index(op.f("ix_listing_sku_id"), "listing", ["sku_id"], unique=False)
    op.create_index(
        "ix_listing_stale",
        "listing",
        ["channel_id"],
        unique=False,
        postgresql_where=sa.text("revision_published < revision_wanted"),
    )
    op.create_table(
        "oversell",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("shortage", sa.Integer(), nullable=False),
        sa.Column("shortage_max", sa.Integer(), nullable=False),
        sa.Column("cause_fact_id", sa.Integer(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_oversell_state")),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_oversell_sku_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oversell")),
    )
    op.create_index(
        "uq_oversell_open",
        "oversell",
        ["sku_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "push",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_push_channel_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push")),
    )
    op.create_index(
        op.f("ix_push_channel_id_sent_at"), "push", ["channel_id", "sent_at"], unique=False
    )
    op.create_table(
        "sales_order",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("order_ref", sa.Text(), nullable=False),
        sa.Column("reservation", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("hint", sa.Text(), server_default="", nullable=False),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cancelled_by", sa.Text(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "buyer_asked_to_cancel", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("cancellable", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "fulfilled_by_channel", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("ship_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shipped", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_sales_order_channel_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales_order")),
        sa.UniqueConstraint(
            "channel_id", "order_ref", name=op.f("uq_sales_order_channel_id_order_ref")
        ),
    )
    op.create_index(
        op.f("ix_sales_order_channel_id_ordered_at"),
        "sales_order",
        ["channel_id", "ordered_at"],
        unique=False,
    )
    op.create_index(
        "ix_sales_order_expiring",
        "sales_order",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("reservation AND NOT cancelled"),
    )
    op.create_index(
        "ix_sales_order_cancelled",
        "sales_order",
        ["id"],
        unique=False,
        postgresql_where=sa.text("cancelled"),
    )
    op.create_table(
        "stale_sku",
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column(
            "mark",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_stale_sku_sku_id")),
        sa.PrimaryKeyConstraint("sku_id", name=op.f("pk_stale_sku")),
    )
    op.create_table(
        "stock_level",
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("on_hand", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reserved", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_stock_level_location_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_stock_level_sku_id")),
        sa.PrimaryKeyConstraint("sku_id", "location_id", name=op.f("pk_stock_level")),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_alert_state")),
        sa.ForeignKeyConstraint(["rule_id"], ["alert_rule.id"], name=op.f("fk_alert_rule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index(
        "uq_alert_open",
        "alert",
        ["kind", "subject", sa.literal_column("coalesce(rule_id, 0)")],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "cancellation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("oversell_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("metric_before", JSONB(), nullable=True),
        sa.Column("metric_after", JSONB(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'refused', 'submitted', 'confirmed', 'failed',"
            " 'observed')",
            name=op.f("ck_cancellation_state"),
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_cancellation_channel_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_cancellation_order_id")
        ),
        sa.ForeignKeyConstraint(
            ["oversell_id"], ["oversell.id"], name=op.f("fk_cancellation_oversell_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cancellation")),
        sa.UniqueConstraint("order_id", name=op.f("uq_cancellation_order_id")),
    )
    op.create_index(
        "ix_cancellation_due",
        "cancellation",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('approved', 'submitted')"),
    )
    op.create_index(
        op.f("ix_cancellation_oversell_id"), "cancellation", ["oversell_id"], unique=False
    )
    op.create_index(
        "ix_cancellation_open",
        "cancellation",
        ["order_id"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('confirmed', 'observed')"),
    )
    op.create_table(
        "order_line",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_ref", sa.Text(), nullable=False),
        sa.Column("sku_id", sa.Integer(), nullable=True),
        sa.Column("listing_id", sa.Integer(), nullable=True),
        sa.Column("ordered", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("shipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unit_price", sa.Integer(), nullable=True),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listing.id"], name=op.f("fk_order_line_listing_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_order_line_order_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_order_line_sku_id")),
        sa.PrimaryKeyConstraint("order_id", "line_ref", name=op.f("pk_order_line")),
    )
    op.create_index(
        op.f("ix_order_line_listing_id_ordered_at"),
        "order_line",
        ["listing_id", "ordered_at"],
        unique=False,
    )
    op.create_index(op.f("ix_order_line_sku_id"), "order_line", ["sku_id"], unique=False)
    op.create_table(
        "order_part",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line_ref", sa.Text(), nullable=False),
        sa.Column("sku_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), server_default="0", nullable=False),
        sa.Column("shipped", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_order_part_location_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["sales_order.id"], name=op.f("fk_order_part_order_id")
        ),
        sa.ForeignKeyConstraint(["sku_id"], ["sku.id"], name=op.f("fk_order_part_sku_id")),
        sa.PrimaryKeyConstraint(
            "order_id", "line_ref", "sku_id", "location_id", name=op.f("pk_order_part")
        ),
    )
    op.create_index(
        "ix_order_part_reserved",
        "order_part",
        ["sku_id"],
        unique=False,
        postgresql_where=sa.text("reserved > 0"),
    )
    op.create_table(
        "oversell_step",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("oversell_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("done_by", sa.Text(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["oversell_id"], ["oversell.id"], name=op.f("fk_oversell_step_oversell_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oversell_step")),
    )
    op.create_index(
        op.f("ix_oversell_step_oversell_id"), "oversell_step", ["oversell_id"], unique=False
    )
    op.create_table(
        "push_row",
        sa.Column("push_id", sa.BigInteger(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("change", sa.Integer(), nullable=True),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("stock_revision", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watermark", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_low", sa.Integer(), nullable=True),
        sa.Column("unseen", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), server_default="sent", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["listing_id"], ["listing.id"], name=op.f("fk_push_row_listing_id")
        ),
        sa.ForeignKeyConstraint(["push_id"], ["push.id"], name=op.f("fk_push_row_push_id")),
        sa.PrimaryKeyConstraint("push_id", "listing_id", name=op.f("pk_push_row")),
    )
    op.create_index(
        op.f("ix_push_row_listing_id_push_id"), "push_row", ["listing_id", "push_id"], unique=False
    )
    op.create_table(
        "reading",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("expected_low", sa.Integer(), nullable=True),
        sa.Column("expected_high", sa.Integer(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_reading_listing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading")),
    )
    op.create_index(
        op.f("ix_reading_listing_id_read_at"), "reading", ["listing_id", "read_at"], unique=False
    )
    op.create_table(
        "penalty_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("cancellation_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("order_ref", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("counts_against_metric", sa.Text(), nullable=False),
        sa.Column("weighs", sa.Boolean(), nullable=False),
        sa.Column("metric_before", JSONB(), nullable=False),
        sa.Column("metric_after", JSONB(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "counts_against_metric IN ('yes', 'no', 'unconfirmed')",
            name=op.f("ck_penalty_entry_counts"),
        ),
        sa.ForeignKeyConstraint(
            ["cancellation_id"], ["cancellation.id"], name=op.f("fk_penalty_entry_cancellation_id")
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name=op.f("fk_penalty_entry_channel_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_penalty_entry")),
        sa.UniqueConstraint("cancellation_id", name=op.f("uq_penalty_entry_cancellation_id")),
    )
    op.create_index(
        op.f("ix_penalty_entry_channel_id_recorded_at"),
        "penalty_entry",
        ["channel_id", "recorded_at"],
        unique=False,
    )
