"""What the tests of training share."""

from __future__ import annotations

import aiortc  # noqa: F401 - before TensorFlow: libsrtp cannot begin after it (a segmentation fault)
import pytest

from pipeline.face_models import FaceModels
from tests.packs import open_models


@pytest.fixture(scope="session")
def models() -> FaceModels:
    """The open pack."""
    return open_models()
