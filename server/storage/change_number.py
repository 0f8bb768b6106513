"""The number of the newest change, which every writing transaction raises where several nodes have the store: SQLite
counts by itself."""

from __future__ import annotations

import sqlalchemy as sa

from server.storage.schema import METADATA

CHANNEL = "visavis"
"""What changes are told on (``NOTIFY``)."""
STORE_CHANGE = sa.Table(
    "store_change",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),  # 1: there is one row
    sa.Column("number", sa.BigInteger, nullable=False),
)
