"""Rooms that somebody opened, and invitations to them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "room",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("opened", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("room", sa.String(40), nullable=False, index=True),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("label", sa.String(80)),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("invitation")
    op.drop_table("room")
