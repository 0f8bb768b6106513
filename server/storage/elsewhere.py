"""What other nodes wrote, from the numbered notifications of :mod:`server.storage.engine_postgres`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from server.database import Database
from server.storage.change_number import CHANNEL, STORE_CHANGE
from server.storage.listener import LOOK_EVERY, Listener

_NUMBER = str(sa.select(STORE_CHANGE.c.number))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Somebody else wrote: whose template it may alter, and in which tables; ``None``: anybody's, and any."""

    people: frozenset[str] | None = None
    tables: frozenset[str] | None = None

    def with_(self, other: Elsewhere) -> Elsewhere:
        """Both."""
        people = None if self.people is None or other.people is None else self.people | other.people
        tables = None if self.tables is None or other.tables is None else self.tables | other.tables
        return Elsewhere(people, tables)


ANYTHING = Elsewhere()


class Changes:
    """Follows the numbers and calls ``told``, in a thread of its own, with what others than ``node`` wrote. Where a
    number is missing, something was not heard: that may have been anything."""

    def __init__(self, database: Database, node: str, told: Callable[[Elsewhere], None], every: float = LOOK_EVERY):
        self._node, self._told = node, told
        self._number: int | None = None  # of the newest change that was heard of
        self._behind: int | None = None  # what the database said while that was not heard of yet
        self._listener = Listener(database, [CHANNEL], self._heard, self._looked, every)

    @property
    def listening(self) -> bool:
        """Whether the database can be heard."""
        return self._listener.listening

    def wait(self, seconds: float) -> bool:
        """Wait until it is heard; whether it is. Blocks."""
        return self._listener.wait(seconds)

    def close(self) -> None:
        """End it; may be called twice."""
        self._listener.close()

    def _heard(self, _channel: str, words: str) -> None:
        said = _read(words)
        if said is None:
            return  # somebody else's words on our channel
        number, node, elsewhere = said
        last = self._number
        if last is not None and number <= last:
            return
        self._number = number
        if last is not None and number != last + 1:
            self._told(ANYTHING)
        elif node != self._node:
            self._told(elsewhere)

    def _looked(self, connection: Any) -> None:
        (number,) = connection.execute(_NUMBER).fetchone()
        if self._number is None:  # whoever follows reads everything after this
            self._number = number
        elif not self._listener.listening:
            if number != self._number:
                self._number = number
                self._told(ANYTHING)
        elif self._behind is not None and self._number < self._behind:
            self._number = number
            self._told(ANYTHING)
        self._behind = number if number > self._number else None


def _read(words: str) -> tuple[int, str, Elsewhere] | None:
    try:
        said = json.loads(words)
        people, tables = said["people"], said["tables"]
        told = Elsewhere(
            None if people is None else frozenset(map(str, people)), None if tables is None else frozenset(tables)
        )
        return int(said["change"]), str(said["node"]), told
    except (ValueError, KeyError, TypeError):
        return None
