"""Accounts, their passkeys and sessions, links that work once; invitations are signed, and may be for no room."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables. Invitations of before were not signed: they are void."""
    op.create_table(
        "account",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("name_key", sa.String(320), nullable=False, unique=True),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("password", sa.String(300)),
        sa.Column("created", TIME, nullable=False),
        sa.Column("used", TIME),
        sa.Column("disabled", sa.Boolean, nullable=False),
    )
    op.create_table(
        "passkey",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("account", sa.String(8), sa.ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("credential", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("counter", sa.Integer, nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("used", TIME),
    )
    op.create_table(
        "account_session",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("account", sa.String(8), sa.ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("created", TIME, nullable=False),
        sa.Column("used", TIME, nullable=False),
        sa.Column("device", sa.String(80), nullable=False),
    )
    op.create_table(
        "one_time_link",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("account", sa.String(8), sa.ForeignKey("account.id", ondelete="CASCADE"), index=True),
        sa.Column("created", TIME, nullable=False),
        sa.Column("expires", TIME, nullable=False),
    )
    op.drop_table("invitation")
    op.create_table(
        "invitation",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("room", sa.String(40), index=True),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("label", sa.String(80)),
        sa.Column("created", TIME, nullable=False),
        sa.Column("expires", TIME, nullable=False),
        sa.Column("devices", sa.Integer),
        sa.Column("standing", sa.Boolean, nullable=False),
        sa.Column("used", TIME),
    )
    op.create_table(
        "invitation_device",
        sa.Column("invitation", sa.String(8), sa.ForeignKey("invitation.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("came", TIME, nullable=False),
    )


def downgrade() -> None:
    """Drop them; invitations are as they were, and none is left."""
    for name in ("invitation_device", "invitation", "one_time_link", "account_session", "passkey", "account"):
        op.drop_table(name)
    op.create_table(
        "invitation",
        sa.Column("id", sa.String(8), primary_key=True),
        sa.Column("room", sa.String(40), nullable=False, index=True),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("label", sa.String(80)),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("expires", TIME, nullable=False),
        sa.Column("used", TIME),
    )
