"""Why somebody may be recognised. Of those who are enrolled already nobody said it."""

from datetime import UTC, date, datetime
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and a record for everybody."""
    time = sa.DateTime(timezone=True)
    person = sa.ForeignKey("person.id", ondelete="CASCADE")
    consent = op.create_table(
        "consent",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("person_id", sa.String(32), person, nullable=False, index=True),
        sa.Column("purpose", sa.String(200), nullable=False),
        sa.Column("basis", sa.String(24), nullable=False),
        sa.Column("given", sa.Date, nullable=False),
        sa.Column("expires", time),
        sa.Column("withdrawn", time),
        sa.Column("recorded", time, nullable=False),
        sa.Column("recorded_by", sa.String(80), nullable=False),
        sqlite_autoincrement=True,
    )
    now = datetime.now(UTC)
    known = op.get_bind().execute(sa.text("SELECT id, created FROM person ORDER BY created, id")).all()
    rows = [
        {
            "id": uuid4().hex,
            "person_id": id,
            "purpose": "recognition",
            "basis": "not_recorded",
            "given": date.fromisoformat(created[:10]),
            "expires": None,
            "withdrawn": None,
            "recorded": now,
            "recorded_by": "migration",
        }
        for id, created in known
    ]
    op.bulk_insert(consent, rows)
    op.execute(
        "CREATE TRIGGER consent_stays BEFORE UPDATE ON consent "
        "BEGIN SELECT RAISE(ABORT, 'a record of consent is never changed'); END"
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("consent")
