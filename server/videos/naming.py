"""Somebody unknown in a video is given a name: the best looks at them become a person's samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.face_models import FaceModels
from pipeline.gallery import Person
from pipeline.templates import choose_samples, fuse_template
from server.people import People
from server.people.inbox import DifferentPerson
from server.people.known_template import known_template
from server.people.model_change import embed_again
from server.storage import NewConsent, NewPerson, NewSample, clean_name
from server.storage.model_change import CroppedSample
from server.videos.appearances import Appearance
from server.videos.files import Pick
from tracking import Embedding

SAMPLES = 8
SOURCE = "video"


class NothingToNameBy(ValueError):
    """No look at this face was good enough to know it again; the message says so."""


def samples_of(
    one: Appearance, picture: Callable[[str], bytes | None], models: FaceModels, keep_crops: bool
) -> list[NewSample]:
    """The best looks at somebody that differ, with their embeddings; ``picture`` gives one by its name. Blocks.

    Raises :class:`NothingToNameBy`.
    """
    picks = [pick for track in one.tracks for pick in track.picks]
    read = [(pick, _crop(pick, picture)) for pick in picks]
    found = dict(embed_again(models, [crop for _, crop in read if crop is not None]))
    usable = [(pick, crop, found[pick.file]) for pick, crop in read if crop is not None and pick.file in found]
    if not usable:
        raise NothingToNameBy("This face was never seen well enough to be known again.")
    qualities = np.array([pick.quality for pick, _, _ in usable], np.float32)
    kept = choose_samples(np.stack([embedding for _, _, embedding in usable]), qualities, SAMPLES)
    return [_sample(*usable[int(index)], keep_crops) for index in kept]


async def enrol_as(
    people: People,
    models: FaceModels,
    samples: list[NewSample],
    name: str,
    room: str | None = None,
    consent: NewConsent | None = None,
    by: str = "server",
) -> Person:
    """Give samples to whoever bears the name, or to somebody new.

    Raises :class:`server.storage.BadName`, :class:`server.people.inbox.DifferentPerson` and what
    :meth:`server.people.People.enrol` raises.
    """
    name = clean_name(name)
    same = await people.find(name, room)
    if same is not None:
        template = await known_template(people, same)
        shown = fuse_template([sample.embedding for sample in samples], [sample.quality for sample in samples])
        alike = None if template is None else models.matcher.similarity(template, shown)
        if alike is not None and alike < models.matcher.threshold(1):
            raise DifferentPerson(f"there is a {same.name} already who looks different; choose another name")
    batch = tuple(samples)
    new = NewPerson(name, batch, room) if same is None else NewPerson(same.name, batch, same.room, same.id)
    return (await people.enrol([new], consent, by)).people[0]


def _crop(pick: Pick, picture: Callable[[str], bytes | None]) -> CroppedSample | None:
    try:
        jpeg = picture(pick.file)
    except OSError:
        return None
    if jpeg is None:
        return None
    return CroppedSample(pick.file, jpeg, np.array(pick.landmarks, np.float32).reshape(5, 2))


def _sample(pick: Pick, crop: CroppedSample, embedding: Embedding, keep_crop: bool) -> NewSample:
    kept = (crop.jpeg, crop.landmarks) if keep_crop else (None, None)
    return NewSample(embedding, pick.quality, SOURCE, pick.yaw, pick.pitch, pick.size, *kept)
