"""``visavis vault``: the keys that what is kept is sealed with."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import click

from server.commands.noted import noted
from server.commands.report import show
from server.settings import Settings, StartError, configure
from server.storage import PeopleStore, StorageError
from server.storage.backends import database_for, is_made
from server.storage.rekeying import rekey
from server.vault import MasterSource, open_vault
from server.vault.keyring import FILE as KEYRING
from server.vault.lock import FolderLock
from server.vault.rotation import exchange_master, require_exchangeable
from server.vault.vault import keyring_is_there

FILE = "people.sqlite3"
DATA = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of people; see the setting data_dir.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def vault() -> None:
    """Look after the keys that people, faces and secrets are sealed with."""


@vault.command("status")
@DATA
@JSON
def status(data_dir: Path | None, as_json: bool) -> None:
    """How many keys there are, and where the master key comes from; no key is shown."""
    settings = _settings()
    folder, source = data_dir or settings.data_dir, MasterSource.of(settings)
    database = database_for(folder, settings.database)
    with _plainly():
        if not keyring_is_there(folder, database):
            raise click.ClickException(f"{folder}: there are no keys here yet; see the setting data_dir")
    with _plainly(), contextlib.closing(open_vault(folder, source, None, database)) as opened:
        keyring = opened.keyring
        rows = [
            ("master key", str(source.path(folder)) if source.is_file else source.words),
            ("made or exchanged", f"{keyring.wrapped_at():%Y-%m-%d}"),
            *((f"keys: {kind}", count) for kind, count in sorted(keyring.count().items())),
            ("keys destroyed", keyring.destroyed()),
        ]
    show("Keys", rows, as_json)


@vault.command("rotate")
@click.option("--people", is_flag=True, help="New keys for everybody too: everything is sealed anew.")
@DATA
@JSON
def rotate(people: bool, data_dir: Path | None, as_json: bool) -> None:
    """Exchange the master key, and wrap every key with the new one; no server may be running."""
    settings = _settings()
    folder, source = data_dir or settings.data_dir, MasterSource.of(settings)
    with _plainly(), contextlib.closing(FolderLock(folder, alone=True)) as lock:
        require_exchangeable(source, settings.new_master_key)
        replaced = 0
        if people:  # first, so that with a key from elsewhere the old one still opens
            store = contextlib.closing(PeopleStore(folder / FILE, settings.undo_days, source, lock, settings.database))
            with store as opened:
                replaced = rekey(opened.engine)
                noted(opened, "people.rekeyed", count=replaced)
        database = database_for(folder, settings.database)
        kept = exchange_master(folder, source, lock, settings.new_master_key, database)
        if is_made(folder / FILE, settings.database):
            now = source if source.is_file else MasterSource(settings.new_master_key)
            with contextlib.closing(
                PeopleStore(folder / FILE, settings.undo_days, now, lock, settings.database)
            ) as opened:
                noted(opened, "master_key.changed")
    if as_json:
        click.echo(json.dumps({"master_key": kept and str(kept), "keys_replaced": replaced}))
        return
    if people:
        click.echo(f"{replaced} keys were replaced. Backups made before cannot be read any more: make a new one.")
    if kept and database is not None:
        click.echo(f"The master key in {kept} is a new one. Copy it elsewhere, and to all other nodes.")
    elif kept:
        ring = folder / KEYRING
        click.echo(f"The master key in {kept} is a new one. Keep a copy of it, and of {ring}, elsewhere.")
    else:
        click.echo(f"The keyring opens with the new master key from now on: put it in the place of {source.words}.")


def _settings() -> Settings:
    return configure({}, os.environ).settings


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """What a person can get wrong, as one line."""
    try:
        yield
    except (StartError, StorageError) as error:
        raise click.ClickException(str(error)) from error
