"""``visavis certificate``: look at the local certificate authority, hand out its certificate, renew."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from server.certificates import CertificateStore, certificate_names, renew_authority, tls_folder
from server.lan import addresses
from server.settings import configure

_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML).")


@click.group(invoke_without_command=True)
@click.pass_context
@_CONFIG
def certificate(ctx: click.Context, config: Path | None) -> None:
    """Show the certificate authority's fingerprint, to compare with what a device shows."""
    ctx.obj = configure({}, os.environ, config).settings
    if ctx.invoked_subcommand is None:
        store = CertificateStore(tls_folder(ctx.obj), certificate_names(ctx.obj, addresses()))
        click.echo(f"Authority:    {store.folder / 'authority.pem'}")
        click.echo(f"SHA-256:      {store.authority.fingerprint}")
        click.echo(f"Valid until:  {store.authority.certificate.not_valid_after_utc:%Y-%m-%d}")
        click.echo(
            f"Server's:     until {store.certificate.not_valid_after_utc:%Y-%m-%d}, for {', '.join(store.names)}"
        )


@certificate.command()
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.pass_context
def export(ctx: click.Context, file: Path) -> None:
    """Write the authority's certificate (PEM, without its key) to FILE, for devices to trust."""
    store = CertificateStore(tls_folder(ctx.obj), certificate_names(ctx.obj, addresses()))
    try:
        file.write_bytes(store.authority.pem)
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be written ({error.strerror})") from None
    click.echo(file)


@certificate.command()
@click.option("--authority", is_flag=True, help="Make a new authority too; every device has to trust it anew.")
@click.pass_context
def renew(ctx: click.Context, authority: bool) -> None:
    """Make a new server certificate now; a running server takes it at its next start."""
    names, folder = certificate_names(ctx.obj, addresses()), tls_folder(ctx.obj)
    if authority:
        renew_authority(folder, names, datetime.now(UTC))
    store = CertificateStore(folder, names)
    store.refresh(names, force=True)
    click.echo(f"New certificate until {store.certificate.not_valid_after_utc:%Y-%m-%d}, SHA-256 of its authority:")
    click.echo(store.authority.fingerprint)
