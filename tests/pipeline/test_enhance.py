"""A good picture is left alone; a dark one is brought out, a grainy one smoothed."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.align import face_chip
from pipeline.enhance import choose_enhancement, enhance, mended, noise_level
from pipeline.face_models import read_photo
from pipeline.frame import Image
from server.commands.evaluate_enhancement import LEVELS, Darkness
from tests.packs import open_models
from tests.pictures import group_photo


@pytest.fixture(scope="module")
def chips() -> list[Image]:
    models, photo = open_models(), group_photo()
    spec = models.embedder.spec
    return [face_chip(photo, face.landmarks, spec.template, spec.size) for face in read_photo(models, photo)]


def _darker(chip: Image, exposure: float, grain: float) -> Image:
    return Darkness("", exposure, grain).apply(chip, np.random.default_rng(1))


def _noise(chip: Image) -> float:
    return noise_level(np.asarray(chip.mean(-1), np.uint8))


def test_good_pictures_stay_as_they_are(chips: list[Image]) -> None:
    for chip in chips:
        assert choose_enhancement(chip) == "none"
        same, kind = mended(chip)
        assert kind == "none"
        assert same is chip


def test_a_dark_picture_gets_contrast(chips: list[Image]) -> None:
    for chip in chips:
        dark = _darker(chip, 0.05, 0.0)
        assert choose_enhancement(dark) == "contrast"
        bright = enhance(dark, "contrast")
        assert bright.std() > 1.2 * dark.std()
        assert bright.mean() > dark.mean()
        assert mended(dark)[1] == "none", "it was measured not to help"


def test_a_flat_picture_gets_contrast(chips: list[Image]) -> None:
    flat = (chips[0] * 0.1 + 120).astype(np.uint8)
    assert choose_enhancement(flat) == "contrast"
    assert enhance(flat, "contrast").std() > 1.2 * flat.std()


def test_grain_is_not_stretched_but_smoothed(chips: list[Image]) -> None:
    for chip in chips:
        dark = _darker(chip, 0.02, 0.03)
        assert choose_enhancement(dark) == "denoise"
        assert _noise(mended(dark)[0]) < 0.8 * _noise(dark)


def test_grain_on_a_well_lit_face_is_smoothed(chips: list[Image]) -> None:
    grain = np.random.default_rng(0).normal(0, 12, chips[0].shape)
    grainy = np.clip(chips[0] + grain, 0, 255).astype(np.uint8)
    assert choose_enhancement(grainy) == "denoise"
    assert _noise(mended(grainy)[0]) < 0.8 * _noise(grainy)


def test_colours_stay_what_they_are(chips: list[Image]) -> None:
    dark = _darker(chips[0], 0.1, 0.0)
    ratio = [float(picture[..., 0].mean() / picture[..., 2].mean()) for picture in (dark, enhance(dark, "contrast"))]
    assert ratio[0] == pytest.approx(ratio[1], rel=0.4)


@pytest.mark.parametrize("sigma", [4.0, 10.0])
def test_noise_is_measured_in_grey_levels(sigma: float) -> None:
    gray = np.full((100, 100), 120, np.uint8)
    assert noise_level(gray) == 0
    grainy = np.clip(gray + np.random.default_rng(0).normal(0, sigma, gray.shape), 0, 255).round().astype(np.uint8)
    assert noise_level(grainy) == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize("level", [0, 255])
def test_an_empty_picture_is_no_error(level: int) -> None:
    chip = np.full((150, 150, 3), level, np.uint8)
    assert mended(chip)[0].shape == chip.shape


def test_less_light_is_darker() -> None:
    photo = group_photo()[300:500, 300:500]
    means = [float(level.apply(photo, np.random.default_rng(0)).mean()) for level in LEVELS]
    assert means == sorted(means, reverse=True)
