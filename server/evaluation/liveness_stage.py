"""A stage for trying the challenge of enrolment: a photo, flat, bent, or drawn over the shape of a head, held before a
rendered camera by a hand that trembles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.distance import EYES, USUAL
from pipeline.frame import Image
from tracking.parallax import relief_at

Array = NDArray[np.float64]
Shape = Literal["flat", "bent", "head"]

PICTURE = (640, 480)  # pixels, of the rendered camera
RATE = 15.0  # pictures a second
COARSE = 4  # pixels between the rays that are traced; between them the way is interpolated
ROUNDS = 5  # of finding where a ray meets the surface
BEND = 0.08  # metres: radius of the cylinder a photo is bent around, like a head
TREMOR = (0.0015, 0.4)  # of a hand and of a head held still: standard deviation in metres and degrees …
CALM = 0.9  # … and how much of it is left a picture later
GRAIN = 2.5  # grey levels
SKULL, DEPTH, HEIGHT = 0.085, 0.075, 0.13  # metres: half axes of the head across, forward and down
NOSE = 0.024  # metres above the cheeks


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees to the right of the picture; metres from the camera."""

    yaw: float = 0.0
    distance: float = 0.6


class Stage:
    """Renders one photo of a face. ``landmarks`` (5, 2) are where its face is, in pixels of it."""

    def __init__(self, photo: Image, landmarks: NDArray[np.float32], shape: Shape, chance: np.random.Generator) -> None:
        self._photo, self._shape, self._chance = photo, shape, chance
        eyes, mouth = landmarks[:2].mean(0), landmarks[3:].mean(0)
        self._middle = np.asarray((eyes + mouth) / 2, np.float64)
        self._scale = float(np.linalg.norm(landmarks[1] - landmarks[0])) / EYES  # pixels of the photo a metre
        self._shake = np.zeros(5)
        room = chance.normal(128, 60, (24, 32, 3)).clip(20, 235).astype(np.uint8)
        self._room = cv2.resize(room, PICTURE, interpolation=cv2.INTER_CUBIC)

    def render(self, pose: Pose) -> Image:
        """The next picture."""
        shake = self._chance.normal(0, 1, 5) * np.sqrt(1 - CALM**2)
        self._shake = CALM * self._shake + shake
        place = self._shake[:3] * TREMOR[0] + (0, 0, pose.distance)
        yaw, pitch = self._shake[3:] * TREMOR[1] + (pose.yaw, 0)
        u, v, inside = self._meet(_turn(yaw, pitch), place)
        x = (u * self._scale + self._middle[0]).astype(np.float32)
        y = (v * self._scale + self._middle[1]).astype(np.float32)
        height, width = self._photo.shape[:2]
        inside &= (x >= 0) & (y >= 0) & (x < width - 1) & (y < height - 1)
        shown = cv2.remap(self._photo, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        picture = np.where(inside[..., None], shown, self._room).astype(np.float32)
        picture += self._chance.normal(0, GRAIN, picture.shape[:2])[..., None]
        return np.asarray(picture.clip(0, 255).round(), np.uint8)

    def _meet(self, turn: Array, place: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Where each pixel's ray meets the surface: metres right and down on the photo, and whether it does."""
        focal = USUAL.focal * PICTURE[0]
        xs, ys = np.meshgrid(np.arange(0, PICTURE[0], COARSE), np.arange(0, PICTURE[1], COARSE))
        rays = (
            np.stack([(xs - PICTURE[0] / 2) / focal, (ys - PICTURE[1] / 2) / focal, np.ones(xs.shape)], -1) @ turn
        )  # in the surface's own axes
        origin = -place @ turn
        depth = np.zeros(xs.shape)
        across, down = depth, depth
        for _ in range(ROUNDS):
            along = (-depth - origin[2]) / rays[..., 2]
            across, down = origin[0] + along * rays[..., 0], origin[1] + along * rays[..., 1]
            depth = self._depth(across, down)
        inside = np.abs(across) < (0.95 * BEND if self._shape == "bent" else 0.3)
        if self._shape == "bent":
            across = BEND * np.arcsin(np.clip(across / BEND, -1, 1))  # along the paper
        fine = [cv2.resize(a.astype(np.float32), PICTURE, interpolation=cv2.INTER_LINEAR) for a in (across, down)]
        whole = cv2.resize(inside.astype(np.uint8), PICTURE, interpolation=cv2.INTER_NEAREST) > 0
        return np.asarray(fine[0], np.float64), np.asarray(fine[1], np.float64), np.asarray(whole, np.bool_)

    def _depth(self, across: Array, down: Array) -> Array:
        """Metres towards the camera."""
        if self._shape == "flat":
            return np.zeros(across.shape)
        if self._shape == "bent":
            return np.asarray(np.sqrt(np.maximum(BEND**2 - across**2, (0.2 * BEND) ** 2)) - BEND, np.float64)
        skull = np.sqrt(np.maximum(0.02, 1 - (across / SKULL) ** 2 - (down / HEIGHT) ** 2)) - 1
        relief = relief_at(np.stack([across.ravel(), down.ravel()], 1) / EYES).reshape(across.shape)
        return np.asarray(DEPTH * skull + NOSE * relief, np.float64)


def _turn(yaw: float, pitch: float) -> Array:
    """From the surface's axes to the camera's: right, down and away from the camera."""
    a, b = np.radians([-yaw, pitch])  # the nose, which is nearer, moves to the right
    around = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return np.asarray(nod @ around, np.float64)
