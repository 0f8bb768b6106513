"""Losses of the soft-biometrics networks; targets carry hard labels, a teacher's opinion, or both."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


@keras.saving.register_keras_serializable("visavis")
class ArcFaceLoss(keras.losses.Loss):
    """Cross-entropy of scaled cosines, with an angle added to the true class (Deng et al., arXiv:1801.07698, eq. 3).

    Targets are (N, C) probabilities. A row that is not one-hot is a teacher's opinion mixed in: its most likely class
    takes the margin. A row of zeros has no label and costs nothing.

    What the cosines of a row have in common is taken away first. Else a network that knows nothing yet escapes the
    margin by turning away from all classes alike, where no angle grows any more, and never comes back.
    """

    def __init__(self, margin: float = 0.2, scale: float = 12.0, **options: Any) -> None:
        super().__init__(**options)
        self.margin, self.scale = margin, scale

    def call(self, targets: Any, cosines: Any) -> Any:
        """Loss (N,) of cosines (N, C)."""
        ops = keras.ops
        targets, cosines = ops.cast(targets, "float32"), ops.cast(cosines, "float32")
        cosines = ops.clip(cosines - ops.mean(cosines, axis=-1, keepdims=True), -0.9999, 0.9999)
        true = ops.one_hot(ops.argmax(targets, axis=-1), cosines.shape[-1])
        angle = ops.arccos(cosines) + self.margin * true
        logits = self.scale * ops.cos(ops.minimum(angle, np.pi))
        return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """For saving."""
        return {**super().get_config(), "margin": self.margin, "scale": self.scale}


@keras.saving.register_keras_serializable("visavis")
class DistributionLoss(keras.losses.Loss):
    """Cross-entropy to a distribution over ages plus the distance of its mean, in years over ten.

    Targets are (N, A) probabilities; a row that sums to less or more than one counts so much less or more, and one of
    zeros, which has no label, nothing. After deep label distribution
    learning (Gao et al., arXiv:1611.01731) with the expectation of its successor (IJCAI 2018).
    """

    def __init__(self, ages: Any, expectation: float = 2.0, **options: Any) -> None:
        super().__init__(**options)
        self.ages, self.expectation = [float(age) for age in ages], expectation

    def call(self, targets: Any, logits: Any) -> Any:
        """Loss (N,) of logits (N, A)."""
        ops = keras.ops
        targets, logits = ops.cast(targets, "float32"), ops.cast(logits, "float32")
        ages = ops.array(self.ages, dtype="float32")
        known = ops.sum(targets, axis=-1)
        entropy = -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)
        off = ops.sum((ops.softmax(logits, axis=-1) * ops.expand_dims(known, -1) - targets) * ages, axis=-1)
        return entropy + self.expectation * ops.abs(off) / 10

    def get_config(self) -> dict[str, Any]:
        """For saving."""
        return {**super().get_config(), "ages": self.ages, "expectation": self.expectation}


def age_targets(age: float | None, ages: NDArray[Any], spread: float = 2.5) -> NDArray[np.float32]:
    """A normal distribution around a label (``spread`` years of doubt), over the age classes; zeros without a label."""
    if age is None:
        return np.zeros(len(ages), np.float32)
    weights = np.exp(-0.5 * ((ages - age) / spread) ** 2)
    return np.asarray(weights / max(weights.sum(), 1e-12), np.float32)


def age_weights(ages: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """How much each label (N,), in years, counts: the rarer its decade the more, by the square root, 1 in the mean.

    Without it the few old people of a data set are all taken for younger ones. A label that is not a number counts 1.
    """
    known = np.isfinite(ages)
    weights = np.ones(len(ages), np.float32)
    if known.any():
        apart = np.abs(ages[known, None] - ages[None, known])
        weights[known] = 1 / np.sqrt((apart <= 5).sum(1))
        weights[known] = np.clip(weights[known] / weights[known].mean(), 0.5, 3.0)
    return weights


def gender_targets(male: bool | None) -> NDArray[np.float32]:
    """One-hot over female and male; zeros without a label."""
    return np.asarray([0.0, 0.0] if male is None else [1.0 - male, float(male)], np.float32)
