"""What all tests share. Of the user's own folders, only the model cache is used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web_app


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see the defaults, whatever the environment and the user's settings file say."""
    for name in list(os.environ):
        if name.startswith("VISAVIS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))


@pytest.fixture(autouse=True)
def no_server_is_kept() -> Iterator[None]:
    """aiohttp remembers a thousand handlers, and each its application: here, whole servers with their networks."""
    yield
    web_app._cached_build_middleware.cache_clear()
