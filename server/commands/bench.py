"""``visavis bench``: how fast it is on this machine."""

from __future__ import annotations

import click

from server.commands.bench_cores import bench_cores
from server.commands.bench_live import bench_live
from server.commands.bench_photos import bench_photos
from server.commands.bench_reading import bench_reading
from server.commands.bench_search import bench_search
from server.commands.bench_vault import bench_vault
from server.commands.bench_video import bench_video
from server.commands.bench_videos import bench_videos


@click.group()
def bench() -> None:
    """Measure speed on this machine."""


bench.add_command(bench_cores)
bench.add_command(bench_live)
bench.add_command(bench_photos)
bench.add_command(bench_reading)
bench.add_command(bench_search)
bench.add_command(bench_vault)
bench.add_command(bench_video)
bench.add_command(bench_videos)
