"""A store as version 0009 made it, before anything was sealed: its schema and a few people in it, in plain SQL."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

from tests.server.test_storage import DIGEST, OTHER, embedding

WHEN = "2026-11-20 03:04:05.000000"
NAMES = {"a": "Augusta Ada King", "b": "Robert Byron", "c": 'Grace "Amazing" Hopper Ω'}
PHOTO = "c" * 64
JPEG = b"\xff\xd8 the only picture of a face \xff\xd9"
LANDMARKS = embedding(77, 10).tobytes()
SECRETS = (
    b"https://hooks.example.org/T000/secret-path",
    b"whsec_0123456789abcdef",
    b"rtsp://viewer:opensesame@192.0.2.7/live",
)
SEEDS = (1, 2, 3, 4, 5, 6, 20, 30, 31)


def make_old_store(path: Path) -> None:
    """Ada with two samples (one of a photo, one embedded by another pack too) and a mark, Robert who was renamed,
    Grace who was removed, a stranger, sightings, a change, a webhook and a camera."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMA)
        database.execute("INSERT INTO alembic_version VALUES ('0009')")
        keys = {"a": "augusta ada king", "b": "robert byron", "c": 'grace "amazing" hopper ω\x1f\x1fc'}
        people = [(id, name, keys[id], WHEN, None, WHEN if id == "c" else None) for id, name in NAMES.items()]
        database.executemany(
            "INSERT INTO person (id, name, name_key, created, room, deleted) VALUES (?,?,?,?,?,?)", people
        )
        samples = [
            ("a1", "a", 1, JPEG, LANDMARKS, PHOTO, None),
            ("a2", "a", 2, None, None, None, None),
            ("b1", "b", 3, None, None, None, None),
            ("c1", "c", 4, None, None, None, WHEN),
        ]
        database.executemany(
            "INSERT INTO sample (id, person_id, pack_digest, embedding, quality, source, created, crop, "
            "crop_landmarks, content, deleted) VALUES (?, ?, ?, ?, 0.8, 'photo', ?, ?, ?, ?, ?)",
            [(id, who, DIGEST, embedding(seed).tobytes(), WHEN, *rest) for id, who, seed, *rest in samples],
        )
        database.execute("INSERT INTO other_embedding VALUES ('a1', ?, ?)", [OTHER, embedding(5, 512).tobytes()])
        row = ["n1", "a", DIGEST, embedding(6).tobytes(), WHEN, None]
        database.execute("INSERT INTO negative VALUES (?, ?, ?, ?, ?, ?)", row)
        database.executemany(
            'INSERT INTO change (id, kind, words, at, "until", undone) VALUES (?, ?, ?, ?, ?, NULL)',
            [
                ("x1", "rename", "Bob renamed to Robert Byron", WHEN, "2099-01-01 00:00:00"),
                ("x2", "remove_person", f"{NAMES['c']} removed", WHEN, "2099-01-01 00:00:00"),
                ("x3", "enrol", "4 pictures of 3 people added", WHEN, "2099-01-01 00:00:00"),
            ],
        )
        notes = [
            ("x1", "person", "b", {"name": "Bob", "name_key": "bob"}, {"name": NAMES["b"], "name_key": keys["b"]}),
            (
                "x2", "person", "c",
                {"deleted": None, "name_key": 'grace "amazing" hopper ω'},
                {"deleted": WHEN.replace(" ", "T")[:19], "name_key": keys["c"]},
            ),
            *[("x3", "person", id, {"deleted": WHEN}, {"deleted": None}) for id in "abc"],
        ]  # fmt: skip
        database.executemany(
            'INSERT INTO change_row (change_id, "table", "row", before, after) VALUES (?, ?, ?, ?, ?)',
            [(*note[:3], json.dumps(note[3]), json.dumps(note[4])) for note in notes],
        )
        for id, person in (("s1", "a"), ("s2", None)):
            row = [id, person, None, "session", WHEN, WHEN, 0.9, JPEG, 0.5]
            database.execute("INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        stranger = [
            "t1",
            None,
            DIGEST,
            2,
            WHEN,
            "2098-01-01 00:00:00",
            embedding(20).tobytes() + embedding(30).tobytes(),
        ]
        stranger += [embedding(31, 2).tobytes(), JPEG, LANDMARKS, 0.5]
        database.execute("INSERT INTO stranger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", stranger)
        hook = ["w1", SECRETS[0].decode(), SECRETS[1].decode(), '["named"]', None, WHEN, 0, None, ""]
        database.execute("INSERT INTO webhook VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", hook)
        database.execute("INSERT INTO source VALUES ('q1', 'hall', 'Door', ?, ?)", [SECRETS[2].decode(), WHEN])
        database.commit()


SCHEMA = """
CREATE TABLE alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE person (
  id VARCHAR(32) NOT NULL,
  name VARCHAR(80) NOT NULL,
  name_key VARCHAR(320) NOT NULL,
  created DATETIME NOT NULL, room VARCHAR(40), deleted DATETIME,
  PRIMARY KEY (id),
  UNIQUE (name_key)
);
CREATE TABLE sample (
  id VARCHAR(32) NOT NULL,
  person_id VARCHAR(32) NOT NULL,
  pack_digest VARCHAR(64) NOT NULL,
  embedding BLOB NOT NULL,
  quality FLOAT NOT NULL,
  source VARCHAR(16) NOT NULL,
  created DATETIME NOT NULL, yaw FLOAT, pitch FLOAT, size FLOAT, crop BLOB, crop_landmarks BLOB, content VARCHAR(64),
  deleted DATETIME,
  PRIMARY KEY (id),
  FOREIGN KEY(person_id) REFERENCES person (id) ON DELETE CASCADE
);
CREATE INDEX ix_sample_person_id ON sample (person_id);
CREATE INDEX ix_sample_content ON sample (content);
CREATE TABLE negative (
  id VARCHAR(32) NOT NULL,
  person_id VARCHAR(32) NOT NULL,
  pack_digest VARCHAR(64) NOT NULL,
  embedding BLOB NOT NULL,
  created DATETIME NOT NULL,
  deleted DATETIME,
  PRIMARY KEY (id),
  FOREIGN KEY(person_id) REFERENCES person (id) ON DELETE CASCADE
);
CREATE INDEX ix_negative_person_id ON negative (person_id);
CREATE TABLE change (
  id VARCHAR(32) NOT NULL,
  kind VARCHAR(24) NOT NULL,
  words VARCHAR(400) NOT NULL,
  at DATETIME NOT NULL,
  until DATETIME NOT NULL,
  undone DATETIME,
  PRIMARY KEY (id)
);
CREATE TABLE change_row (
  number INTEGER NOT NULL,
  change_id VARCHAR(32) NOT NULL,
  "table" VARCHAR(16) NOT NULL,
  "row" VARCHAR(32) NOT NULL,
  "before" JSON NOT NULL,
  "after" JSON NOT NULL,
  PRIMARY KEY (number),
  FOREIGN KEY(change_id) REFERENCES change (id) ON DELETE CASCADE
);
CREATE INDEX ix_change_row_change_id ON change_row (change_id);
CREATE INDEX ix_change_row_row ON change_row ("row");
CREATE TABLE gallery_setting (
  room VARCHAR(40) NOT NULL,
  one_in FLOAT NOT NULL,
  PRIMARY KEY (room)
);
CREATE TABLE stranger (
  id VARCHAR(32) NOT NULL,
  room VARCHAR(40),
  pack_digest VARCHAR(64) NOT NULL,
  seen INTEGER NOT NULL,
  first DATETIME NOT NULL,
  last DATETIME NOT NULL,
  embeddings BLOB NOT NULL,
  qualities BLOB NOT NULL,
  crop BLOB,
  crop_landmarks BLOB,
  crop_quality FLOAT NOT NULL,
  PRIMARY KEY (id)
);
CREATE INDEX ix_stranger_last ON stranger (last);
CREATE TABLE sighting (
  id VARCHAR(32) NOT NULL,
  stranger_id VARCHAR(32),
  person_id VARCHAR(32),
  session VARCHAR(64) NOT NULL,
  began DATETIME NOT NULL,
  ended DATETIME NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(stranger_id) REFERENCES stranger (id) ON DELETE CASCADE,
  FOREIGN KEY(person_id) REFERENCES person (id) ON DELETE CASCADE
);
CREATE INDEX ix_sighting_person_id ON sighting (person_id);
CREATE INDEX ix_sighting_stranger_id ON sighting (stranger_id);
CREATE TABLE other_embedding (
  sample_id VARCHAR(32) NOT NULL,
  pack_digest VARCHAR(64) NOT NULL,
  embedding BLOB NOT NULL,
  PRIMARY KEY (sample_id, pack_digest),
  FOREIGN KEY(sample_id) REFERENCES sample (id) ON DELETE CASCADE
);
CREATE TABLE pack_choice (
  id INTEGER NOT NULL,
  name VARCHAR(80),
  next VARCHAR(80),
  PRIMARY KEY (id)
);
CREATE TABLE threshold_choice (
  room VARCHAR(40) NOT NULL,
  one_in FLOAT NOT NULL,
  told FLOAT NOT NULL,
  PRIMARY KEY (room)
);
CREATE TABLE room_reading (
  room VARCHAR(40) NOT NULL,
  distance BOOLEAN NOT NULL,
  gender BOOLEAN NOT NULL,
  age BOOLEAN NOT NULL,
  PRIMARY KEY (room)
);
CREATE TABLE api_key (
  id VARCHAR(8) NOT NULL,
  name VARCHAR(80) NOT NULL,
  scopes JSON NOT NULL,
  hash VARCHAR(64) NOT NULL,
  created DATETIME NOT NULL,
  used DATETIME,
  PRIMARY KEY (id)
);
CREATE TABLE seen (
  id VARCHAR(32) NOT NULL,
  person_id VARCHAR(32),
  room VARCHAR(40),
  session VARCHAR(64) NOT NULL,
  began DATETIME NOT NULL,
  ended DATETIME NOT NULL,
  probability FLOAT,
  crop BLOB,
  crop_quality FLOAT NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(person_id) REFERENCES person (id) ON DELETE CASCADE
);
CREATE INDEX ix_seen_ended ON seen (ended);
CREATE INDEX ix_seen_began ON seen (began);
CREATE INDEX ix_seen_person_id ON seen (person_id);
CREATE TABLE event (
  number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  id VARCHAR(32) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  sighting VARCHAR(32) NOT NULL,
  person_id VARCHAR(32),
  room VARCHAR(40),
  session VARCHAR(64) NOT NULL,
  began DATETIME NOT NULL,
  at DATETIME NOT NULL,
  probability FLOAT,
  UNIQUE (id),
  FOREIGN KEY(person_id) REFERENCES person (id) ON DELETE CASCADE
);
CREATE INDEX ix_event_sighting ON event (sighting);
CREATE INDEX ix_event_person_id ON event (person_id);
CREATE INDEX ix_event_at ON event (at);
CREATE TABLE webhook (
  id VARCHAR(32) NOT NULL,
  url VARCHAR(2000) NOT NULL,
  secret VARCHAR(80) NOT NULL,
  kinds JSON NOT NULL,
  room VARCHAR(40),
  created DATETIME NOT NULL,
  delivered INTEGER NOT NULL,
  last DATETIME,
  words VARCHAR(200) NOT NULL,
  PRIMARY KEY (id)
);
CREATE TABLE delivery (
  webhook_id VARCHAR(32) NOT NULL,
  event_number INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  due DATETIME NOT NULL,
  dead BOOLEAN NOT NULL,
  words VARCHAR(200) NOT NULL,
  PRIMARY KEY (webhook_id, event_number),
  FOREIGN KEY(webhook_id) REFERENCES webhook (id) ON DELETE CASCADE,
  FOREIGN KEY(event_number) REFERENCES event (number) ON DELETE CASCADE
);
CREATE INDEX ix_delivery_due ON delivery (due);
CREATE TABLE room (
  name VARCHAR(40) NOT NULL,
  opened DATETIME NOT NULL,
  PRIMARY KEY (name)
);
CREATE TABLE invitation (
  id VARCHAR(8) NOT NULL,
  room VARCHAR(40) NOT NULL,
  role VARCHAR(8) NOT NULL,
  label VARCHAR(80),
  hash VARCHAR(64) NOT NULL,
  created DATETIME NOT NULL,
  expires DATETIME NOT NULL,
  used DATETIME,
  PRIMARY KEY (id)
);
CREATE INDEX ix_invitation_room ON invitation (room);
CREATE TABLE source (
  id VARCHAR(32) NOT NULL,
  room VARCHAR(40) NOT NULL,
  name VARCHAR(80) NOT NULL,
  url VARCHAR(2000) NOT NULL,
  created DATETIME NOT NULL,
  PRIMARY KEY (id)
);
CREATE INDEX ix_source_room ON source (room);
"""
