"""A case remembers what its orders were chosen from: it is chosen anew when that changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Cases that are open have their proposals weighed once more."""
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.add_column("oversell", sa.Column("weighed_of", sa.Text(), nullable=True))


def downgrade() -> None:
    """Nothing is lost but the memory."""
    op.drop_column("oversell", "weighed_of")
