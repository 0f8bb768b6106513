"""What a page asks and corrects of faces that are in the picture: why this name, not this person, forget."""

from __future__ import annotations

from typing import Any, Protocol

from pipeline.results import Face
from server.live.consent_mode import ConsentMode
from server.live.messages import Command
from server.live.session_people import SessionPeople
from server.live.why import explain
from server.storage.rows import NoSuchPerson


class Speaker(Protocol):
    """As much of a session as answers take."""

    def say(self, kind: str, **fields: Any) -> None:
        """Send a message to the page."""

    def fail(self, command: int | str | None, code: str, text: str, **fields: Any) -> None:
        """Send an ``error`` message."""


class LiveCorrections:
    """Answers for one session."""

    def __init__(self, session: Speaker, known: SessionPeople, consent: ConsentMode) -> None:
        self._session = session
        self._known = known
        self._consent = consent

    async def why(self, command: Command, face: Face) -> None:
        """Explain a face's name."""
        said = await explain(face, self._known)
        if said["person"] is not None:
            self._known.notes.view("live.asked", said["person"])
        self._session.say("why", id=command.id, **said)

    async def not_person(self, command: Command, face: Face, person: str) -> None:
        """Keep that this face is not that person's; in consent mode only as long as the face is followed."""
        if self._consent.on:
            self._consent.deny(face.track, person)
            self._session.say("noted", id=command.id, track=face.track, person=person, change=None)
            return
        if face.template is None:
            words = "This face has not been seen well enough yet. Try again in a moment."
            self._session.fail(command.id, "not_seen", words)
            return
        try:
            change = await self._known.add_negative(person, face.template)
        except NoSuchPerson:
            self._session.fail(command.id, "no_such_person", "This person is no longer known here.")
            return
        kept = change.id if change else None
        self._session.say("noted", id=command.id, track=face.track, person=person, change=kept)

    def forget(self, command: Command) -> None:
        """Drop what this session alone knows of somebody."""
        person = command.text("person")
        if self._known.forget(person):
            self._session.say("forgotten", id=command.id, person=person)
        else:
            self._session.fail(command.id, "no_such_person", "This session has added nobody of this id.")
