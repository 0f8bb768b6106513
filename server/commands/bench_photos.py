"""``visavis bench photos``: milliseconds from a photo's bytes to its answer, and photos a second in a batch."""

from __future__ import annotations

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from pipeline.face_models import FaceModels
from pipeline.gallery import Gallery
from pipeline.metrics import percentile
from server.commands.models_option import models_options
from server.commands.report import table
from server.media.decoder import Decoder, DecoderDown
from server.media.decoding import Unreadable
from server.photos.routes import recognise_bytes

ROUNDS = 15  # of each photo on its own


@click.command("photos")
@click.argument("photos", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--batch", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Photos in the batch.")
@click.option("--threads", type=click.IntRange(1, 64), default=2, show_default=True, help="On how many threads.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@models_options
def bench_photos(models: FaceModels, photos: tuple[Path, ...], batch: int, threads: int, as_json: bool) -> None:
    """PHOTOS one by one, then a batch of them, as the server does it; nobody is known."""
    nobody = Gallery.empty(models.manifest.embedder.dimension, models.manifest.digest)
    data = [photo.read_bytes() for photo in photos]
    try:
        decoding = Decoder(threads)
    except DecoderDown as down:
        raise click.ClickException(str(down)) from down
    with contextlib.closing(decoding) as decoder, ThreadPoolExecutor(threads) as pool:
        rows = [
            _one(models, nobody, photo, content, decoder, pool) for photo, content in zip(photos, data, strict=True)
        ]
        start = time.perf_counter()
        list(pool.map(lambda i: recognise_bytes(models, nobody, data[i % len(data)], decoder.decode), range(batch)))
        rate = batch / (time.perf_counter() - start)
    columns = ("photo", "pixels", "faces", "median ms", "p95 ms")
    if as_json:
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        click.echo(json.dumps({"photos": found, "batch": batch, "threads": threads, "per_second": round(rate, 1)}))
    else:
        table(columns, rows)
        click.echo(f"A batch of {batch} on {threads} threads: {rate:.1f} photos a second")


def _one(
    models: FaceModels, nobody: Gallery, photo: Path, content: bytes, decoder: Decoder, pool: ThreadPoolExecutor
) -> tuple[Any, ...]:
    """A photo that comes alone, again and again."""
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        try:
            answer = pool.submit(recognise_bytes, models, nobody, content, decoder.decode, pool).result()
        except Unreadable as why:
            raise click.ClickException(f"{photo}: {why}") from why
        times.append((time.perf_counter() - start) * 1e3)
    del times[0]  # the first at a new size warms the networks up
    size = f"{answer['width']}×{answer['height']}"
    return photo.name, size, len(answer["faces"]), round(percentile(times, 50), 1), round(percentile(times, 95), 1)
