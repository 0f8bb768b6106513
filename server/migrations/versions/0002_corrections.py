"""Rooms, views and crops of samples, 'this is not NAME', and the journal that lets corrections be undone."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add to both tables, columns only: rows stay where they are; make the new ones."""
    op.add_column("person", sa.Column("room", sa.String(40)))
    op.add_column("person", sa.Column("deleted", TIME))
    for column in (
        sa.Column("yaw", sa.Float),
        sa.Column("pitch", sa.Float),
        sa.Column("size", sa.Float),
        sa.Column("crop", sa.LargeBinary),
        sa.Column("crop_landmarks", sa.LargeBinary),
        sa.Column("content", sa.String(64)),
        sa.Column("deleted", TIME),
    ):
        op.add_column("sample", column)
    op.create_index("ix_sample_content", "sample", ["content"])
    op.create_table(
        "negative",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "person_id", sa.String(32), sa.ForeignKey("person.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("pack_digest", sa.String(64), nullable=False),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("deleted", TIME),
    )
    op.create_table(
        "change",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("words", sa.String(400), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("undone", TIME),
    )
    op.create_table(
        "change_row",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column(
            "change_id", sa.String(32), sa.ForeignKey("change.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("table", sa.String(16), nullable=False),
        sa.Column("row", sa.String(32), nullable=False, index=True),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("after", sa.JSON, nullable=False),
    )
    op.create_table(
        "gallery_setting",
        sa.Column("room", sa.String(40), primary_key=True),
        sa.Column("one_in", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Go back; what was removed for a while is gone then."""
    for table in ("gallery_setting", "change_row", "change", "negative"):
        op.drop_table(table)
    op.execute("DELETE FROM sample WHERE deleted IS NOT NULL")
    op.execute("DELETE FROM person WHERE deleted IS NOT NULL")
    op.drop_index("ix_sample_content", "sample")
    with op.batch_alter_table("sample") as batch:
        for column in ("yaw", "pitch", "size", "crop", "crop_landmarks", "content", "deleted"):
            batch.drop_column(column)
    with op.batch_alter_table("person") as batch:
        batch.drop_column("room")
        batch.drop_column("deleted")
