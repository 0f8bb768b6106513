"""``visavis nodes``: the nodes that share a database."""

from __future__ import annotations

import contextlib
import json
import os

import click
import sqlalchemy as sa

from server.commands.report import table
from server.database import Database
from server.nodes.routes import node_body
from server.settings import StartError, configure
from server.storage.faults import fault
from server.storage.nodes import read


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def nodes(as_json: bool) -> None:
    """The nodes on the database that the setting `database` names, and how each does."""
    settings = configure({}, os.environ).settings
    if not settings.database:
        raise click.ClickException("nodes share a database, and the setting database names none")
    try:
        engine = Database(settings.database).engine()
        with contextlib.ExitStack() as stack:
            stack.callback(engine.dispose)
            rows = [node_body(row) for row in read(engine)]
    except (StartError, sa.exc.SQLAlchemyError) as error:
        found = fault(error)
        words = str(error) if isinstance(error, StartError) else "no node has opened this database yet"
        raise click.ClickException(words if found is None else found.words) from None
    if as_json:
        click.echo(json.dumps({"nodes": rows}))
        return
    shown = [(row["name"], row["state"], str(row["sessions"]), row["url"], row["tag"], row["version"]) for row in rows]
    table(("name", "state", "sessions", "url", "tag", "version"), shown)
