"""Strangers and where they were seen; embeddings under other packs, and the change from one pack to another."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "stranger",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("room", sa.String(40)),
        sa.Column("pack_digest", sa.String(64), nullable=False),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.Column("first", TIME, nullable=False),
        sa.Column("last", TIME, nullable=False, index=True),
        sa.Column("embeddings", sa.LargeBinary, nullable=False),
        sa.Column("qualities", sa.LargeBinary, nullable=False),
        sa.Column("crop", sa.LargeBinary),
        sa.Column("crop_landmarks", sa.LargeBinary),
        sa.Column("crop_quality", sa.Float, nullable=False),
    )
    op.create_table(
        "sighting",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("stranger_id", sa.String(32), sa.ForeignKey("stranger.id", ondelete="CASCADE"), index=True),
        sa.Column("person_id", sa.String(32), sa.ForeignKey("person.id", ondelete="CASCADE"), index=True),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("began", TIME, nullable=False),
        sa.Column("ended", TIME, nullable=False),
    )
    op.create_table(
        "other_embedding",
        sa.Column("sample_id", sa.String(32), sa.ForeignKey("sample.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("pack_digest", sa.String(64), primary_key=True),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "pack_choice",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(80)),
        sa.Column("next", sa.String(80)),
    )
    op.create_table(
        "threshold_choice",
        sa.Column("room", sa.String(40), primary_key=True),
        sa.Column("one_in", sa.Float, nullable=False),
        sa.Column("told", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Drop them; embeddings of packs not in use go with them."""
    for table in ("threshold_choice", "pack_choice", "other_embedding", "sighting", "stranger"):
        op.drop_table(table)
