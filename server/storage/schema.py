"""The tables; server/migrations says how they came to be."""

from __future__ import annotations

import sqlalchemy as sa

from server.storage.names import MAX_NAME

METADATA = sa.MetaData()
PERSON = sa.Table(
    "person",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(MAX_NAME), nullable=False),
    sa.Column("name_key", sa.String(4 * MAX_NAME), nullable=False, unique=True),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False),
)
SAMPLE = sa.Table(
    "sample",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("person_id", sa.String(32), sa.ForeignKey("person.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("pack_digest", sa.String(64), nullable=False),
    sa.Column("embedding", sa.LargeBinary, nullable=False),
    sa.Column("quality", sa.Float, nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False),
)
