"""``visavis recognise``: who is in these photos and videos, without a server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from pipeline.face_models import FaceModels
from pipeline.gallery import Gallery
from server.commands.models_option import models_options
from server.commands.recognise_video import is_video, recognise_video
from server.commands.report import table
from server.media.decoding import FILE_BYTES, SUFFIXES, Unreadable, decode
from server.people import People, PeopleOptions
from server.photos.answer import COLUMNS, as_csv, photo_body, photo_rows
from server.photos.recognise import recognise_photo
from server.settings import configure
from server.storage import BadName, StorageError, clean_room
from server.storage.backends import is_made
from server.vault import MasterSource

FILE = "people.sqlite3"


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, metavar="PHOTO_OR_VIDEO…", type=click.Path(exists=True, path_type=Path)
)
@click.option("--room", help="Whose people count beside everyone's.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of people; see the setting data_dir.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for tables, JSON and pictures."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@models_options
def recognise(
    models: FaceModels,
    sources: tuple[Path, ...],
    room: str | None,
    data_dir: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Who is in photos and videos. A folder stands for the photos in it."""
    gallery = _gallery(models, (data_dir or configure({}, os.environ).settings.data_dir) / FILE, room)
    paths = list(_files(sources))
    photos: list[dict[str, Any]] = []
    videos: list[dict[str, Any]] = []
    rows: list[tuple[Any, ...]] = []
    refused: list[dict[str, str]] = []
    with click.progressbar(paths, label="Recognising", file=sys.stderr, hidden=as_json) as bar:
        for path in bar:
            if path.suffix.lower() not in SUFFIXES and is_video(path):
                try:
                    videos.append(_video(models, gallery, path, output, as_json))
                except click.ClickException as error:
                    refused.append({"file": str(path), "words": error.message})
                continue
            try:
                body = _photo(models, gallery, path)
            except Unreadable as why:
                refused.append({"file": str(path), "words": str(why)})
                continue
            photos.append({"file": str(path), **body})
            rows += photo_rows(str(path), body)
    if output is not None and photos:
        _write(output, rows, photos)
    if as_json:
        found = {"photos": photos, "videos": videos, "refused": refused}
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        if rows:
            table(COLUMNS, rows)
        elif photos:
            click.echo("There is no face in these photos.")
        for each in refused:
            click.echo(f"{each['file']}: {each['words']}", err=True)
    if refused:
        sys.exit(1)


def _photo(models: FaceModels, gallery: Gallery, path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > FILE_BYTES:
            raise Unreadable("too_large", f"The file has more than {FILE_BYTES // 2**20} MB.")
        image = decode(path.read_bytes())
    except OSError as error:
        raise Unreadable("not_a_picture", f"The file cannot be read: {error.strerror}.") from error
    height, width = image.shape[:2]
    return photo_body(recognise_photo(models, gallery, image), width, height, gallery)


def _video(models: FaceModels, gallery: Gallery, path: Path, output: Path | None, quiet: bool) -> dict[str, Any]:
    with click.progressbar(length=1000, label=path.name, file=sys.stderr, hidden=quiet) as bar:

        def progress(done: float, total: float | None) -> None:
            bar.update(max(0, int(1000 * done / total) - bar.pos) if total else 0)

        found = recognise_video(models, gallery, path, progress, output)
    if not quiet:
        click.echo(f"{path}:")
        table(("who", "from", "to", "sure"), found.rows())
    return found.body()


def _files(sources: tuple[Path, ...]) -> Iterator[Path]:
    for source in sources:
        if source.is_dir():
            yield from sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        else:
            yield source


def _gallery(models: FaceModels, path: Path, room: str | None) -> Gallery:
    """Everybody enrolled here with this pack; nobody where no store is yet."""

    async def opened() -> Gallery:
        manifest = models.manifest
        options = PeopleOptions(master=MasterSource.of(settings), database=settings.database)
        people = await People.open(path, manifest.digest, manifest.embedder.dimension, options)
        try:
            return people.gallery_of(clean_room(room))
        finally:
            await people.close()

    settings = configure({}, os.environ).settings
    if not is_made(path, settings.database):
        return Gallery.empty(models.manifest.embedder.dimension, models.manifest.digest)
    try:
        return asyncio.run(opened())
    except (StorageError, BadName) as error:
        raise click.ClickException(str(error)) from error


def _write(output: Path, rows: list[tuple[Any, ...]], photos: list[dict[str, Any]]) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / "photos.csv").write_text(as_csv(rows), "utf-8", newline="")
        (output / "photos.json").write_text(json.dumps(photos, ensure_ascii=False, indent=1), "utf-8")
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}") from error
