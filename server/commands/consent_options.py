"""Why people may be recognised, as flags of the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from server.people.consent import PURPOSE, BadConsent, Terms
from server.storage import NewConsent
from server.storage.consent_values import LAWFUL

_FLAGS = (
    click.option("--basis", type=click.Choice(LAWFUL), help="Why they may be recognised; see the setting consent."),
    click.option("--purpose", help=f"What for. [default: {PURPOSE}]"),
    click.option("--given", metavar="DAY", help="When they agreed. [default: today]"),
    click.option("--expires", metavar="DAY", help="The last day, or never. [default: as consent_days says]"),
)


def consent_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--basis``, ``--purpose``, ``--given`` and ``--expires``."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def consent_of(
    terms: Terms, basis: str | None, purpose: str | None, given: str | None, expires: str | None
) -> NewConsent | None:
    """What the flags say; ``None`` where they say nothing. Raises ``click.ClickException``."""
    if basis is None:
        if purpose is not None or given is not None or expires is not None:
            raise click.UsageError("--purpose, --given and --expires need --basis")
        return None
    said: dict[str, Any] = {"purpose": PURPOSE if purpose is None else purpose, "basis": basis, "given": given}
    if expires is not None:
        said["expires"] = None if expires == "never" else expires
    try:
        return terms.read(said, datetime.now(UTC))
    except BadConsent as error:
        raise click.ClickException(f"{error}") from None
