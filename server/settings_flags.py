"""The settings table as command-line flags."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from server.settings import ROWS, TABLE, Row, configure


def settings_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--config`` and a flag for every setting that is no secret.

    The command's first argument is then the :class:`server.settings.Configuration`, further options come by name.
    """

    def configured(config: Path | None, **given: Any) -> None:
        flags = {name: given.pop(name) for name in list(given) if name in ROWS}
        command(configure(flags, os.environ, config), **given)

    configured.__name__, configured.__doc__ = command.__name__, command.__doc__
    for row in reversed(TABLE):
        if row.flag is not None:
            configured = _option(row, row.flag)(configured)
    path = click.Path(path_type=Path)
    return click.option("--config", type=path, help="Settings file (TOML).")(configured)


def _option(row: Row, flag: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    declaration = f"{flag}/--no-{flag[2:]}" if row.switch else flag
    shown = f" [default: {row.shown}]" if row.shown else ""
    return click.option(declaration, row.name, default=None, help=row.help + shown)
