"""Rooms that blur whoever has not consented."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "room_consent_mode",
        sa.Column("room", sa.String(40), primary_key=True),
        sa.Column("on", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("room_consent_mode")
