"""The three networks of the soft-biometrics ensemble, each in a full and a compact size.

All take RGB 0–255, float32 (N, S, S, 3), and answer with two outputs:

- ``gender`` (N, 2): cosines between the face's feature and the classes female and male (:class:`CosineHead`);
- ``age`` (N, A): scaled cosines, the logits of a distribution over :data:`pipeline.attributes.AGES`.

While they learn there may be a third, ``face`` (N, D): the numbers an embedder that knows millions of faces gives for
the same face. Whoever can imitate it sees strangers as well as the few thousand people of a labelled folder.

``residual`` is a residual network with channel and spatial attention: ResNet50 (He et al., arXiv:1512.03385) in full, a
narrow one of the shape of dlib's face network in compact, so that it can begin with that network's weights.
``mobile`` is MobileNetV2 (Sandler et al., arXiv:1801.04381). ``multiscale`` looks at the face at three resolutions with
one set of filters each and joins what they see.
"""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import layers

from pipeline.attributes import AGES

Size = Literal["compact", "full"]
Architecture = Literal["residual", "mobile", "multiscale"]
ARCHITECTURES: tuple[Architecture, ...] = ("residual", "mobile", "multiscale")

GENDERS = ("female", "male")  # the classes of the gender head
AGE_SCALE = 24.0  # cosines of the age head to logits: 86 classes need sharper ones than two


@keras.saving.register_keras_serializable("visavis")
class CosineHead(layers.Layer):
    """Cosines between features (N, D) and one learned direction per class, times ``scale``: (N, classes).

    The head of ArcFace (Deng et al., arXiv:1801.07698); its margin is in :class:`training.losses.ArcFaceLoss`, as it
    needs the label.
    """

    def __init__(self, classes: int, scale: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.classes, self.scale = classes, scale

    def build(self, shape: Any) -> None:
        """Make the directions."""
        self.directions = self.add_weight(shape=(shape[-1], self.classes), initializer="glorot_normal")

    def call(self, features: Any) -> Any:
        """See the class."""
        ops = keras.ops
        unit = ops.normalize(features, axis=-1)
        directions = ops.normalize(ops.cast(self.directions, unit.dtype), axis=0)
        return ops.matmul(unit, directions) * self.scale

    def get_config(self) -> dict[str, Any]:
        """For saving."""
        return {**super().get_config(), "classes": self.classes, "scale": self.scale}


def build_network(architecture: Architecture, size: Size, side: int, imitated: int = 0) -> keras.Model:
    """An untrained network for crops of ``side`` pixels, with the output ``face`` of ``imitated`` numbers if there are
    any. Raises ``ValueError`` for a side below 32."""
    if side < 32:
        raise ValueError(f"crops of {side} pixels are too small for these networks: at least 32")
    trunk = {"residual": _residual, "mobile": _mobile, "multiscale": _multiscale}[architecture]
    image = keras.Input((side, side, 3), name="image")
    feature, width = trunk(image, side, size)
    outputs = {}
    for name, classes, scale in (("gender", len(GENDERS), 1.0), ("age", len(AGES), AGE_SCALE)):
        own = layers.Dense(width, activation="relu", name=f"{name}_feature")(feature)
        own = layers.Dense(width, name=f"{name}_embedding")(own)
        outputs[name] = CosineHead(classes, scale, name=name, dtype="float32")(own)
    if imitated:
        outputs["face"] = layers.Dense(imitated, name="face", dtype="float32")(feature)
    return keras.Model(image, outputs, name=f"{architecture}_{size}")


def without_face(model: keras.Model) -> keras.Model:
    """A trained network as it ships: nobody can be recognised by what it says."""
    return keras.Model(model.input, {name: model.output[name] for name in ("gender", "age")}, name=model.name)


def _residual(image: Any, side: int, size: Size) -> tuple[Any, int]:
    if size == "full":
        plane = layers.Rescaling(1 / 127.5, -1)(image)
        base = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(side, side, 3))
        plane, width = base(plane), 256
    else:
        plane, width = dlib_trunk(image), 128
    return layers.GlobalAveragePooling2D(dtype="float32")(_attention(plane)), width


def dlib_trunk(image: Any) -> Any:
    """The convolutions of dlib's face network up to the second block of 256 channels (``con_N`` in their order).

    Its normalisation is folded into them, as in the open pack's graph. The planes must meet the filters exactly as
    there: padding on both sides of a halving step alone costs four points of gender on strangers' faces.
    """
    numbers = iter(range(64))

    def convolve(plane: Any, filters: int, window: int = 3, stride: int = 1) -> Any:
        padding = "same" if stride == 1 else "valid"
        return layers.Conv2D(filters, window, stride, padding=padding, name=f"con_{next(numbers)}")(plane)

    plane = layers.ReLU()(convolve(image, 32, 7, 2))
    plane = layers.MaxPooling2D(3, 2)(plane)
    for filters, blocks in ((32, 3), (64, 4), (128, 3), (256, 2)):
        for block in range(blocks):
            halve = block == 0 and filters > 32
            inner = layers.ReLU()(convolve(plane, filters, stride=2 if halve else 1))
            inner = convolve(inner, filters)
            if halve:
                plane = layers.AveragePooling2D(2, 2)(plane)
                plane = layers.Concatenate()([plane, layers.Rescaling(0.0)(plane)])  # the new channels begin at 0
                short = plane.shape[1] - inner.shape[1]
                inner = layers.ZeroPadding2D(((0, short), (0, short)))(inner) if short else inner
            plane = layers.ReLU()(layers.Add()([inner, plane]))
    return plane


def _attention(plane: Any, reduction: int = 8) -> Any:
    """Weights for channels, then for places (CBAM, Woo et al., arXiv:1807.06521), as a residual branch."""
    channels = plane.shape[-1]
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(plane)
    weights = layers.Conv2D(channels // reduction, 1, activation="relu")(pooled)
    weights = layers.Conv2D(channels, 1, activation="sigmoid")(weights)
    attended = layers.Multiply()([plane, weights])
    places = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(attended)
    return layers.Add()([plane, layers.Multiply()([attended, places])])


def _mobile(image: Any, side: int, size: Size) -> tuple[Any, int]:
    plane = layers.Rescaling(1 / 127.5, -1)(image)
    if size == "compact":
        plane, side = layers.AveragePooling2D(2)(plane), side // 2  # a quarter of the work, and still above a far face
    base = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(side, side, 3), alpha=1.0 if size == "full" else 0.35
    )
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.99  # theirs remembers thousands of steps, more than a small data set's epochs have
    # Its last convolution makes 1,280 channels for ImageNet's classes; heads on so many outgrow what they should learn.
    base = keras.Model(base.input, base.get_layer("block_16_project_BN").output, name="mobilenet_v2")
    feature = layers.GlobalAveragePooling2D(dtype="float32")(base(plane))
    return layers.BatchNormalization(dtype="float32")(feature), 192 if size == "full" else 96


def _multiscale(image: Any, side: int, size: Size) -> tuple[Any, int]:
    base = 48 if size == "full" else 16
    features = []
    plane = layers.Rescaling(1 / 127.5, -1)(image)
    for level, depth in enumerate((4, 4, 3)):
        scaled = plane if level == 0 else layers.AveragePooling2D(2**level)(plane)
        for step in range(depth):
            scaled = _separable(scaled, base * 2 ** min(step + level, 3), stride=2, first=step == 0)
            scaled = _separable(scaled, base * 2 ** min(step + level, 3), stride=1)
        features.append(layers.GlobalAveragePooling2D(dtype="float32")(scaled))
    return layers.Concatenate()(features), 192 if size == "full" else 96


def _separable(plane: Any, filters: int, stride: int, first: bool = False) -> Any:
    """A 3×3 convolution, by channel and across them but for the first, normalised; residual where the shape allows."""
    before = plane
    if first:
        plane = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(plane)
    else:
        plane = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(plane)
        plane = layers.ReLU(6)(layers.BatchNormalization()(plane))
        plane = layers.Conv2D(filters, 1, use_bias=False)(plane)
    plane = layers.BatchNormalization()(plane)
    if stride == 1 and before.shape[-1] == filters:
        plane = layers.Add()([plane, before])
    return layers.ReLU(6)(plane)
