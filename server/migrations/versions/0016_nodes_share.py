"""The number of the newest change, and secrets that all nodes of a server share."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    change = op.create_table(
        "store_change",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(change, [{"id": 1, "number": 0}])
    op.create_table(
        "server_secret",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop them; nodes then share nothing."""
    op.drop_table("server_secret")
    op.drop_table("store_change")
