"""The command ``visavis``. Every error a person can meet is one line on standard error and exit code 1."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from models import ModelError
from server import __version__
from server.commands.certificate import certificate
from server.settings import TABLE, Configuration, StartError, configure
from server.settings_flags import settings_flags

# Command groups of other modules, imported when asked for: measuring brings OpenCV and a browser. A new one goes here.
MOUNTED = {
    "models": "models.cli:models",
    "bench": "server.commands.bench:bench",
    "evaluate": "server.commands.evaluate:evaluate",
    "people": "server.commands.people:people",
    "audit": "server.commands.audit:audit",
    "receipt": "server.commands.receipt:receipt",
    "keys": "server.commands.keys:keys",
    "owner": "server.commands.owner:owner",
    "recognise": "server.commands.recognise:recognise",
    "vault": "server.commands.vault:vault",
    "doctor": "server.commands.doctor:doctor",
    "nodes": "server.commands.nodes:nodes",
    "backup": "server.commands.backup:backup",
    "restore": "server.commands.backup:restore",
}


class VisavisGroup(click.Group):
    """Runs ``serve`` when no command is named, and finds the mounted groups."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *MOUNTED])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in MOUNTED:
            return super().get_command(ctx, cmd_name)
        module, _, name = MOUNTED[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=VisavisGroup)
@click.version_option(__version__, prog_name="visavis")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Names over faces, from the camera of any browser. Without a command: `serve`."""
    if ctx.invoked_subcommand in MOUNTED:
        ctx.default_map = {ctx.invoked_subcommand: _defaults_from_settings(ctx, ctx.invoked_subcommand)}


def _defaults_from_settings(ctx: click.Context, group: str) -> dict[str, Any]:
    """So that `visavis models list` looks into the folder that the environment or the settings file names."""
    from server.chosen_pack import chosen_pack  # SQLAlchemy takes its time: only for the commands that measure

    configuration = configure({}, os.environ)
    found = configuration.settings
    defaults = {
        "pack": chosen_pack(configuration),
        "provider": found.provider,
        "models_dir": found.models_dir,
        "cache_dir": found.models_dir,
    }
    mounted = cli.get_command(ctx, group)
    return dict.fromkeys(mounted.list_commands(ctx), defaults) if isinstance(mounted, click.Group) else {}


cli.add_command(certificate)


@cli.command()
@settings_flags
def serve(configuration: Configuration) -> None:
    """Start the server (the default command)."""
    from server.serve import serve as run  # late: it brings the models, and the other commands should be quick

    try:
        run(configuration, _say)
    except KeyboardInterrupt:
        _say("Stopped.")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
@settings_flags
def settings(configuration: Configuration, as_json: bool) -> None:
    """Print every setting, its value and where it comes from."""
    rows = [
        {"name": row.name, "value": configuration.shown(row.name), "origin": configuration.origins[row.name]}
        for row in TABLE
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    widths = [max(len(row[column]) for row in rows) for column in ("name", "value")]
    for row in rows:
        click.echo(f"{row['name']:{widths[0]}}  {row['value']:{widths[1]}}  {row['origin']}".rstrip())
    for remark in configuration.remarks:
        click.echo(f"Note: {remark}", err=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``visavis`` and ``python -m server``."""
    try:
        code = cli.main(args=None if arguments is None else list(arguments), prog_name="visavis", standalone_mode=False)
    except click.ClickException as error:
        _fail(error.format_message())
    except (StartError, ModelError) as error:
        _fail(str(error))
    except click.Abort:
        _fail("stopped")
    except ImportError as error:
        if "libGL" not in str(error) and "libgthread" not in str(error):
            raise
        _fail(f"OpenCV cannot start ({error}); on Debian or Ubuntu: apt-get install libgl1 libglib2.0-0")
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> None:
    click.echo(f"visavis: {' '.join(message.split())}", err=True)
    sys.exit(1)


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()
