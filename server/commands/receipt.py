"""``visavis receipt``: whether the receipt of a forgetting is genuine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from server.audit.signing import FILE as KEY_FILE
from server.audit.signing import SigningKey
from server.people.receipts import BadReceipt, read_receipt, verify_receipt
from server.settings import StartError, configure

DATA = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of the key; see the setting data_dir.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def receipt() -> None:
    """Check receipts of who was forgotten."""


@receipt.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", "wanted", help="Fingerprint of the key it has to be signed with; without it, this server's.")
@DATA
@JSON
def verify(file: Path, wanted: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Check FILE; ends with 1 where it was changed, or signed by another key."""
    folder = data_dir or configure({}, os.environ).settings.data_dir
    try:
        found = read_receipt(file.read_bytes())
        told = verify_receipt(found)
        expected = None if wanted is None else wanted.lower().replace(":", "")
        if expected is None and (folder / KEY_FILE).is_file():
            expected = SigningKey.open(folder).fingerprint
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    except BadReceipt as error:
        raise click.ClickException(f"{file}: {error}") from error
    except StartError as error:
        raise click.ClickException(str(error)) from error
    if expected is None:
        raise click.ClickException(
            f"{file}: it was not changed since it was signed, but whose key that was cannot be told here; compare its "
            f"fingerprint {told} with the one on the server's page Data, or name that with --key"
        )
    if told != expected:
        raise click.ClickException(f"{file}: it is signed by another key, {told}")
    if as_json:
        click.echo(json.dumps({"genuine": True, "id": found["id"], "person": found["person"], "fingerprint": told}))
        return
    click.echo(f"Genuine: person {found['person']} was forgotten, {found['at']}.")
    for one in found["erased"]:
        click.echo(f"  erased: {one['count']:,} {one['what']}")
    for one in found["remains"]:
        click.echo(f"  may remain: {one['what']}, {one['where']}, {one['until']}")
    click.echo(f"Signed by the key {told}.")
