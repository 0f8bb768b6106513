"""The closed-set recogniser that such systems began with, beside this product, on a folder of one's own:
``python -m training.closed_set DIR``.

The baseline is what tutorials of a decade build: the face from OpenCV's Haar cascade (Viola and Jones, CVPR 2001), grey
and small, into a small convolutional network that ends in a softmax over the people enrolled. It has one output a
person, so that adding a person is training anew, and it must name one of them whoever it sees.

Both get the same pictures to learn from and the same to be measured on: pictures of the enrolled that were held out,
and pictures of strangers. A picture in which no face is found gets no name.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow tells at length what it did not find

import click
import cv2
import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from models import ModelError, default_cache_dir, load_pack
from pipeline.detect import look_wide
from pipeline.face_models import FaceModels, main_face, read_photo
from pipeline.frame import Image
from pipeline.gallery import Entry, Gallery, Person
from pipeline.templates import fuse_template
from training.identities import IdentitiesError, draw, read_identities, read_picture

STRANGERS = 300  # pictures of them at most: enough to tell shares apart
SIDE = 64  # pixels of the baseline's crop
CASCADE = "haarcascade_frontalface_default.xml"
Finder = Callable[[Image], Image | None]
CropSource = Literal["haar", "pack"]


class CascadeMissing(Exception):
    """This OpenCV has no Haar cascades."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Pictures of the enrolled to learn from and to be measured on, person by person, and pictures of strangers."""

    learn: tuple[tuple[Path, ...], ...]
    held_out: tuple[tuple[Path, ...], ...]
    strangers: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a recogniser did. Shares of pictures, 0–1."""

    name: str
    right: float  # of the held-out pictures
    wrong: float  # got somebody else's name
    unnamed: float  # no face found, or nobody likely enough
    strangers_named: float  # of the strangers' pictures
    add_one: float  # seconds to add a person to the others
    holds: str


def plan_trial(folder: Path, most: int, enrolled: int | None) -> Trial:
    """Who is enrolled (with three pictures or more: a third of each person's are held out) and who is a stranger.

    At least a quarter of the people stay strangers. Raises :class:`IdentitiesError` for too few.
    """
    people = read_identities(folder, most)
    able = sorted((person for person in people if len(person.pictures) >= 3), key=lambda person: draw(person.name))
    limit = min(len(able), len(people) - max(1, len(people) // 4), enrolled or len(able))
    if limit < 2:
        raise IdentitiesError(
            f"{folder}: {len(able)} of {len(people)} people have three pictures; needed are three people, "
            f"two of them with three pictures or more"
        )
    chosen = able[:limit]
    held = [max(1, len(person.pictures) // 3) for person in chosen]
    strangers = [picture for person in people if person not in chosen for picture in person.pictures]
    return Trial(
        tuple(person.pictures[count:] for person, count in zip(chosen, held, strict=True)),
        tuple(person.pictures[:count] for person, count in zip(chosen, held, strict=True)),
        tuple(sorted(strangers, key=lambda path: draw(path.name))[:STRANGERS]),
    )


def haar_finder() -> Finder:
    """The largest face of OpenCV's Haar cascade. Raises :class:`CascadeMissing` where OpenCV no longer has it."""
    path = Path(getattr(getattr(cv2, "data", None), "haarcascades", "")) / CASCADE
    if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
        raise CascadeMissing(
            f"OpenCV {cv2.__version__} has no Haar cascades any more; install opencv-python below 5, "
            f"or give the baseline the pack's own detector with --crops pack"
        )
    cascade = cv2.CascadeClassifier(str(path))

    def find(image: Image) -> Image | None:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        boxes = cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(24, 24))
        return _grey_crop(grey, max(boxes, key=lambda box: box[2] * box[3])) if len(boxes) else None

    return find


def pack_finder(models: FaceModels) -> Finder:
    """The largest face of the pack's detector, cut as the cascade's would be: a box, not brought upright."""

    def find(image: Image) -> Image | None:
        found = look_wide(models.detector, image, 320, 640)
        if not len(found):
            return None
        x, y, w, h = found.boxes[int(np.argmax(found.boxes[:, 2] * found.boxes[:, 3]))]
        side = max(w, h)
        box = np.array([x + w / 2 - side / 2, y + h / 2 - side / 2, side, side])
        return _grey_crop(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), box)

    return find


def _grey_crop(grey: Any, box: Any) -> Image:
    x, y, w, h = (round(float(value)) for value in box)
    x, y = max(x, 0), max(y, 0)
    part = grey[y : max(y + h, y + 1), x : max(x + w, x + 1)]
    return np.asarray(cv2.equalizeHist(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)), np.uint8)


def build_classifier(people: int) -> keras.Model:
    """Grey crops 0–255 (N, S, S, 1) → probabilities (N, people). Varied in training as such tutorials do."""
    image = keras.Input((SIDE, SIDE, 1))
    plane = layers.Rescaling(1 / 255)(image)
    plane = layers.RandomFlip("horizontal")(plane)
    plane = layers.RandomTranslation(0.06, 0.06)(plane)
    plane = layers.RandomRotation(0.03)(plane)
    for channels in (32, 64, 128):
        plane = layers.Conv2D(channels, 3, activation="relu")(plane)
        plane = layers.MaxPooling2D()(plane)
    feature = layers.Dense(128, activation="relu")(layers.Flatten()(plane))
    return keras.Model(image, layers.Dense(people, activation="softmax")(layers.Dropout(0.5)(feature)))


def train_classifier(crops: Sequence[Sequence[Image]], epochs: int, seed: int) -> Any:
    """A classifier of these people, from nothing: it has no other way to learn a new one."""
    keras.utils.set_random_seed(seed)
    model = build_classifier(len(crops))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy())
    images = np.stack([crop for own in crops for crop in own])[..., None].astype(np.float32)
    people = np.repeat(np.arange(len(crops)), [len(own) for own in crops])
    model.fit(images, people, epochs=epochs, batch_size=min(16, len(images)), verbose=0)
    return model


def try_baseline(trial: Trial, find: Finder, source: CropSource, epochs: int, seed: int) -> Outcome:
    """Train and measure the baseline. Raises :class:`IdentitiesError` if no face of a person is found."""
    began = time.perf_counter()
    crops = [_crops(find, pictures) for pictures in trial.learn]
    if empty := sum(not own for own in crops):
        raise IdentitiesError(f"of {empty} people no face is found in any picture to learn from; leave them out")
    model = train_classifier(crops, epochs, seed)
    # All but the new person's crops could have been kept: what it takes to add one is the training.
    seconds = time.perf_counter() - began

    def name(picture: Path) -> int | None:
        crop = find(read_picture(picture))
        return None if crop is None else int(np.argmax(model(crop[None, ..., None].astype(np.float32))[0]))

    title = f"closed set: small CNN on {'Haar' if source == 'haar' else 'the pack’s'} crops"
    return _measured(title, trial, name, seconds, f"{len(trial.learn)}, one output each; one more: train again")


def try_product(trial: Trial, models: FaceModels) -> Outcome:
    """Enrol and measure with the product's own models and decision rule."""
    entries: list[Entry] = []
    began = time.perf_counter()
    for number, pictures in enumerate(trial.learn):
        samples = [face for picture in pictures if (face := _embedded(models, picture)) is not None]
        if samples:
            entries.append((Person(str(number), str(number)), fuse_template(samples), None))
    seconds = (time.perf_counter() - began) / len(trial.learn)
    gallery = Gallery.build(entries, models.embedder.spec.dimension, models.manifest.digest, version=1)

    def name(picture: Path) -> int | None:
        face = _embedded(models, picture)
        if face is None:
            return None
        opinion = models.matcher.decide(face, gallery)
        return int(opinion.person) if opinion.verdict.value == "known" and opinion.person is not None else None

    return _measured(
        f"Visavis, pack {models.manifest.name}", trial, name, seconds, f"{len(entries)}; one more: nothing else changes"
    )


def _crops(find: Finder, pictures: Sequence[Path]) -> list[Image]:
    return [crop for picture in pictures if (crop := find(read_picture(picture))) is not None]


def _embedded(models: FaceModels, picture: Path) -> NDArray[np.float32] | None:
    image = read_picture(picture)
    face = main_face(read_photo(models, image), image.shape[1], image.shape[0])
    return None if face is None else face.embedding


def _measured(title: str, trial: Trial, name: Callable[[Path], int | None], seconds: float, holds: str) -> Outcome:
    truth = [(number, picture) for number, own in enumerate(trial.held_out) for picture in own]
    named: NDArray[np.int64] = np.array([-1 if (n := name(p)) is None else n for _, p in truth])
    right = named == np.array([number for number, _ in truth])
    strangers = float(np.mean([name(picture) is not None for picture in trial.strangers]))
    unnamed = float((named < 0).mean())
    return Outcome(title, float(right.mean()), 1 - unnamed - float(right.mean()), unnamed, strangers, seconds, holds)


def as_table(outcomes: Sequence[Outcome]) -> str:
    """Outcomes side by side, as a table of Markdown."""
    rows = [
        ("held-out pictures: right name", [f"{100 * o.right:.1f} %" for o in outcomes]),
        ("… wrong name", [f"{100 * o.wrong:.1f} %" for o in outcomes]),
        ("… no name: not sure, or no face found", [f"{100 * o.unnamed:.1f} %" for o in outcomes]),
        ("strangers' pictures that got a name", [f"{100 * o.strangers_named:.1f} %" for o in outcomes]),
        ("seconds to add one person", [f"{o.add_one:.2g}" for o in outcomes]),
        ("people it holds", [o.holds for o in outcomes]),
    ]
    lines = ["| | " + " | ".join(o.name for o in outcomes) + " |", "|---" * (len(outcomes) + 1) + "|"]
    return "\n".join([*lines, *(f"| {label} | " + " | ".join(cells) + " |" for label, cells in rows)])


@click.command()
@click.argument("identities", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option("--pack", default="open", show_default=True, help="Pack the baseline is compared with.")
@click.option("--models-dir", type=click.Path(path_type=Path), default=default_cache_dir, help="Folder of the packs.")
@click.option("--crops", type=click.Choice(["haar", "pack"]), default="haar", show_default=True,
              help="Where the baseline's faces come from: OpenCV's cascade, or the pack's detector.")  # fmt: skip
@click.option("--enrolled", type=click.IntRange(2), default=None, help="Enrol so many at most.")
@click.option("--images-per-person", type=click.IntRange(3), default=20, show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=60, show_default=True, help="Of the baseline.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def main(
    identities: Path,
    pack: str,
    models_dir: Path,
    crops: CropSource,
    enrolled: int | None,
    images_per_person: int,
    epochs: int,
    seed: int,
    as_json: bool,
) -> None:
    """Compare a closed-set recogniser with this product on DIR/PERSON/PICTURE."""
    try:
        trial = plan_trial(identities, images_per_person, enrolled)
        loaded = load_pack(pack, models_dir, "cpu", lambda line: click.echo(line, err=True))
        models = FaceModels.from_pack(loaded)
        find = haar_finder() if crops == "haar" else pack_finder(models)
        outcomes = [try_baseline(trial, find, crops, epochs, seed), try_product(trial, models)]
    except (IdentitiesError, CascadeMissing, ModelError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps([asdict(outcome) for outcome in outcomes], indent=1, ensure_ascii=False))
        return
    click.echo(
        f"{len(trial.learn)} people enrolled from {sum(map(len, trial.learn))} pictures; "
        f"{sum(map(len, trial.held_out))} of theirs held out, {len(trial.strangers)} of strangers\n"
    )
    click.echo(as_table(outcomes))


if __name__ == "__main__":
    main()
