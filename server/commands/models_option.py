"""The options every measuring command shares: which pack, from where, on what."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import cv2

from models import ModelError, ProviderSetting, default_cache_dir, load_pack
from pipeline.face_models import FaceModels


def models_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--pack``, ``--models-dir`` and ``--provider``; the command gets a ready :class:`FaceModels` as
    ``models``."""

    @click.option("--pack", default="open", show_default=True, help="Model pack; see `visavis models list`.")
    @click.option("--models-dir", type=click.Path(path_type=Path), help="Folder of the packs.")
    @click.option("--provider", type=click.Choice(get_args(ProviderSetting)), default="auto", show_default=True)
    @functools.wraps(command)
    def wrapped(pack: str, models_dir: Path | None, provider: ProviderSetting, **rest: Any) -> Any:
        cv2.setNumThreads(1)
        try:
            loaded = load_pack(
                pack, models_dir or default_cache_dir(), provider, lambda line: click.echo(line, err=True)
            )
        except ModelError as error:
            raise click.ClickException(str(error)) from error
        return command(models=FaceModels.from_pack(loaded), **rest)

    return wrapped
