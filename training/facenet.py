"""Train a FaceNet-style embedder on a folder of people and make a pack of it: ``python -m training.facenet DIR …``.

An Inception-ResNet-v1 (:mod:`training.inception_resnet`) learns whose picture it sees, by cross-entropy over the
people of the folder. Some people are kept out; on pictures of those, which it never learnt from, the embedder is then
measured, and threshold and calibration are fitted. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow tells at length what it did not find

import click
import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from models import EmbedderSpec, ModelError, create_session, default_cache_dir, load_pack
from pipeline.embed import FaceNetEmbedder, embed_chip
from pipeline.face_models import FaceModels
from training.calibrate import Faces
from training.identities import Crop, IdentitiesError, Parts, align, chip_template, middle, read_identities, split
from training.inception_resnet import LEAST_SIDE, PLANS, Plan, Size, build_embedder, with_classifier
from training.loop import Interrupted, fit
from training.onnx_export import export_onnx
from training.onnx_graph import ExportError
from training.pack_export import (
    EMBEDDER,
    INPUT_MEAN,
    INPUT_SCALE,
    PackRefused,
    Verification,
    claim_name,
    fit_matching,
    verify,
    write_pack,
)

LARGEST_DIFFERENCE = 1e-4  # between Keras and the exported graph
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run depends on beside its pictures: the same ones give the same weights."""

    epochs: int
    patience: int  # epochs without gain on the validation pictures
    batch: int
    rate: float = 1e-3
    decay: float = 5e-4
    scale: float = 16.0  # of the cosines that are the classifier's logits
    smoothing: float = 0.1
    precision: str = "float32"
    seed: int = 1


class IdentityBatches(keras.utils.PyDataset):
    """Chips (N, S, S, 3), about −1 … 1, and people (N, P) one-hot; epoch and place decide every random draw.

    Learning sees each crop shifted, mirrored, lit and sometimes coarse; with ``fixed`` its middle as it is.
    """

    def __init__(self, crops: Sequence[Crop], people: int, side: int, settings: Settings, fixed: bool = False) -> None:
        super().__init__(workers=min(8, os.cpu_count() or 1), use_multiprocessing=False, max_queue_size=8)
        self.epoch = 0
        self._crops, self._people, self._side, self._fixed = crops, people, side, fixed
        self._batch, self._seed = min(settings.batch, len(crops)), settings.seed

    def __len__(self) -> int:
        # The last, smaller batch would unsettle batch normalisation.
        return -(-len(self._crops) // self._batch) if self._fixed else len(self._crops) // self._batch

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        order = np.arange(len(self._crops))
        if not self._fixed:
            order = np.random.default_rng([self._seed, self.epoch]).permutation(len(self._crops))
        chosen = [self._crops[i] for i in order[index * self._batch : (index + 1) * self._batch]]
        random = np.random.default_rng([self._seed, self.epoch, index, 1])
        chips = [middle(c.read(), self._side) if self._fixed else _vary(c, self._side, random) for c in chosen]
        scaled = (np.stack(chips).astype(np.float32) - np.float32(INPUT_MEAN)) * np.float32(INPUT_SCALE)
        return scaled, keras.utils.to_categorical([crop.person for crop in chosen], self._people)

    def on_epoch_end(self) -> None:
        """Draw afresh."""
        self.epoch += 1


def _vary(crop: Crop, side: int, random: np.random.Generator) -> NDArray[np.uint8]:
    image = crop.read()
    top, left = random.integers(0, len(image) - side + 1, 2)
    chip = image[top : top + side, left : left + side]
    if random.random() < 0.5:
        chip = chip[:, ::-1]
    if random.random() < 0.2:  # as from further away
        small = int(random.integers(side // 4, side))
        chip = cv2.resize(cv2.resize(chip, (small, small), interpolation=cv2.INTER_AREA), (side, side)).astype(np.uint8)
    contrast, light = random.uniform(0.8, 1.2), random.uniform(-25, 25)
    lit = contrast * (chip.astype(np.float32) - 127.5) + 127.5 + light
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def train_embedder(parts: Parts, plan: Plan, settings: Settings, run: Path, verbose: int | str = "auto") -> Any:
    """The embedder with the weights that did best on the validation pictures. TensorBoard reads ``run``/logs.

    Raises :class:`training.loop.Interrupted` if ``run`` holds a run with other settings or pictures.
    """
    _claim_run(run, parts, plan, settings)
    batches = IdentityBatches(parts.train, parts.people, plan.side, settings)
    before = keras.mixed_precision.global_policy().name
    keras.utils.set_random_seed(settings.seed)
    keras.mixed_precision.set_global_policy(settings.precision)
    try:
        embedder = build_embedder(plan)
        model = with_classifier(embedder, parts.people, settings.scale)
    finally:
        keras.mixed_precision.set_global_policy(before)
    rate = keras.optimizers.schedules.CosineDecay(settings.rate, settings.epochs * len(batches), alpha=0.01)
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=settings.decay, clipnorm=5.0),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        auto_scale_loss=settings.precision == "mixed_float16",
    )
    validation = IdentityBatches(parts.validation, parts.people, plan.side, settings, fixed=True)
    fit(
        model,
        batches,
        validation,
        epochs=settings.epochs,
        folder=run,
        patience=settings.patience,
        monitor="val_loss",
        verbose=verbose,
    )
    return embedder


def _claim_run(run: Path, parts: Parts, plan: Plan, settings: Settings) -> None:
    pictures = hashlib.sha256()
    for crop in (*parts.train, None, *parts.validation):
        pictures.update(f"{crop and (crop.path.parent.name, crop.path.name, crop.person)}\n".encode())
    wanted = {"plan": asdict(plan), "settings": asdict(settings), "pictures": pictures.hexdigest()}
    wanted = json.loads(json.dumps(wanted))
    note = run / "run.json"
    if note.exists() and json.loads(note.read_text()) != wanted:
        raise Interrupted(f"{run} holds a run with other settings or pictures; name another folder, or delete it")
    run.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted, indent=1))


def export_embedder(embedder: Any, path: Path) -> float:
    """Write the ONNX file; returns its largest difference from Keras. Raises :class:`ExportError` if that is large."""
    difference = export_onnx(embedder, path, input_name="image", output_names=["embedding"], input_range=(-1.0, 1.0))
    if difference > LARGEST_DIFFERENCE:
        raise ExportError(f"the exported graph differs from the network by {difference:.2g}")
    return difference


def embed_crops(path: Path, crops: Sequence[Crop], plan: Plan) -> Faces:
    """Crops as the server embeds them: through the exported file, each with its mirror image."""
    spec = EmbedderSpec(
        "facenet", path.name, plan.side, plan.dimension, chip_template(plan.side), True, 0, INPUT_MEAN, INPUT_SCALE
    )
    embedder = FaceNetEmbedder(create_session(path, ("CPUExecutionProvider",)), spec)
    found = [embed_chip(embedder, middle(crop.read(), plan.side), spec.mirror) for crop in crops]
    return Faces(np.stack(found), np.array([crop.person for crop in crops]))


def make_pack(
    embedder: Any, parts: Parts, plan: Plan, run: Path, models_dir: Path, name: str, licence: str
) -> tuple[Path, Verification]:
    """Export, measure on people never learnt, fit, write the pack; returns its folder and the figures."""
    path = run / EMBEDDER
    export_embedder(embedder, path)
    faces = embed_crops(path, parts.verification, plan)
    figures, matching = verify(faces), fit_matching(faces)
    folder = write_pack(
        models_dir,
        name,
        path,
        side=plan.side,
        dimension=plan.dimension,
        template=chip_template(plan.side),
        matching=matching,
        licence=licence,
        summary=f"trained here on {parts.people} people and {len(parts.train)} pictures; "
        f"{100 * figures.accuracy:.1f} % of pairs right on {figures.people} others",
    )
    (run / "figures.json").write_text(json.dumps(asdict(figures), indent=1))
    return folder, figures


@click.command()
@click.argument("identities", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option("--crops", type=click.Path(file_okay=False, path_type=Path), required=True, help="Keeps aligned faces.")
@click.option("--run", type=click.Path(file_okay=False, path_type=Path), required=True, help="Keeps the run itself.")
@click.option("--name", required=True, help="The pack's name: small letters, digits and _.")
@click.option("--licence", default="unstated: ask whoever holds the pictures", show_default=True,
              help="Under what terms the pack may be used; the pictures decide.")  # fmt: skip
@click.option("--size", type=click.Choice(get_args(Size)), default="compact", show_default=True)
@click.option("--side", type=click.IntRange(LEAST_SIDE), default=None, help="Chip in pixels  [default: 96, full: 160]")
@click.option("--images-per-person", type=click.IntRange(2), default=None, help="At most  [default: 40, full: 500]")
@click.option("--least", type=click.IntRange(1), default=2, show_default=True, help="People with fewer stay out.")
@click.option("--held-out", type=click.FloatRange(0.01, 0.5), default=0.2, show_default=True,
              help="Share of the people it is measured on and never learns.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), default=None, help="At most  [default: 40, full: 90]")
@click.option("--patience", type=click.IntRange(1), default=10, show_default=True, help="Epochs without gain.")
@click.option("--batch", type=click.IntRange(2), default=None, help="Pictures a step  [default: 32, full: 128]")
@click.option("--precision", type=click.Choice(PRECISIONS), default="float32", show_default=True,
              help="mixed_float16 on GPUs, mixed_bfloat16 on CPUs with AMX.")  # fmt: skip
@click.option("--models-dir", type=click.Path(path_type=Path), default=default_cache_dir, help="Folder of the packs.")
@click.option("--seed", type=int, default=1, show_default=True)
def main(
    identities: Path,
    crops: Path,
    run: Path,
    name: str,
    licence: str,
    size: Size,
    side: int | None,
    images_per_person: int | None,
    least: int,
    held_out: float,
    epochs: int | None,
    patience: int,
    batch: int | None,
    precision: str,
    models_dir: Path,
    seed: int,
) -> None:
    """Train an embedder on DIR/PERSON/PICTURE and write it as a pack."""
    full = size == "full"
    plan = PLANS[size] if side is None else replace(PLANS[size], side=side)
    settings = Settings(
        epochs or (90 if full else 40), patience, batch or (128 if full else 32), precision=precision, seed=seed
    )
    try:
        claim_name(models_dir, name)
        people = read_identities(identities, images_per_person or (500 if full else 40), least)
        models = FaceModels.from_pack(load_pack("open", models_dir, "cpu", click.echo))
        with click.progressbar(length=sum(len(person.pictures) for person in people), label="Aligning faces") as bar:
            aligned, left_out = align(people, models.detector, plan.side, crops, lambda done, total: bar.update(1))
        if left_out:
            click.echo(f"{left_out} pictures without a face or unreadable: left out")
        parts = split(aligned, held_out)
        click.echo(
            f"{parts.people} people to learn, {len(parts.train)} pictures; {len(parts.validation)} to stop by; "
            f"{len(parts.verification)} pictures of others to be measured on"
        )
        embedder = train_embedder(parts, plan, settings, run)
        folder, figures = make_pack(embedder, parts, plan, run, models_dir, name, licence)
    except (IdentitiesError, Interrupted, PackRefused, ExportError, ModelError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(figures.lines()))
    if size == "compact":
        click.echo("This is a compact network: it shows how training goes. For use, train the full one on many people.")
    click.echo(f"{folder}\nTry it: visavis --pack {name}")


if __name__ == "__main__":
    main()
