"""``visavis audit``: whether the log of who saw and changed what still holds, and what is in it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from server.audit.signing import FILE as KEY_FILE
from server.audit.signing import SigningKey, signed_by
from server.commands.report import table
from server.settings import StartError, configure
from server.storage import PeopleStore, StorageError
from server.storage import audit as log
from server.storage.audit import Asked, Broken, Place
from server.storage.backends import is_made
from server.vault import MasterSource

FILE = "people.sqlite3"
DATA = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of the log; see the setting data_dir.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def audit() -> None:
    """Check the audit log, and show what is in it."""


@audit.command("verify")
@click.option("--key", "wanted", help="Fingerprint that the signing key has to have, as you noted it elsewhere.")
@DATA
@JSON
def verify(wanted: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Walk over every row; ends with 1 and the first that does not hold."""
    with _plainly(), _store(data_dir) as store:
        folder = store.path.parent
        if not store.backend.shared and not (folder / KEY_FILE).is_file():
            raise click.ClickException(f"{folder / KEY_FILE}: the key that signs the log is missing")
        key = SigningKey.of(store)
        rows, broken = walked(store, key)
    if broken is None and wanted is not None and wanted.lower().replace(":", "") != key.fingerprint:
        broken = Broken(0, f"the key that signs has the fingerprint {key.fingerprint}, not the one you named")
    if as_json:
        found = {"holds": broken is None, "rows": rows, "fingerprint": key.fingerprint}
        why = {"broken": None, "words": ""} if broken is None else {"broken": broken.number, "words": broken.words}
        click.echo(json.dumps({**found, **why}))
    elif broken is None:
        click.echo(f"The log holds: {rows:,} rows.")
        click.echo(f"Signed by the key {key.fingerprint}.")
    else:
        click.echo(f"Row {broken.number:,} does not hold: {broken.words}.")
    if broken is not None:
        click.get_current_context().exit(1)


@audit.command("show")
@click.option(
    "--person", "subject", default="", help="Only rows about this id (`visavis people list --json` shows it)."
)
@click.option("--action", default="", help="Only this action, or all that begin with it where it ends with a point.")
@click.option("--since", help="Only from this day or time on (2026-11-24, or RFC 3339).")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="The newest so many.")
@DATA
@JSON
def show(subject: str, action: str, since: str | None, limit: int, data_dir: Path | None, as_json: bool) -> None:
    """Print rows, the oldest first. No name is in them."""
    asked = Asked(subject=subject, action=action, since=_since(since))
    with _plainly(), _store(data_dir) as store:
        found = log.find(store.engine, asked, limit)[::-1]
    if as_json:
        rows: list[dict[str, Any]] = [
            {"number": row.number, **{name: getattr(row.said, name) for name in log.SAID}, "hash": row.hash}
            for row in found
        ]
        click.echo(json.dumps({"rows": rows}, indent=1))
    elif found:
        head = ("row", "time", "who", "what", "about", "room", "count", "how")
        table(
            head,
            [
                (r.number, r.said.at[:19] + "Z", r.said.actor, r.said.action, r.said.subject, r.said.room,
                 r.said.count, r.said.detail)
                for r in found
            ],
        )  # fmt: skip
    else:
        click.echo("There is no such row.")


def walked(store: PeopleStore, key: SigningKey) -> tuple[int, Broken | None]:
    """How many rows hold, and the first that does not."""
    place: Place | None = None
    while True:
        found = log.walk(store.engine, key.public, signed_by, place)
        if isinstance(found, Broken):
            return found.rows, found
        if found is None:
            return log.count(store.engine), None
        place = found


def _since(text: str | None) -> str:
    if text is None:
        return ""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        raise click.BadParameter("give a day or a time like 2026-11-24T09:00:00+01:00", param_hint="--since") from None


@contextlib.contextmanager
def _store(data_dir: Path | None) -> Iterator[PeopleStore]:
    settings = configure({}, os.environ).settings
    path = (data_dir or settings.data_dir) / FILE
    if not is_made(path, settings.database):
        raise click.ClickException(f"{path.parent}: there is no log here; see the setting data_dir")
    with contextlib.closing(
        PeopleStore(path, settings.undo_days, MasterSource.of(settings), database=settings.database)
    ) as store:
        yield store


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """What a person can get wrong, as one line."""
    try:
        yield
    except (StorageError, StartError) as error:
        raise click.ClickException(str(error)) from error
