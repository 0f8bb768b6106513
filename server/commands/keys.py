"""``visavis keys``: keys for other programs, made, listed and revoked where the server's data is."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import click

from server.api.keys import BadScope, new_key
from server.api.operations import SCOPES
from server.commands.noted import noted
from server.commands.report import table
from server.settings import StartError, configure
from server.storage import BadName, PeopleStore, StorageError
from server.storage.api_keys import ApiKey, TooManyKeys, add_key, delete_key, read_keys
from server.vault import MasterSource

FILE = "people.sqlite3"
DATA = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of keys; see the setting data_dir.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def keys() -> None:
    """Make, list and revoke the keys that let other programs in."""


@keys.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(list(SCOPES)), help="What it may do; repeatable.")
@DATA
@JSON
def create(name: str, scopes: tuple[str, ...], data_dir: Path | None, as_json: bool) -> None:
    """Make a key called NAME and print it, this once."""
    with _plainly(), _store(data_dir) as store:
        key, token = new_key(name, scopes or ("read",))
        add_key(store.engine, key)
        noted(store, "key.made", key.id)
    if as_json:
        click.echo(json.dumps({"id": key.id, "name": key.name, "scopes": key.scopes, "key": token}))
        return
    click.echo(token)
    click.echo(f"Keep it: it is not shown again. It may {', '.join(key.scopes)}.", err=True)


@keys.command("list")
@DATA
@JSON
def list_(data_dir: Path | None, as_json: bool) -> None:
    """The keys there are, without what opens."""
    with _plainly(), _store(data_dir) as store:
        found = read_keys(store.engine)
    if as_json:
        rows = [
            {"id": key.id, "name": key.name, "scopes": key.scopes, "created": key.created.isoformat(),
             "used": key.used and key.used.isoformat()}
            for key in found
        ]  # fmt: skip
        click.echo(json.dumps({"keys": rows}, ensure_ascii=False, indent=1))
    elif found:
        table(("id", "name", "scopes", "made", "last used"), [_row(key) for key in found])
    else:
        click.echo("There are no keys.")


@keys.command("revoke")
@click.argument("id")
@DATA
def revoke(id: str, data_dir: Path | None) -> None:
    """Make the key of this ID (as `list` shows it) worthless, also to a server that is running."""
    with _plainly(), _store(data_dir) as store:
        gone = delete_key(store.engine, id)
        if gone:
            noted(store, "key.revoked", id)
    if not gone:
        raise click.ClickException(f"there is no key {id!r}; visavis keys list shows those there are")
    click.echo("Revoked.")


def _row(key: ApiKey) -> tuple[str | None, ...]:
    used = None if key.used is None else f"{key.used:%Y-%m-%d}"
    return key.id, key.name, ", ".join(key.scopes), f"{key.created:%Y-%m-%d}", used


@contextlib.contextmanager
def _store(data_dir: Path | None) -> Iterator[PeopleStore]:
    settings = configure({}, os.environ).settings
    path = (data_dir or settings.data_dir) / FILE
    with contextlib.closing(
        PeopleStore(path, settings.undo_days, MasterSource.of(settings), database=settings.database)
    ) as store:
        yield store


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """What a person can get wrong, as one line."""
    try:
        yield
    except (BadName, BadScope, StartError, StorageError, TooManyKeys) as error:
        raise click.ClickException(str(error)) from error
