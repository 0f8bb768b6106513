"""Hears what is told on channels of a PostgreSQL database (``LISTEN``), on a connection and in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from server.database import Database
from server.settings import StartError

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.5  # seconds between two looks at what may not have been heard
SLICE = 0.1  # seconds until an end is noticed
AGAIN = (0.1, 2.0)  # seconds before a first and later tries to connect again


class Listener:
    """Begun when it is made, ended by :meth:`close`; what it calls, it calls in its thread.

    ``heard(channel, words)`` for each notification. ``looked(connection)`` after each connecting and every few seconds,
    with the driver's connection: whoever counts finds there what was not heard. Nothing is heard while the database is
    away; it connects again by itself.
    """

    def __init__(
        self,
        database: Database,
        channels: Sequence[str],
        heard: Callable[[str, str], None],
        looked: Callable[[Any], None] = lambda _connection: None,
        every: float = LOOK_EVERY,
    ) -> None:
        self._database, self._channels, self._every = database, channels, every
        self._heard, self._looked = heard, looked
        self._ended = threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._work, name="listen", daemon=True)
        self._thread.start()

    @property
    def listening(self) -> bool:
        """Whether it is connected."""
        return self._listening.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until it is connected; whether it is. Blocks."""
        return self._listening.wait(seconds)

    def close(self) -> None:
        """End it; may be called twice. Blocks for a moment."""
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def _work(self) -> None:
        pause = AGAIN[0]
        while not self._ended.is_set():
            try:
                with contextlib.closing(self._database.connect()) as connection:
                    for channel in self._channels:
                        connection.execute(f'LISTEN "{channel}"')
                    self._looked(connection)
                    self._listening.set()
                    pause = AGAIN[0]
                    self._listen(connection)
            except Exception as error:  # whatever it was, those who wait for changes need another try
                if self._listening.is_set():
                    logger.warning("changes of other nodes are not heard: %s; trying again", _kind(error))
            self._listening.clear()
            self._ended.wait(pause)
            pause = min(2 * pause, AGAIN[1])

    def _listen(self, connection: Any) -> None:
        due = time.monotonic() + self._every
        while not self._ended.is_set():
            for notice in connection.notifies(timeout=SLICE):
                self._heard(notice.channel, notice.payload)
                if self._ended.is_set() or time.monotonic() >= due:
                    break
            if time.monotonic() >= due:
                self._looked(connection)
                due = time.monotonic() + self._every


def _kind(error: Exception) -> str:
    return "the driver is missing" if isinstance(error, StartError) else type(error).__name__
