"""``visavis backup`` and ``visavis restore``: the store as one sealed file, and back."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from server.commands.noted import noted, noted_unopened
from server.commands.report import show
from server.settings import Settings, StartError, configure
from server.storage import PeopleStore, StorageError
from server.storage.backup import STORE, BadBackup, back_up, put_back
from server.vault import MasterSource

DATA = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of people; see the setting data_dir.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command()
@FILE
@click.option("--replace", is_flag=True, help="Write over a file of this name.")
@DATA
@JSON
def backup(file: Path, replace: bool, data_dir: Path | None, as_json: bool) -> None:
    """Copy everybody, sealed, into FILE, also while a server runs; keys are not in it."""
    settings = configure({}, os.environ).settings
    folder = data_dir or settings.data_dir
    _require_file(settings)
    try:
        size = back_up(folder / STORE, file, replace)
        noted_unopened(folder / STORE, "backup.made")  # the next one has it
    except (BadBackup, StartError) as error:
        raise click.ClickException(str(error)) from error
    except SQLAlchemyError as error:
        raise click.ClickException(
            f"{file} is made, but the audit log could not be written: {type(error).__name__}"
        ) from error
    show("Backed up", [("file", str(file)), ("bytes", size)], as_json)


@click.command()
@FILE
@click.option("--replace", is_flag=True, help="Put it in the place of the people that are here.")
@DATA
@JSON
def restore(file: Path, replace: bool, data_dir: Path | None, as_json: bool) -> None:
    """Put everybody in FILE back but those who were forgotten since; no server may be running."""
    settings = configure({}, os.environ).settings
    folder = data_dir or settings.data_dir
    _require_file(settings)
    try:
        put = put_back(file, folder / STORE, replace, settings.undo_days, MasterSource.of(settings))
        with contextlib.closing(PeopleStore(folder / STORE, settings.undo_days, MasterSource.of(settings))) as store:
            noted(store, "backup.restored")
    except (BadBackup, StartError, StorageError) as error:
        raise click.ClickException(str(error)) from error
    show("Put back", [("made", f"{put.made:%Y-%m-%d %H:%M} UTC"), ("people", put.people)], as_json)


def _require_file(settings: Settings) -> None:
    if settings.database:
        raise click.ClickException(
            "everybody is kept in PostgreSQL (the setting database): use pg_dump and pg_restore; see docs/postgres.md"
        )
