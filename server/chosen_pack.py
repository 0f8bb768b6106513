"""Which pack is used: the one the settings name, or else the one that was switched to on the page."""

from __future__ import annotations

from server.settings import Configuration
from server.storage.model_change import read_choice


def chosen_pack(configuration: Configuration) -> str:
    """The pack that was switched to on the page, unless the settings name one."""
    settings = configuration.settings
    if configuration.origins["pack"] != "default":
        return settings.pack
    return read_choice(settings.data_dir / "people.sqlite3", settings.database) or settings.pack
