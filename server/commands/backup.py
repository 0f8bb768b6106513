"""``visavis backup`` and ``visavis restore``: the store as one sealed file, and back."""

from __future__ import annotations

import os
from pathlib import Path

import click

from server.commands.report import show
from server.settings import configure
from server.storage import StorageError
from server.storage.backup import STORE, BadBackup, back_up, put_back
from server.vault import MasterSource, VaultError

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
    folder = data_dir or configure({}, os.environ).settings.data_dir
    try:
        size = back_up(folder / STORE, file, replace)
    except BadBackup as error:
        raise click.ClickException(str(error)) from error
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
    try:
        put = put_back(file, folder / STORE, replace, settings.undo_days, MasterSource.of(settings))
    except (BadBackup, StorageError, VaultError) as error:
        raise click.ClickException(str(error)) from error
    show("Put back", [("made", f"{put.made:%Y-%m-%d %H:%M} UTC"), ("people", put.people)], as_json)
