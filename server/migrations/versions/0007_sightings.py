"""Who was seen when, what is told of it, and to whom."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "seen",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("person_id", sa.String(32), sa.ForeignKey("person.id", ondelete="CASCADE"), index=True),
        sa.Column("room", sa.String(40)),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("began", TIME, nullable=False, index=True),
        sa.Column("ended", TIME, nullable=False, index=True),
        sa.Column("probability", sa.Float),
        sa.Column("crop", sa.LargeBinary),
        sa.Column("crop_quality", sa.Float, nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sighting", sa.String(32), nullable=False, index=True),
        sa.Column("person_id", sa.String(32), sa.ForeignKey("person.id", ondelete="CASCADE"), index=True),
        sa.Column("room", sa.String(40)),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("began", TIME, nullable=False),
        sa.Column("at", TIME, nullable=False, index=True),
        sa.Column("probability", sa.Float),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("secret", sa.String(80), nullable=False),
        sa.Column("kinds", sa.JSON, nullable=False),
        sa.Column("room", sa.String(40)),
        sa.Column("created", TIME, nullable=False),
        sa.Column("delivered", sa.Integer, nullable=False),
        sa.Column("last", TIME),
        sa.Column("words", sa.String(200), nullable=False),
    )
    op.create_table(
        "delivery",
        sa.Column("webhook_id", sa.String(32), sa.ForeignKey("webhook.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("event_number", sa.Integer, sa.ForeignKey("event.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", TIME, nullable=False, index=True),
        sa.Column("dead", sa.Boolean, nullable=False),
        sa.Column("words", sa.String(200), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("delivery", "webhook", "event", "seen"):
        op.drop_table(table)
