"""What is read and shown of faces in each room."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "room_reading",
        sa.Column("room", sa.String(40), primary_key=True),
        sa.Column("distance", sa.Boolean, nullable=False),
        sa.Column("gender", sa.Boolean, nullable=False),
        sa.Column("age", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("room_reading")
