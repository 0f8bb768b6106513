"""``visavis owner``: a link that makes whoever opens it the owner. Whoever may read the data folder is the owner."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from server.access.one_time import PATH, new_link
from server.commands.noted import noted
from server.settings import StartError, configure
from server.storage import PeopleStore, StorageError
from server.storage.accounts import TooManyAccounts, add_one_time, end_all_sessions
from server.vault import MasterSource

FILE = "people.sqlite3"


@click.command()
@click.option("--reset", is_flag=True, help="Also sign everybody out, everywhere.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of accounts; see the setting data_dir.")
@click.option("--http-port", type=click.IntRange(1, 65535), help="Port of the page; see the setting http_port.")
def owner(reset: bool, data_dir: Path | None, http_port: int | None) -> None:
    """Print a link that signs in the owner, once, within an hour; a server that is running takes it."""
    settings = configure({}, os.environ).settings
    path = (data_dir or settings.data_dir) / FILE
    link, secret = new_link("owner", None, datetime.now(UTC))
    try:
        with contextlib.closing(
            PeopleStore(path, settings.undo_days, MasterSource.of(settings), database=settings.database)
        ) as store:
            ended = end_all_sessions(store.engine) if reset else None
            add_one_time(store.engine, link)
            if ended is not None:
                noted(store, "access.reset", count=ended)
            noted(store, "link.made", detail="owner")
    except (StartError, StorageError, TooManyAccounts) as error:
        raise click.ClickException(str(error)) from error
    if ended is not None:
        click.echo(f"{ended} session{'' if ended == 1 else 's'} ended.", err=True)
    click.echo(f"http://localhost:{http_port or settings.http_port}/{PATH}{secret}")
