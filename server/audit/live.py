"""Notes what the data channel of a live session asks for: it saw no route."""

from __future__ import annotations

from collections.abc import Callable

from server.audit.log import AuditLog


class LiveNotes:
    """What one session has noted. ``actor`` says who sits at it now; without a log nothing is noted."""

    def __init__(self, log: AuditLog | None, actor: Callable[[], object], room: str | None) -> None:
        self._log = log
        self._actor = actor
        self._room = room

    async def change(self, action: str, subject: str, *, visit: bool = False) -> None:
        """Something was changed; ``visit``: for this visit alone. It stands in the log when this returns."""
        if self._log is not None:
            detail = "visit" if visit else "live"
            await self._log.change(self._actor(), action, subject, room=self._room, detail=detail)

    def view(self, action: str, subject: str) -> None:
        """Something was looked at, or let go of that this visit alone knew: noted soon."""
        if self._log is not None:
            self._log.note(self._actor(), action, subject, room=self._room, detail="live")


SILENT = LiveNotes(None, str, None)
