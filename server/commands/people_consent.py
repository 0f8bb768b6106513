"""``visavis people consents``, ``renew`` and ``withdraw``: why somebody may be recognised."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from server.commands.consent_options import consent_of, consent_options
from server.commands.noted import COMMAND_LINE, noted
from server.commands.report import table
from server.people.consent import consent_fields
from server.people.options import PeopleOptions
from server.settings import StartError, configure
from server.storage import BadName, PeopleStore, Recording, StorageError, clean_room, consents
from server.storage.backends import is_made
from server.vault import MasterSource

NAME = click.argument("name")
ROOM = click.option("--room", help="The room they belong to.")
DATA = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of people; see the setting data_dir.")


@click.command("consents")
@NAME
@ROOM
@DATA
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(name: str, room: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Every record of why NAME may be recognised, the newest first."""
    with _somebody(name, room, data_dir) as (store, person_id):
        found = store.read(consents.history, person_id)
        noted(store, "person.viewed", person_id)
    now = datetime.now(UTC)
    said = [consent_fields(one, now) or {} for one in found]
    if as_json:
        click.echo(json.dumps({"consents": said}, ensure_ascii=False, indent=1))
        return
    columns = ("state", "basis", "given", "expires", "recorded", "recorded_by", "purpose")
    table(columns, [tuple(_short(column, one[column]) for column in columns) for one in said])


@click.command("renew")
@NAME
@ROOM
@consent_options
@DATA
def renew(name: str, room: str | None, data_dir: Path | None, basis: str | None, **said: str | None) -> None:
    """Say anew why NAME may be recognised."""
    terms = PeopleOptions.of(configure({}, os.environ).settings).terms
    consent = consent_of(terms, basis or "consent", **said)
    assert consent is not None
    with _somebody(name, room, data_dir) as (store, person_id):
        consents.record(store.engine, person_id, consent, Recording(by=COMMAND_LINE))
        noted(store, "consent.recorded", person_id)
    ends = "never" if consent.expires is None else f"{consent.expires.astimezone():%Y-%m-%d %H:%M}"
    click.echo(f"{name} may be recognised; that ends: {ends}.")


@click.command("withdraw")
@NAME
@ROOM
@DATA
def withdraw(name: str, room: str | None, data_dir: Path | None) -> None:
    """Let NAME not be recognised from now on; a running server takes it up within two seconds."""
    days = configure({}, os.environ).settings.consent_grace_days
    with _somebody(name, room, data_dir) as (store, person_id):
        try:
            consents.withdraw(store.engine, person_id, Recording(by=COMMAND_LINE))
        except ValueError as error:
            raise click.ClickException(f"{error}.") from None
        noted(store, "consent.withdrawn", person_id)
    click.echo(f"{name} is not recognised any more. The server erases them after {days} days, unless it is renewed.")


@contextlib.contextmanager
def _somebody(name: str, room: str | None, data_dir: Path | None) -> Iterator[tuple[PeopleStore, str]]:
    settings = configure({}, os.environ).settings
    path = (data_dir or settings.data_dir) / "people.sqlite3"
    if not is_made(path, settings.database):
        raise click.ClickException(f"{path.parent}: nobody has been enrolled here; see the setting data_dir")
    try:
        with contextlib.closing(
            PeopleStore(path, settings.undo_days, MasterSource.of(settings), database=settings.database)
        ) as store:
            found = store.find(name, clean_room(room))
            if found is None:
                raise click.ClickException(f"nobody called {name} is enrolled; see visavis people list")
            yield store, found.id
    except (BadName, StartError, StorageError) as error:
        raise click.ClickException(str(error)) from error


def _short(column: str, value: Any) -> str:
    if value is None:
        return "never" if column == "expires" else ""
    return str(value)[:16].replace("T", " ") if column in ("expires", "recorded") else str(value)
