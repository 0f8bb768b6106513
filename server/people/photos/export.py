"""People as files: everything kept of them in ``people.json``, their crops beside it, and back again."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from server.people.consent import clean_purpose
from server.storage import consents
from server.storage.consent_values import LAWFUL, MAX_RECORDER, Consent, NewConsent
from server.storage.consents import AS_TOLD, Recording
from server.storage.engine import writing
from server.storage.names import BadName, clean_name, clean_room
from server.storage.schema import NEGATIVE, PERSON, SAMPLE
from server.storage.sealing import (
    SEALED,
    blind_contents,
    blind_name,
    by_name,
    key_of,
    name_opener,
    opener,
    seal_row,
    vault_of,
)
from server.storage.store import PeopleStore

FORMAT, VERSION = "visavis-people", 1
FILE = "people.json"
TABLES = {"samples": SAMPLE, "negatives": NEGATIVE}
HERE = ("person_id", "deleted", "content_key")  # of this store alone
_NAME = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))


class BadExport(ValueError):
    """A ``people.json`` that cannot be read, or a folder that cannot be written; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back of one person. ``words`` says why nothing did."""

    name: str
    added: int
    words: str = ""


def export_people(store: PeopleStore, folder: Path, room: str | None = None) -> tuple[int, int]:
    """Write everybody (of a room) into a new or empty folder; returns the numbers of people and samples.

    Raises :class:`BadExport`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise BadExport(f"{folder}: the folder is not empty")
        with store.engine.connect() as connection:
            query = sa.select(PERSON).where(PERSON.c.deleted.is_(None))
            if room is not None:
                query = query.where(PERSON.c.room == room)
            name_of = name_opener(connection)
            named = [(name_of(row.name, row.id), row) for row in connection.execute(query).all()]
            named.sort(key=lambda one: (*by_name(one[0]), one[1].id))
            people = [_exported(connection, name, row, folder) for name, row in named]
        text = json.dumps({"format": FORMAT, "version": VERSION, "people": people}, ensure_ascii=False, indent=1)
        _write(folder / FILE, text.encode())
    except OSError as error:
        raise BadExport(f"{folder}: {error.strerror}") from error
    return len(people), sum(len(person["samples"]) for person in people)


def is_export(folder: Path) -> bool:
    """Whether a folder holds what :func:`export_people` writes."""
    return (folder / FILE).is_file()


def read_export(folder: Path) -> list[dict[str, Any]]:
    """The people of an exported folder, checked, as rows for :func:`restore_person`. Raises :class:`BadExport`."""
    path = folder / FILE
    try:
        whole = json.loads(path.read_text("utf-8"))
        if whole["format"] != FORMAT or whole["version"] != VERSION:
            raise BadExport(f"{path}: this was made by another version of Visavis")
        return [_checked(person, folder) for person in whole["people"]]
    except OSError as error:
        raise BadExport(f"{error.filename}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, BadName, binascii.Error, RecursionError) as error:
        if isinstance(error, BadExport):
            raise
        raise BadExport(f"{path}: the file is damaged") from error


def restore_person(
    store: PeopleStore,
    person: dict[str, Any],
    agrees: Callable[[str], bool],
    consent: NewConsent | None = None,
    how: Recording = AS_TOLD,
) -> Restored:
    """Put back what is missing of one person, in one transaction. Who else bears the name gets the samples if
    ``agrees`` (given their id) says so. ``consent`` is of whoever comes without a record. Raises
    :class:`server.storage.ConsentMissing`."""
    name, row = person["row"]["name"], dict(person["row"])
    with writing(store.engine) as connection:
        row["name_key"] = blind_name(connection, name, row["room"])
        found = connection.execute(sa.select(PERSON.c.id, PERSON.c.deleted).where(PERSON.c.id == row["id"])).first()
        kept: list[Consent] = []
        if found is not None and found.deleted is not None:  # removed, and could still be undone: now it is back
            kept = consents.history(connection, row["id"])
            vault_of(connection).destroy([key_of(connection, row["id"])])
            connection.execute(PERSON.delete().where(PERSON.c.id == row["id"]))
            found = None
        if found is None:
            same = connection.execute(sa.select(PERSON.c.id).where(PERSON.c.name_key == row["name_key"])).scalar()
            if same is None:
                key = vault_of(connection).new_key("person")
                connection.execute(PERSON.insert(), [seal_row(connection, key, PERSON, row)])
            elif agrees(same):
                row["id"] = same
            else:
                return Restored(name, 0, f"Somebody else called {name} is enrolled.")
        rows = [row["id"], *(sample["id"] for key in TABLES for sample in person[key])]
        vault_of(connection).readmit(rows)  # also of whoever was forgotten: they are enrolled again
        consents.restore(connection, row["id"], [*kept, *person["consents"]])
        if consents.newest(connection, [row["id"]]).get(row["id"]) is None:
            consents.settle(connection, row["id"], name, consent, how, new=True)
        added = sum(_restore(connection, table, row["id"], person[key]) for key, table in TABLES.items())
    return Restored(name, added)


def _restore(connection: sa.Connection, table: sa.Table, person_id: str, rows: list[dict[str, Any]]) -> int:
    added, key = 0, key_of(connection, person_id)
    for row in rows:
        this = table.c.id == row["id"]
        if connection.execute(sa.select(table.c.id).where(this, table.c.deleted.is_(None))).first() is None:
            connection.execute(table.delete().where(this))  # removed, and could still be undone: now it is back
            whole = seal_row(connection, key, table, {**row, "person_id": person_id})
            if row.get("content") is not None:
                (whole["content_key"],) = blind_contents(connection, [row["content"]])
            connection.execute(table.insert(), [whole])
            added += 1
    return added


def _exported(connection: sa.Connection, name: str, person: Any, folder: Path) -> dict[str, Any]:
    samples = connection.execute(sa.select(SAMPLE).where(SAMPLE.c.person_id == person.id, SAMPLE.c.deleted.is_(None)))
    rows = [_plain(_opened(connection, SAMPLE, row._mapping)) for row in samples.all()]
    for row in rows:
        if (crop := row["crop"]) is not None:
            row["crop"] = f"{_folder_name(name)}/{row['id']}.jpg"
            (folder / row["crop"]).parent.mkdir(exist_ok=True, mode=0o700)
            _write(folder / row["crop"], base64.b64decode(crop))
    marks = connection.execute(
        sa.select(NEGATIVE).where(NEGATIVE.c.person_id == person.id, NEGATIVE.c.deleted.is_(None))
    )
    return {
        "id": person.id,
        "name": name,
        "room": person.room,
        "created": _time(person.created),
        "samples": rows,
        "negatives": [_plain(_opened(connection, NEGATIVE, row._mapping)) for row in marks.all()],
        "consents": [_written(record) for record in consents.history(connection, person.id)],
    }


def _opened(connection: sa.Connection, table: sa.Table, row: Any) -> dict[str, Any]:
    opened = dict(row)
    for column, (_, ids) in SEALED[table.name].items():
        if row[column] is not None:
            data = opener(connection, table.name, column)(row[column], *(row[id] for id in ids))
            opened[column] = data.decode() if column == "content" else data
    return opened


def _plain(row: Any) -> dict[str, Any]:
    said = {}
    for name, value in row.items():
        if name in HERE:
            continue
        if isinstance(value, bytes):
            value = base64.b64encode(value).decode()
        said[name] = _time(value) if isinstance(value, datetime) else value
    return said


def _checked(person: dict[str, Any], folder: Path) -> dict[str, Any]:
    name, room = clean_name(person["name"]), clean_room(person["room"])
    row = {"id": _id(person["id"]), "name": name, "room": room, "created": _moment(person["created"])}
    checked: dict[str, Any] = {"row": row}
    for key, table in TABLES.items():
        checked[key] = [_row(table, entry, folder) for entry in person[key]]
    checked["consents"] = [_record(entry, str(row["id"])) for entry in person.get("consents", [])]
    if not checked["samples"]:
        raise ValueError("a person without samples")
    return checked


def _row(table: sa.Table, entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.c:
        if column.name in HERE:
            continue
        value = entry[column.name]
        if column.name == "id":
            value = _id(value)
        elif column.name == "created":
            value = _moment(value)
        elif value is not None and column.name == "crop":
            value = _crop(folder, value)
        elif value is not None and isinstance(column.type, sa.LargeBinary) and column.name != "content":
            value = base64.b64decode(value, validate=True)
        elif value is not None and isinstance(column.type, sa.Float):
            value = float(value)
        elif value is not None and not isinstance(value, str):
            raise TypeError(column.name)
        if value is None and not column.nullable:
            raise ValueError(column.name)
        row[column.name] = value
    vector = np.frombuffer(row["embedding"], "<f4")
    if not len(vector) or not abs(float(np.linalg.norm(vector)) - 1) < 1e-3:
        raise ValueError("embedding")
    return row


def _written(record: Consent) -> dict[str, Any]:
    said = {name: value for name, value in asdict(record).items() if name != "person"}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in said.items()}


def _record(entry: dict[str, Any], person_id: str) -> Consent:
    basis, by = entry["basis"], entry["recorded_by"]
    if basis not in (*LAWFUL, "not_recorded") or not isinstance(by, str) or not 1 <= len(by) <= MAX_RECORDER:
        raise ValueError("consent")
    expires, withdrawn = (None if entry[name] is None else _moment(entry[name]) for name in ("expires", "withdrawn"))
    # A record of the future would hide every later one.
    recorded = min(_moment(entry["recorded"]), datetime.now(UTC))
    given = date.fromisoformat(entry["given"])
    purpose = clean_purpose(entry["purpose"])
    return Consent(_id(entry["id"]), person_id, purpose, basis, given, expires, withdrawn, recorded, by)


def _crop(folder: Path, name: str) -> bytes:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("crop")
    return path.read_bytes()


def _folder_name(name: str) -> str:
    """A name as a folder that every system takes."""
    return name.translate(_NAME).strip(". ") or "_"


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _time(value: datetime) -> str:
    return value.replace(tzinfo=UTC).isoformat()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _id(text: str) -> str:
    if not (isinstance(text, str) and len(text) == 32 and int(text, 16) >= 0):
        raise ValueError("id")
    return text.lower()
