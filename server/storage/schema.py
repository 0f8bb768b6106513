"""The tables; server/migrations says how they came to be. What is "sealed" lies in them as server/storage/sealing.py
says, and can be read with the keyring alone."""

from __future__ import annotations

import sqlalchemy as sa

from server.storage.names import MAX_NAME, MAX_ROOM

METADATA = sa.MetaData()
TIME = sa.DateTime(timezone=True)  # UTC; SQLite drops the zone


def _person_id() -> sa.Column[str]:
    return sa.Column(
        "person_id", sa.String(32), sa.ForeignKey("person.id", ondelete="CASCADE"), nullable=False, index=True
    )


PERSON = sa.Table(
    "person",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.LargeBinary, nullable=False),  # sealed
    sa.Column("name_key", sa.String(4 * MAX_NAME), nullable=False, unique=True),  # sealing.blind_name
    sa.Column("created", TIME, nullable=False),
    sa.Column("room", sa.String(MAX_ROOM)),  # NULL: everyone's
    sa.Column("deleted", TIME),  # removed, and not yet erased: until then it can be undone
)
SAMPLE = sa.Table(
    "sample",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    _person_id(),
    sa.Column("pack_digest", sa.String(64), nullable=False),
    sa.Column("embedding", sa.LargeBinary, nullable=False),  # little-endian float32, sealed
    sa.Column("quality", sa.Float, nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("created", TIME, nullable=False),
    sa.Column("yaw", sa.Float),
    sa.Column("pitch", sa.Float),
    sa.Column("size", sa.Float),  # width of the face, pixels
    sa.Column("crop", sa.LargeBinary),  # JPEG, sealed
    sa.Column("crop_landmarks", sa.LargeBinary),  # little-endian float32 (5, 2), pixels of the crop; sealed
    sa.Column("content", sa.LargeBinary),  # SHA-256 of the photo it came from, sealed
    sa.Column("content_key", sa.String(64), index=True),  # what it is found by: sealing.blind_contents
    sa.Column("challenge", sa.String(8)),  # 'passed': movements were asked for while it was taken, and made
    sa.Column("deleted", TIME),
)
NEGATIVE = sa.Table(
    "negative",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    _person_id(),
    sa.Column("pack_digest", sa.String(64), nullable=False),
    sa.Column("embedding", sa.LargeBinary, nullable=False),  # sealed
    sa.Column("created", TIME, nullable=False),
    sa.Column("deleted", TIME),
)
OTHER = sa.Table(
    "other_embedding",
    METADATA,
    sa.Column("sample_id", sa.String(32), sa.ForeignKey("sample.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("pack_digest", sa.String(64), primary_key=True),
    sa.Column("embedding", sa.LargeBinary, nullable=False),  # little-endian float32, sealed with the sample's key
)
CHANGE = sa.Table(
    "change",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("words", sa.LargeBinary, nullable=False),  # sealed, with the keys of all whose names are in them
    sa.Column("at", TIME, nullable=False),
    sa.Column("until", TIME, nullable=False),
    sa.Column("undone", TIME),
)
CHANGE_ROW = sa.Table(
    "change_row",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("change_id", sa.String(32), sa.ForeignKey("change.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("table", sa.String(16), nullable=False),
    sa.Column("row", sa.String(32), nullable=False, index=True),
    sa.Column("before", sa.JSON, nullable=False),
    sa.Column("after", sa.JSON, nullable=False),
)
GALLERY_SETTING = sa.Table(
    "gallery_setting",
    METADATA,
    sa.Column("room", sa.String(MAX_ROOM), primary_key=True),  # empty: everyone's gallery
    sa.Column("one_in", sa.Float, nullable=False),  # one wrong name in so many strangers
)
SEEN = sa.Table(
    "seen",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("person_id", sa.String(32), sa.ForeignKey("person.id", ondelete="CASCADE"), index=True),  # NULL: unknown
    sa.Column("room", sa.String(MAX_ROOM)),
    sa.Column("session", sa.String(64), nullable=False),
    sa.Column("began", TIME, nullable=False, index=True),
    sa.Column("ended", TIME, nullable=False, index=True),
    sa.Column("probability", sa.Float),  # the highest while it lasted
    sa.Column("crop", sa.LargeBinary),  # JPEG, sealed
    sa.Column("crop_quality", sa.Float, nullable=False),
)
VAULT = sa.Table(
    "vault_state",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),  # 1: there is one row
    sa.Column("index_key", sa.LargeBinary, nullable=False),  # id of the key that names and photos are found by
    sa.Column("common_key", sa.LargeBinary, nullable=False),  # … that seals what is about nobody in particular
    sa.Column("mark", sa.LargeBinary),  # of the last change that the keyring heard of
    sa.Column("dirty", sa.Boolean, nullable=False),  # something was erased that may still stand in free pages
)
