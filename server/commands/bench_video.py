"""``visavis bench video``: what the pipeline costs on a video, beside detecting and embedding on every frame."""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np

from pipeline.align import face_chip
from pipeline.face_models import FaceModels
from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline
from pipeline.gallery import Gallery
from pipeline.metrics import percentile
from server.commands.models_option import models_options
from server.commands.report import show
from server.commands.video_file import read_frames
from tracking import boxes_of, iou_matrix

FOUND = 0.3  # overlap above which two boxes are about the same face


@click.command("video")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--every-frame", is_flag=True, help="Beside it: detect and embed every face on every frame.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@models_options
def bench_video(models: FaceModels, file: Path, every_frame: bool, as_json: bool) -> None:
    """Pipeline and tracker alone on a video file: CPU per frame, share of frames detected on."""
    gallery = Gallery.empty(models.embedder.spec.dimension, models.manifest.digest)
    pipeline = FramePipeline(models, lambda: gallery)
    ours: list[float] = []
    theirs: list[float] = []
    overlaps: list[float] = []
    keyframes = embedded = 0
    for frame in read_frames(file):
        _ = frame.image  # conversion is not inference: both sides get it for nothing
        start = time.thread_time()
        result = pipeline.process(frame)
        ours.append((time.thread_time() - start) * 1e3)
        keyframes, embedded = keyframes + result.keyframe, embedded + result.embedded
        if every_frame:
            start = time.thread_time()
            boxes = _detect_and_embed(models, frame)
            theirs.append((time.thread_time() - start) * 1e3)
            overlaps += _overlaps(boxes, boxes_of(pipeline.tracker.visible))
    if not ours:
        raise click.ClickException(f"{file}: no frame could be read")
    rows = [
        ("frames", len(ours)),
        ("detected on [% of frames]", round(100 * keyframes / len(ours), 1)),
        ("faces embedded", embedded),
        ("CPU per frame, mean [ms]", round(float(np.mean(ours)), 2)),
        ("CPU per frame, median [ms]", round(percentile(ours, 50), 2)),
        ("CPU per frame, 95th percentile [ms]", round(percentile(ours, 95), 2)),
    ]
    if every_frame:
        found = [overlap for overlap in overlaps if overlap >= FOUND]
        rows += [
            ("every frame: CPU per frame, mean [ms]", round(float(np.mean(theirs)), 2)),
            ("CPU saved, times", round(float(np.mean(theirs)) / max(float(np.mean(ours)), 1e-9), 1)),
            ("faces detected on every frame", len(overlaps)),
            ("… of them also tracked [%]", round(100 * len(found) / max(len(overlaps), 1), 1)),
            ("overlap with them, median [IoU]", round(percentile(overlaps, 50), 3)),
            ("overlap with them, 10th percentile [IoU]", round(percentile(overlaps, 10), 3)),
        ]
    show(f"Pipeline with pack {models.manifest.name}: {file.name}", rows, as_json)


def _detect_and_embed(models: FaceModels, frame: Frame) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    found = models.detector.detect(frame.image, 640)
    spec = models.embedder.spec
    if len(found):
        models.embedder.embed([face_chip(frame.image, points, spec.template, spec.size) for points in found.landmarks])
    return found.boxes


def _overlaps(
    detected: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    tracked: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> list[float]:
    """For every detected face the overlap with the nearest track; 0 where there is none."""
    if len(detected) == 0:
        return []
    if len(tracked) == 0:
        return [0.0] * len(detected)
    return [float(v) for v in iou_matrix(detected, tracked).max(1)]
