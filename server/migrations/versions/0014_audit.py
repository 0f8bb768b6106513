"""The audit log, which nothing but its own pruning may change, and what forgetting leaves: intentions and receipts."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TRIGGERS = {
    "audit_is_not_changed": "BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is not changed'); END",
    # The oldest may go once a signed mark stands in their place.
    "audit_is_not_removed": "BEFORE DELETE ON audit WHEN OLD.number > "
    "COALESCE((SELECT number FROM audit_mark WHERE kind = 'floor'), 0) "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is not removed'); END",
    "audit_mark_only_rises": "BEFORE UPDATE ON audit_mark WHEN NEW.number < OLD.number OR NEW.kind <> OLD.kind "
    "BEGIN SELECT RAISE(ABORT, 'a mark of the audit log only rises'); END",
    "audit_mark_is_not_removed": "BEFORE DELETE ON audit_mark "
    "BEGIN SELECT RAISE(ABORT, 'a mark of the audit log is not removed'); END",
}


def upgrade() -> None:
    """Make the tables and what guards them."""
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False, index=True),
        sa.Column("room", sa.String(40), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("detail", sa.String(24), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_mark",
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
    )
    op.create_table(
        "forgetting",
        sa.Column("person_id", sa.String(32), primary_key=True),
        sa.Column("asked", sa.String(32), nullable=False),
        sa.Column("by", sa.String(80), nullable=False),
        sa.Column("reason", sa.String(24), nullable=False),
        sa.Column("films", sa.Boolean, nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("erased", sa.JSON, nullable=False),
        sa.Column("keys", sa.JSON),
        sa.Column("remains", sa.JSON, nullable=False),
    )
    op.create_table(
        "receipt",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("at", sa.String(32), nullable=False, index=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    for name, what in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {what}")


def downgrade() -> None:
    """Drop them."""
    for name in TRIGGERS:
        op.execute(f"DROP TRIGGER {name}")
    for table in ("receipt", "forgetting", "audit_mark", "audit"):
        op.drop_table(table)
