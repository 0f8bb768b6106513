"""What is noted beside a session: strangers for the inbox, sightings, good looks at faces."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline
from pipeline.results import Face, FrameResult
from server.live.consent_mode import ConsentMode
from server.live.strangers import Noticed, Portrait, PortraitWatch, StrangerWatch
from server.people.inbox import Inbox
from server.sightings.recorder import Recorder


class Noticing:
    """Of one session, by its id. In consent mode nothing is noted of whoever has not consented."""

    def __init__(
        self, session: str, room: str | None, inbox: Inbox | None, recorder: Recorder | None, consent: ConsentMode
    ) -> None:
        self._session, self._room = session, room
        self._inbox, self._recorder, self._consent = inbox, recorder, consent
        self._strangers = StrangerWatch()
        self._portraits = PortraitWatch() if recorder is not None and recorder.crops else None
        self._noticed: Noticed | None = None
        self._pictures: list[tuple[int, Portrait]] = []

    def look(self, pipeline: FramePipeline, frame: Frame) -> FrameResult:
        """Let the detector look, and note what it finds; blocking. :meth:`tell` comes next."""
        consent = self._consent if self._consent.on else None
        result = pipeline.look(frame)
        if self._inbox is not None and consent is None:
            self._noticed = self._strangers.look(pipeline, frame, result)
        if self._portraits is not None:
            self._pictures = self._portraits.look(pipeline, frame, result, None if consent is None else consent.shows)
        if consent is None and self._consent.on:
            self.forget()  # it was switched on meanwhile
        return result

    def tell(self) -> None:
        """Hand on what the newest look found."""
        noticed, pictures = self._noticed, self._pictures
        self.forget()
        if self._inbox is not None and noticed is not None:
            self._inbox.observe(self._session, self._room, noticed)
        if self._recorder is not None and pictures:
            self._recorder.pictured(self._session, self._room, pictures)

    def observe(self, faces: Sequence[Face]) -> None:
        """What the session shows now."""
        if self._recorder is not None:
            self._recorder.observe(self._session, self._room, self._consent.shown(faces))

    def forget(self) -> None:
        """Drop what has not been told."""
        self._noticed, self._pictures = None, []

    def leave(self) -> None:
        """The session is over, or whoever was seen so far is not to be followed any longer."""
        self.forget()
        if self._inbox is not None:
            self._inbox.left(self._session)
        if self._recorder is not None:
            self._recorder.left(self._session)
