"""Inception-ResNet-v1 (Szegedy et al., arXiv:1602.07261, figures 14 and 9–13) as FaceNet's embedder.

What makes an embedder of it is as in Schroff et al. (arXiv:1503.03832) and in what is widely trained under that name:
features averaged over the picture, one linear layer of 512 normalised by batch, and vectors of length one.

In full it is that network, 23.5 million weights for 160×160 pixels. In compact it has the same plan with a quarter of
the channels and fewer blocks, so that two CPU cores can train it; it is another network, and tells people apart less
well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras
from keras import layers

from training.networks import CosineHead

Size = Literal["compact", "full"]
LEAST_SIDE = 75  # pixels: below it nothing is left after the last reduction


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the network is: channels as a share of the published ones, blocks of each kind, chip in pixels."""

    width: float
    blocks: tuple[int, int, int]
    side: int
    dimension: int = 512
    dropout: float = 0.2
    momentum: float = 0.9  # of batch normalisation's averages; higher where an epoch has many steps


PLANS: dict[Size, Plan] = {
    "compact": Plan(width=0.25, blocks=(2, 3, 2), side=96),
    "full": Plan(width=1.0, blocks=(5, 10, 5), side=160, momentum=0.99),
}


def build_embedder(plan: Plan) -> keras.Model:
    """Scaled RGB ``image`` (N, S, S, 3) about −1 … 1 → ``embedding`` (N, dimension) of length one.

    Raises ``ValueError`` for chips that are too small.
    """
    if plan.side < LEAST_SIDE:
        raise ValueError(f"chips of {plan.side} pixels are too small for this network: at least {LEAST_SIDE}")
    build = _Builder(plan.width, plan.momentum)
    image = keras.Input((plan.side, plan.side, 3), name="image")
    plane = build.stem(image)
    for _ in range(plan.blocks[0]):
        plane = build.block35(plane)
    plane = build.reduction_a(plane)
    for _ in range(plan.blocks[1]):
        plane = build.block17(plane)
    plane = build.reduction_b(plane)
    for _ in range(plan.blocks[2]):
        plane = build.block8(plane)
    plane = build.block8(plane, scale=1.0, activation=None)
    feature = layers.GlobalAveragePooling2D(dtype="float32")(plane)
    feature = layers.Dropout(plan.dropout)(feature)
    feature = layers.Dense(plan.dimension, use_bias=False, dtype="float32", name="bottleneck")(feature)
    feature = layers.BatchNormalization(momentum=plan.momentum, epsilon=1e-3, dtype="float32")(feature)
    return keras.Model(image, layers.UnitNormalization(dtype="float32", name="embedding")(feature), name="facenet")


def with_classifier(embedder: Any, people: int, scale: float) -> keras.Model:
    """The embedder with logits for training: cosines to one direction a person, times ``scale`` (Wang et al.,
    arXiv:1704.06369), so that what is trained is what is compared later."""
    logits = CosineHead(people, scale, name="people", dtype="float32")(embedder.output)
    return keras.Model(embedder.input, logits, name="facenet_classifier")


class _Builder:
    def __init__(self, width: float, momentum: float) -> None:
        self._width, self._momentum = width, momentum

    def _channels(self, published: int) -> int:
        return max(8, int(published * self._width / 8 + 0.5) * 8)

    def convolve(self, plane: Any, channels: int, window: Any = 1, stride: int = 1, padding: str = "same") -> Any:
        plane = layers.Conv2D(self._channels(channels), window, stride, padding=padding, use_bias=False)(plane)
        return layers.ReLU()(layers.BatchNormalization(momentum=self._momentum, epsilon=1e-3)(plane))

    def stem(self, plane: Any) -> Any:
        plane = self.convolve(plane, 32, 3, 2, "valid")
        plane = self.convolve(plane, 32, 3, 1, "valid")
        plane = self.convolve(plane, 64, 3)
        plane = layers.MaxPooling2D(3, 2)(plane)
        plane = self.convolve(plane, 80)
        plane = self.convolve(plane, 192, 3, 1, "valid")
        return self.convolve(plane, 256, 3, 2, "valid")

    def block35(self, plane: Any) -> Any:
        paths = [
            self.convolve(plane, 32),
            self.convolve(self.convolve(plane, 32), 32, 3),
            self.convolve(self.convolve(self.convolve(plane, 32), 32, 3), 32, 3),
        ]
        return self._residual(plane, paths, 0.17)

    def block17(self, plane: Any) -> Any:
        paths = [
            self.convolve(plane, 128),
            self.convolve(self.convolve(self.convolve(plane, 128), 128, (1, 7)), 128, (7, 1)),
        ]
        return self._residual(plane, paths, 0.10)

    def block8(self, plane: Any, scale: float = 0.20, activation: str | None = "relu") -> Any:
        paths = [
            self.convolve(plane, 192),
            self.convolve(self.convolve(self.convolve(plane, 192), 192, (1, 3)), 192, (3, 1)),
        ]
        return self._residual(plane, paths, scale, activation)

    def reduction_a(self, plane: Any) -> Any:
        deep = self.convolve(self.convolve(plane, 192), 192, 3)
        paths = [
            self.convolve(plane, 384, 3, 2, "valid"),
            self.convolve(deep, 256, 3, 2, "valid"),
            layers.MaxPooling2D(3, 2)(plane),
        ]
        return layers.Concatenate()(paths)

    def reduction_b(self, plane: Any) -> Any:
        deep = self.convolve(self.convolve(plane, 256), 256, 3)
        paths = [
            self.convolve(self.convolve(plane, 256), 384, 3, 2, "valid"),
            self.convolve(self.convolve(plane, 256), 256, 3, 2, "valid"),
            self.convolve(deep, 256, 3, 2, "valid"),
            layers.MaxPooling2D(3, 2)(plane),
        ]
        return layers.Concatenate()(paths)

    def _residual(self, plane: Any, paths: list[Any], scale: float, activation: str | None = "relu") -> Any:
        """What the paths found, weighed down before it is added, which keeps wide residual networks stable."""
        found = layers.Conv2D(plane.shape[-1], 1)(layers.Concatenate()(paths))
        plane = layers.Add()([plane, layers.Rescaling(scale)(found) if scale != 1.0 else found])
        return layers.ReLU()(plane) if activation else plane
