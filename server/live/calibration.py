"""Finding out what the camera in front of somebody is, from a bank card or from where they stand."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from pipeline.distance import USUAL, Camera, camera_from_card, camera_from_known_distance, eye_pixels
from pipeline.results import Face
from server.live.messages import BadMessage, Command

SECONDS = 3.0  # somebody stands still for
LEAST = 10  # frames of them
HUGE = 1e9  # no field of a camera comes near; JSON spells integers that no float can hold


@dataclass(slots=True)
class Standing:
    """Somebody stands at a known distance; sizes are gathered until there are enough."""

    command: int | str | None
    track: int
    metres: float
    began: float | None = None  # media time of the first frame, seconds
    sizes: deque[float] = field(default_factory=lambda: deque(maxlen=300))

    def observe(self, face: Face) -> None:
        """One more frame with the face in it, if it was really seen there, with a size."""
        if not face.age and face.distance is not None:
            self.sizes.append(eye_pixels(face.landmarks, face.box))

    def done(self, now: float) -> bool:
        """Whether the time is over, at a frame of this media time."""
        self.began = now if self.began is None else self.began
        return not 0 <= now - self.began < SECONDS

    def camera(self, picture: tuple[int, int]) -> Camera:
        """What was found out. Raises ``ValueError`` if the face was hardly there, or at no possible distance."""
        if len(self.sizes) < LEAST:
            raise ValueError("the face was not in the picture long enough")
        return camera_from_known_distance(sorted(self.sizes)[len(self.sizes) // 2], self.metres, picture)


def camera_of(command: Command) -> Camera:
    """The camera a ``camera`` message tells of: one found out earlier, a card's, or the usual one.

    Raises :class:`BadMessage`.
    """
    source = command.choice("from", ("card", "kept", "usual"))
    try:
        if source == "card":
            picture = command.integer("width"), command.integer("height")
            return camera_from_card(number(command, "pixels"), number(command, "metres"), picture)
        if source == "kept":
            known: Literal["card", "distance"] | None = command.choice("known", ("card", "distance"))
            if known is None:
                raise BadMessage("known must be card or distance")
            return Camera(number(command, "focal"), number(command, "spread"), known)
    except ValueError as error:
        raise BadMessage(str(error)) from None
    if source is None:
        raise BadMessage("from must be card, distance, kept or usual")
    return USUAL


def number(command: Command, field: str) -> float:
    """A finite number among the fields, none of astronomical size. Raises :class:`BadMessage`."""
    value = command.body.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < HUGE:
        raise BadMessage(f"{field} must be a number")
    return float(value)
