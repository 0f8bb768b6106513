"""Which rooms are in consent mode; kept in the store."""

from __future__ import annotations

from server.people import People
from server.storage.consent_mode import read_modes, write_mode


class ConsentModes:
    """Of every room: its own choice, or else ``default``, which also is that of cameras in no room."""

    def __init__(self, people: People, default: bool, chosen: dict[str, bool]) -> None:
        self._people = people
        self._default = default
        self._chosen = chosen

    @classmethod
    async def open(cls, people: People, default: bool) -> ConsentModes:
        """What was chosen earlier."""
        return cls(people, default, await people.run(lambda store: read_modes(store.engine)))

    def of(self, room: str | None) -> bool:
        """Whether whoever has not consented is hidden there."""
        return self._default if room is None else self._chosen.get(room, self._default)

    async def read(self) -> dict[str, bool]:
        """What is chosen in the store, by another node perhaps; :meth:`take_up` takes it up."""
        chosen: dict[str, bool] = await self._people.run(lambda store: read_modes(store.engine))
        return chosen

    def take_up(self, room: str, on: bool) -> None:
        """From now on it is so; :meth:`keep` keeps it."""
        self._chosen[room] = on

    async def keep(self, room: str, on: bool) -> None:
        """Also after a restart. Raises ``sqlalchemy.exc.SQLAlchemyError``."""
        await self._people.run(lambda store: write_mode(store.engine, room, on))
