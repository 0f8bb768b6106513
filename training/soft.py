"""Train the soft-biometrics ensemble and make it ready to ship: ``python -m training.soft train | export``.

``train`` runs each network through :func:`training.loop.fit`; a run that was stopped goes on where it was. ``export``
writes one ONNX file per network, weighs and calibrates them on faces none was trained on, and measures on others.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow tells at length what it did not find

import click
import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from models import ModelError, default_cache_dir, ensure_pack, load_pack
from pipeline.attributes import AGES
from pipeline.face_models import FaceModels
from training.crops import CropBatches, opinions_of
from training.dlib_weights import begin_with_dlib
from training.faces import LabelledFace, LabelsError, Layout, Split, find_faces, read_labels, unlabelled
from training.loop import Interrupted, fit
from training.losses import ArcFaceLoss, DistributionLoss
from training.networks import ARCHITECTURES, Architecture, Size, build_network, without_face

GENDER_SCALE = 12.0  # of the ArcFace loss: cosines to logits
SIDES = {"compact": 118, "full": 224}  # pixels
LOSSES = {
    "gender": ArcFaceLoss(scale=GENDER_SCALE),
    "age": DistributionLoss(AGES),
    "face": keras.losses.CosineSimilarity(),
}
LOSS_WEIGHTS = {"gender": 1.0, "age": 0.6, "face": 2.0}
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def soft() -> None:
    """Apparent gender and age: train the three networks, then export them."""


def data_options(command: Any) -> Any:
    """The options that say where the labelled faces are."""
    for option in (
        click.option("--limit", type=click.IntRange(8), help="Only so many pictures, for a trial."),
        click.option("--out", type=FOLDER, required=True, help="Folder of the runs; made if need be."),
        click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True),
        click.option("--labels", type=click.Path(exists=True, path_type=Path), required=True),
        click.option(
            "--layout", type=click.Choice(get_args(Layout)), default="csv", show_default=True,
            help="csv (file,gender[,age]), celeba (list_attr_celeba.txt) or utkface (a folder).",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@soft.command()
@data_options
@click.option("--size", type=click.Choice(get_args(Size)), default="compact", show_default=True)
@click.option("--network", "networks", type=click.Choice(ARCHITECTURES), multiple=True, help="Default: all three.")
@click.option("--epochs", type=click.IntRange(1), default=24, show_default=True)
@click.option("--patience", type=click.IntRange(1), default=8, show_default=True, help="Epochs without gain.")
@click.option("--batch", type=click.IntRange(2), default=64, show_default=True)
@click.option("--rate", type=click.FloatRange(1e-6, 1), default=None, help="Learning rate; default: the network's.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="float32", show_default=True,
    help="mixed_bfloat16 for the residual network on CPUs with AMX, mixed_float16 on GPUs.",
)  # fmt: skip
@click.option("--teach/--no-teach", default=True, show_default=True, help="The first network teaches the others.")
@click.option("--imitate/--no-imitate", default=True, show_default=True,
              help="Learn to see what the open pack's embedder sees in the undegraded picture.")  # fmt: skip
@click.option("--more", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder of further pictures without labels, to imitate on.")  # fmt: skip
@click.option("--begin", type=click.Choice(["dlib", "nothing"]), default="dlib", show_default=True,
              help="What the compact residual network begins with.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True)
def train(
    layout: Layout,
    labels: Path,
    images: Path,
    out: Path,
    limit: int | None,
    size: Size,
    networks: tuple[Architecture, ...],
    epochs: int,
    patience: int,
    batch: int,
    rate: float | None,
    precision: str,
    teach: bool,
    imitate: bool,
    more: Path | None,
    begin: str,
    seed: int,
) -> None:
    """Train one or all networks; stop with Ctrl-C, go on with the same command."""
    models, faces = _faces(layout, labels, images, out, limit)
    learn, check = (_of(faces, split) for split in ("train", "calibration"))
    if more is not None:
        learn += _unlabelled(more, models, out)
    side = SIDES[size]
    template = _template(models, side)
    keras.mixed_precision.set_global_policy(precision)
    opinions = None
    for architecture in networks or ARCHITECTURES:
        folder = out / size / architecture
        teacher = out / size / ARCHITECTURES[0] / "model.keras"
        if teach and architecture != ARCHITECTURES[0]:
            if not teacher.exists():
                raise click.ClickException(f"{ARCHITECTURES[0]} is the teacher: train it first, or say --no-teach")
            opinions = opinions or opinions_of(
                keras.models.load_model(teacher, compile=False), learn, template, side, GENDER_SCALE
            )
        keras.utils.set_random_seed(seed)
        imitated = models.embedder.spec.dimension if imitate else 0
        model = build_network(architecture, size, side, imitated)
        if (architecture, size, begin) == ("residual", "compact", "dlib"):
            graph = ensure_pack("open", default_cache_dir(), click.echo) / "dlib_resnet.onnx"
            begin_with_dlib(model, graph)
        mixed = opinions if architecture != ARCHITECTURES[0] else None
        batches = CropBatches(learn, template, side, batch, seed, opinions=mixed, imitate=imitate)
        checks = CropBatches(check, template, side, batch, seed + 1, fixed=True, imitate=imitate)
        peak = rate or (2.5e-4 if architecture == "residual" and begin == "dlib" else 1.5e-3)
        _compile(model, peak, steps=len(batches) * epochs, warm=max(1, len(batches) // 2))
        click.echo(f"{architecture} ({size}): {model.count_params():,} parameters, {len(learn)} faces")
        try:
            history = fit(model, batches, checks, epochs=epochs, folder=folder, patience=patience)
        except Interrupted as error:
            raise click.ClickException(str(error)) from error
        model.save(folder / "model.keras")
        best = min(history, key=lambda epoch: epoch["val_loss"])
        click.echo(json.dumps({"network": architecture, "epochs": len(history), **best}))


def _compile(model: keras.Model, peak: float, steps: int, warm: int) -> None:
    """AdamW with a warm start and a cosine's decay; gender weighs more than the (numerically larger) age loss."""
    schedule = keras.optimizers.schedules.CosineDecay(
        peak * 0.05, max(1, steps - warm), alpha=0.01, warmup_target=peak, warmup_steps=warm
    )
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-3, global_clipnorm=1.0),
        loss={name: LOSSES[name] for name in model.output},
        loss_weights={name: LOSS_WEIGHTS[name] for name in model.output},
        metrics={"gender": "accuracy"},
    )


@soft.command()
@data_options
@click.option("--size", type=click.Choice(get_args(Size)), default="compact", show_default=True)
@click.option("--network", "networks", type=click.Choice(ARCHITECTURES), multiple=True, help="Default: all three.")
@click.option("--into", type=FOLDER, required=True, help="Folder for the ONNX files, the manifest and the card.")
@click.option("--trained-on", required=True, help="What the card says the networks were trained on.")
@click.option("--licence", required=True, help="On what terms the data, and so the networks, may be used.")
def export(
    layout: Layout,
    labels: Path,
    images: Path,
    out: Path,
    limit: int | None,
    size: Size,
    networks: tuple[Architecture, ...],
    into: Path,
    trained_on: str,
    licence: str,
) -> None:
    """Write ONNX files, manifest and card; prints how well the ensemble does by distance."""
    from training.soft_export import export_ensemble

    models, faces = _faces(layout, labels, images, out, limit)
    side = SIDES[size]
    template = _template(models, side)
    trained: dict[str, keras.Model] = {}
    for architecture in networks or ARCHITECTURES:
        path = out / size / architecture / "model.keras"
        if not path.exists():
            raise click.ClickException(f"{architecture} is not trained yet: {path} is missing")
        keras.mixed_precision.set_global_policy("float32")
        trained[architecture] = _in_float32(path, architecture, size, side)
    export_ensemble(
        trained, models, _of(faces, "train"), _of(faces, "calibration"), _of(faces, "held-back"), template, side, into,
        gender_scale=GENDER_SCALE, trained_on=trained_on, licence=licence, say=click.echo,
    )  # fmt: skip


def _template(models: FaceModels, side: int) -> NDArray[np.float32]:
    """The open pack's own alignment, scaled: what the dlib network's filters know."""
    return np.asarray(models.embedder.spec.template / models.embedder.spec.size * side, np.float32)


def _in_float32(path: Path, architecture: Architecture, size: Size, side: int) -> keras.Model:
    """A trained network whose arithmetic is float32, whatever it was trained in: the product runs it so."""
    trained = keras.models.load_model(path, compile=False)
    imitated = trained.output["face"].shape[-1] if "face" in trained.output else 0
    model = build_network(architecture, size, side, imitated)
    model.set_weights(trained.get_weights())
    return without_face(model)


def _faces(
    layout: Layout, labels: Path, images: Path, out: Path, limit: int | None
) -> tuple[FaceModels, list[LabelledFace]]:
    cv2.setNumThreads(1)
    try:
        models = FaceModels.from_pack(load_pack("open", default_cache_dir(), "auto", click.echo))
        rows = read_labels(layout, labels)
        if limit:
            order = np.random.default_rng(0).permutation(len(rows))[:limit]
            rows = [rows[i] for i in sorted(order)]
        with click.progressbar(length=len(rows), label="Finding faces", file=sys.stderr) as bar:
            faces = find_faces(rows, images, models, out / "faces.npz", lambda done, _: bar.update(1))
    except (LabelsError, ModelError) as error:
        raise click.ClickException(str(error)) from error
    for split in get_args(Split):
        if not _of(faces, split):
            raise click.ClickException(f"{len(rows)} pictures leave no face for the part {split!r}: more are needed")
    click.echo(f"{len(faces)} faces in {len(rows)} pictures")
    return models, faces


def _unlabelled(folder: Path, models: FaceModels, out: Path) -> list[LabelledFace]:
    try:
        labels = unlabelled(folder)
        with click.progressbar(length=len(labels), label="Finding faces", file=sys.stderr) as bar:
            return find_faces(labels, folder, models, out / "more.npz", lambda done, _: bar.update(1))
    except LabelsError as error:
        raise click.ClickException(str(error)) from error


def _of(faces: Sequence[LabelledFace], split: Split) -> list[LabelledFace]:
    return [face for face in faces if face.split == split]


if __name__ == "__main__":
    soft()
