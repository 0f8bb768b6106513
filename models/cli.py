"""``visavis models``: what packs there are, and getting them into place."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from models.errors import ModelError
from models.loading import default_cache_dir, ensure_pack, is_installed, pull_pack, verify_pack
from models.manifest import OWN_MANIFEST, PackManifest, pull_command
from models.manifest_reader import available_packs, load_manifest


class _Group(click.Group):
    """Shows this package's errors as one line and exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModelError as error:
            raise click.ClickException(str(error)) from None


_cache_dir = click.option(
    "--cache-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_cache_dir,
    help="Folder the packs are kept in; by default in the user's cache folder.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def _default_name() -> str:
    return next(pack.name for pack in available_packs() if pack.default)


def _progress(line: str) -> None:
    click.echo(line, err=True)  # so that what a command prints stays clean for pipes


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


@click.group(cls=_Group)
def models() -> None:
    """Packs of models: list, build, verify, pull."""


@models.command("list")
@_cache_dir
@_as_json
def list_packs(cache_dir: Path, as_json: bool) -> None:
    """Show every pack, whether it is installed, its size and its licence."""
    rows = [
        {
            "name": pack.name,
            "default": pack.default,
            "installed": is_installed(pack.name, cache_dir),
            "size": pack.size,
            "licence": pack.licence,
            "summary": pack.summary,
            "folder": str(cache_dir / pack.name),
        }
        for pack in available_packs(cache_dir)
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        name = f"{row['name']}{' (default)' if row['default'] else ''}"
        state = "installed" if row["installed"] else "not installed"
        click.echo(f"{name:16}  {state:13}  {_megabytes(int(str(row['size']))):>6}  {row['licence']}")


@models.command()
@click.argument("name", default=_default_name)
@_cache_dir
def build(name: str, cache_dir: Path) -> None:
    """Build what is missing or damaged of pack NAME (the default pack if none is given)."""
    click.echo(ensure_pack(name, cache_dir, _progress))


@models.command()
@click.argument("name", default=_default_name)
@_cache_dir
@_as_json
@click.pass_context
def verify(ctx: click.Context, name: str, cache_dir: Path, as_json: bool) -> None:
    """Read every file of pack NAME and compare it with what was recorded; exit with 1 if one is not right."""
    statuses = verify_pack(name, cache_dir)
    if as_json:
        click.echo(json.dumps([asdict(status) for status in statuses], indent=2))
    else:
        for status in statuses:
            click.echo(f"{status.state:8}  {status.name:24}  {status.found or '-':64}  {status.detail}")
    if any(status.state != "ok" for status in statuses):
        click.echo(f"Put it right with: {_remedy(load_manifest(name, cache_dir), cache_dir)}", err=True)
        ctx.exit(1)


def _remedy(manifest: PackManifest, cache_dir: Path) -> str:
    match manifest.origin:
        case "built":
            return f"visavis models build {manifest.name}"
        case "pulled":
            return pull_command(manifest.name)
        case "own":
            return f"the files {cache_dir / manifest.name / OWN_MANIFEST} speaks of"


@models.command()
@click.argument("name")
@click.option("--accept-license", is_flag=True, help="Say that the pack's licence covers your use.")
@_cache_dir
def pull(name: str, accept_license: bool, cache_dir: Path) -> None:
    """Fetch pack NAME, after its licence has been accepted."""
    click.echo(pull_pack(name, cache_dir, accept_license, _progress))
