"""``visavis people``: who is enrolled, many at once from photos, and everything out and in again."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from pipeline.face_models import FaceModels
from pipeline.templates import fuse_template
from server.commands import people_consent
from server.commands.consent_options import consent_of, consent_options
from server.commands.models_option import models_options
from server.commands.noted import COMMAND_LINE, noted
from server.commands.one_person import everything_about, forget_person
from server.commands.report import show, table
from server.people import People, PeopleOptions
from server.people.consent import consent_fields
from server.people.photos.archive import BadArchive
from server.people.photos.draft import Entry
from server.people.photos.export import BadExport, export_people, is_export, read_export, restore_person
from server.people.photos.folder import FILES, BadFolder, Photos, Saved, import_photos, open_photos
from server.people.photos.imports import ImportRefused, Imports
from server.people.photos.verdicts import REVIEWS, Review
from server.private_files import write_private
from server.settings import Settings, StartError, configure
from server.storage import (
    BadName,
    ConsentMissing,
    NameTaken,
    NewConsent,
    NoSuchPerson,
    PeopleStore,
    PersonRow,
    StorageError,
    clean_room,
)
from server.storage.backends import is_made
from server.storage.reading import list_people
from server.vault import MasterSource

FILE = "people.sqlite3"
ROOM = click.option("--room", help="The room they belong to; without it they are everyone's.")
DATA = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of people; see the setting data_dir.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def people() -> None:
    """List, import and export the people this server knows."""


for command in (people_consent.show, people_consent.renew, people_consent.withdraw):
    people.add_command(command)


@people.command("list")
@ROOM
@DATA
@JSON
def list_(room: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Everybody enrolled, by name."""
    with _plainly(), _store(data_dir) as store:
        room = clean_room(room)
        with store.engine.connect() as connection:
            rows = [row for row in list_people(connection) if room is None or row.room == room]
        noted(store, "people.listed", room=room or "")
    now = datetime.now(UTC)
    if as_json:
        found = [
            {
                "id": r.id,
                "name": r.name,
                "room": r.room,
                "samples": r.samples,
                "created": r.created.isoformat(),
                "consent": consent_fields(r.consent, now),
            }
            for r in rows
        ]
        click.echo(json.dumps({"people": found}, ensure_ascii=False, indent=1))
    elif rows:
        lines = [(r.name, r.room, r.samples, f"{r.created:%Y-%m-%d}", _state(r, now)) for r in rows]
        table(("name", "room", "photos", "since", "consent"), lines)
    else:
        click.echo("Nobody is enrolled.")


@people.command("export")
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@ROOM
@DATA
@JSON
def export(folder: Path, room: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Write everything kept of everybody into FOLDER, which must be new or empty."""
    with _plainly(), _store(data_dir) as store:
        found, samples = export_people(store, folder, clean_room(room))
        noted(store, "people.exported", count=found)
    show(f"Exported to {folder}", [("people", found), ("samples", samples)], as_json)


@people.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path), metavar="FOLDER|ZIP")
@ROOM
@click.option("--review", type=click.Choice(REVIEWS), help="How strictly faces are compared; see the setting review.")
@click.option("--dry-run", is_flag=True, help="Judge every photo, keep nothing.")
@consent_options
@DATA
@JSON
@models_options
def import_(
    models: FaceModels,
    source: Path,
    room: str | None,
    review: Review | None,
    dry_run: bool,
    data_dir: Path | None,
    as_json: bool,
    **why: str | None,
) -> None:
    """Enrol from photos, NAME/photo.jpg or NAME.jpg, or put an exported folder back."""
    with _plainly():
        room, consent = clean_room(room), consent_of(PeopleOptions.of(_settings()).terms, **why)
        path = (data_dir or _settings().data_dir) / FILE
        if source.is_dir() and is_export(source):
            if dry_run or room or review:
                raise click.UsageError(
                    "an exported folder is put back as it was: leave --room, --review, --dry-run out"
                )
            asyncio.run(_restore(models, source, path, consent, as_json))
            return
        with open_photos(source) as photos:
            if not photos.paths:
                raise click.ClickException(f"{source}: there is no file in it; expected NAME/photo.jpg or NAME.jpg")
            asyncio.run(_import(models, photos, path, room, review, consent, dry_run, as_json))


async def _import(
    models: FaceModels,
    photos: Photos,
    path: Path,
    room: str | None,
    review: Review | None,
    consent: NewConsent | None,
    dry_run: bool,
    json_: bool,
) -> None:
    settings = _settings()
    rows: list[dict[str, Any]] = []
    started = time.perf_counter()
    with ThreadPoolExecutor(1, thread_name_prefix="photos") as executor:
        people = await _open(models, path)
        keep = settings.keep_crops
        imports = Imports(people, lambda: models, executor, review=settings.review, keep_crops=keep, files=FILES)
        try:
            with click.progressbar(length=len(photos.paths), label="Photos", file=sys.stderr, hidden=json_) as bar:
                saved = await import_photos(
                    imports,
                    photos,
                    room=room,
                    review=review,
                    save=not dry_run,
                    read=lambda: bar.update(1),
                    said=lambda what: rows.append(_row(what)),
                    consent=consent,
                    by=COMMAND_LINE,
                )
            for one in saved:
                note = functools.partial(noted, action="person.enrolled", subject=one.id, room=room or "")
                await people.run(functools.partial(note, count=one.added, detail="photos"))
        finally:
            imports.close()
            await people.close()
    _print(rows, saved, time.perf_counter() - started, dry_run, json_)


@people.command("forget")
@click.argument("name")
@ROOM
@click.option("--films", is_flag=True, help="Erase the videos they are in as well, not only what was found in them.")
@click.option("--receipt", "target", type=click.Path(path_type=Path), help="Write the receipt here instead.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@DATA
@models_options
def forget(
    models: FaceModels,
    name: str,
    room: str | None,
    films: bool,
    target: Path | None,
    yes: bool,
    data_dir: Path | None,
) -> None:
    """Erase NAME (or an id) for good, and print a signed receipt; with a server running, do it there instead."""
    if target is not None and target.exists():
        raise click.ClickException(f"{target}: the file is there already")
    if not yes:
        click.confirm("Everything kept of this person is erased for good. Go on?", abort=True)
    with _plainly():
        receipt = asyncio.run(forget_person(models, _folder(data_dir), name, clean_room(room), films, COMMAND_LINE))
        text = json.dumps(receipt, ensure_ascii=False, indent=1)
        if target is None:
            click.echo(text)
        else:
            write_private(target, text.encode())
            click.echo(f"Forgotten. The receipt is in {target}.")


@people.command("data")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.zip")
@ROOM
@DATA
@models_options
def data(models: FaceModels, name: str, file: Path, room: str | None, data_dir: Path | None) -> None:
    """Write everything held of NAME (or an id) into FILE.zip."""
    if file.exists():
        raise click.ClickException(f"{file}: the file is there already")
    with _plainly():
        archive = asyncio.run(everything_about(models, _folder(data_dir), name, clean_room(room), COMMAND_LINE))
        write_private(file, archive)
    click.echo(f"Written to {file}.")


async def _restore(models: FaceModels, folder: Path, path: Path, consent: NewConsent | None, as_json: bool) -> None:
    exported = read_export(folder)
    people = await _open(models, path)
    try:

        def agrees_with(person: dict[str, Any]) -> Callable[[str], bool]:
            mine = [s for s in person["samples"] if s["pack_digest"] == models.manifest.digest]
            gallery = people.gallery_of(person["row"]["room"])

            def agrees(id: str) -> bool:
                template = gallery.template(id)
                if template is None or not mine:
                    return False
                fused = fuse_template([np.frombuffer(s["embedding"], "<f4") for s in mine])
                return models.matcher.similarity(template, fused) >= models.matcher.threshold(1)

            return agrees

        restored = []
        for person in exported:
            agrees = agrees_with(person)
            put = functools.partial(
                restore_person, person=person, agrees=agrees, consent=consent, how=people.recording(COMMAND_LINE)
            )
            put_back = await people.run(put)
            restored.append(put_back)
            if put_back.added:
                note = functools.partial(noted, action="person.enrolled", subject=person["row"]["id"])
                await people.run(functools.partial(note, count=put_back.added, detail="restored"))
    finally:
        await people.close()
    for one in restored:
        if one.words:
            click.echo(one.words, err=True)
    found = [("people in the export", len(restored)), ("put back", sum(one.added for one in restored))]
    show(f"Imported from {folder}", found, as_json, left_out=[one.name for one in restored if one.words])


def _state(row: PersonRow, now: datetime) -> str:
    return "" if row.consent is None else row.consent.state(now).replace("_", " ")


def _row(what: Entry | BadFolder) -> dict[str, Any]:
    if isinstance(what, BadFolder):
        return {"file": what.file, "name": None, "verdict": "not_a_picture", "words": what.words}
    return {"file": what.file, "name": what.name, "verdict": str(what.verdict), "words": what.judgement.words}


def _print(rows: list[dict[str, Any]], saved: list[Saved], seconds: float, dry_run: bool, as_json: bool) -> None:
    added = [{"name": one.name, "added": one.added} for one in saved]
    details = {"files": rows, "people": added, "dry_run": dry_run}
    if not as_json:
        table(("file", "verdict", "why"), [(r["file"], r["verdict"], r["words"]) for r in rows])
    counts = Counter(r["verdict"] for r in rows)
    figures = [
        ("photos", len(rows)),
        *sorted(counts.items(), key=lambda item: (item[0] != "used", item[0])),
        ("people saved", len(saved)),
        ("photos saved", sum(one.added for one in saved)),
        ("seconds", round(seconds, 1)),
        ("milliseconds for each photo", round(1000 * seconds / max(len(rows), 1), 1)),
    ]
    show("Nothing was saved (--dry-run)" if dry_run else "Imported", figures, as_json, **(details if as_json else {}))


async def _open(models: FaceModels, path: Path) -> People:
    manifest, options = models.manifest, PeopleOptions.of(_settings())
    return await People.open(path, manifest.digest, manifest.embedder.dimension, options)


def _folder(data_dir: Path | None) -> Path:
    folder = data_dir or _settings().data_dir
    if not is_made(folder / FILE, _settings().database):
        raise click.ClickException(f"{folder}: nobody has been enrolled here; see the setting data_dir")
    return folder


@contextlib.contextmanager
def _store(data_dir: Path | None) -> Iterator[PeopleStore]:
    path = (data_dir or _settings().data_dir) / FILE
    if not is_made(path, _settings().database):
        raise click.ClickException(f"{path.parent}: nobody has been enrolled here; see the setting data_dir")
    with contextlib.closing(
        PeopleStore(path, _settings().undo_days, MasterSource.of(_settings()), database=_settings().database)
    ) as store:
        yield store


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """What a person can get wrong, as one line."""
    try:
        yield
    except (
        BadArchive, BadExport, BadName, ConsentMissing, ImportRefused, NameTaken, NoSuchPerson, StartError,
        StorageError,
    ) as error:  # fmt: skip
        raise click.ClickException(str(error)) from error


def _settings() -> Settings:
    return configure({}, os.environ).settings
