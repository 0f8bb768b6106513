"""Samples remember that movements were asked for, and made, while they were taken."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("sample", sa.Column("challenge", sa.String(8)))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("sample", "challenge")
