"""What waits to be pushed is found in the order in which it goes, however much waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAME, STALE = "ix_listing_stale", sa.text("revision_published < revision_wanted")


def upgrade() -> None:
    """Few listings are stale at a time, so the index is made at once."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.drop_index(NAME, "listing")
    never = sa.text("(quantity_published IS NULL)")
    since = sa.text("wanted_at NULLS FIRST")
    op.create_index(
        NAME, "listing", ["channel_id", "lane", never, since, "id"], postgresql_where=STALE
    )


def downgrade() -> None:
    """By channel alone, as before."""
    op.drop_index(NAME, "listing")
    op.create_index(NAME, "listing", ["channel_id"], postgresql_where=STALE)
