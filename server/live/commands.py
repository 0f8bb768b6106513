"""What the page of a live session asks for, and who answers it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from pipeline.results import Face
from server.live.allowed import is_allowed
from server.live.camera import LiveCamera
from server.live.corrections import LiveCorrections
from server.live.enrolments import LiveEnrolments
from server.live.geometry import LiveGeometry
from server.live.messages import BadMessage, Command, parse_command

BAD_MESSAGES = 20  # … within BAD_WINDOW seconds end the session
BAD_WINDOW = 10.0


class Session(Protocol):
    """As much of a session as answering takes."""

    camera: LiveCamera

    @property
    def guest(self) -> bool:
        """Whether what it adds goes when it ends."""

    @property
    def current(self) -> tuple[Face, ...]:
        """The faces of its newest picture."""

    def face(self, command: Command) -> Face | None:
        """The face a command speaks of; without one the page has been told."""

    def say(self, kind: str, **fields: Any) -> None:
        """Send a message."""

    def fail(self, command: int | str | None, code: str, text: str, **fields: Any) -> None:
        """Send an ``error``."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do something beside the frames."""

    def stats(self) -> dict[str, Any]:
        """Counts and medians."""

    def end(self, reason: str) -> None:
        """Close the link."""


class Commands:
    """Answers the messages of one page."""

    def __init__(
        self, session: Session, enrolments: LiveEnrolments, corrections: LiveCorrections, geometry: LiveGeometry
    ) -> None:
        self._session = session
        self._enrolments = enrolments
        self._corrections = corrections
        self._bad: deque[float] = deque(maxlen=BAD_MESSAGES)
        self._table: Mapping[str, Callable[[Command], None]] = {
            "ping": self._ping,
            "enrol": lambda command: enrolments.start(command, session.current),
            "cancel_enrol": enrolments.cancel,
            "finish_enrol": enrolments.finish,
            "why": self._why,
            "not_person": self._not_person,
            "camera": geometry.find,
            "forget": corrections.forget,
            "stats": self._stats,
            "bye": lambda _command: session.end("bye"),
        }

    def answer(self, raw: str | bytes) -> None:
        """Answer one; who sends nothing but nonsense is ended."""
        session = self._session
        try:
            command = parse_command(raw)
        except BadMessage as error:
            self._nonsense(None, str(error))
            return
        if not is_allowed(session.camera.visitor.role, command.type, guest=session.guest):
            session.fail(command.id, "not_allowed", "Who came by what this page came by may not do that.")
            return
        answer = self._table.get(command.type)
        if answer is None:
            session.fail(command.id, "unknown_type", f"there is no message of type {command.type[:40]!r}")
            return
        try:
            answer(command)
        except BadMessage as error:
            self._nonsense(command.id, str(error))

    def _ping(self, command: Command) -> None:
        self._session.say("pong", id=command.id, t=command.number("t"), now=round(time.time(), 4))

    def _stats(self, command: Command) -> None:
        self._session.say("stats", id=command.id, session=self._session.stats())

    def _why(self, command: Command) -> None:
        if (face := self._session.face(command)) is not None:
            self._session.spawn(self._corrections.why(command, face), "why")

    def _not_person(self, command: Command) -> None:
        person = command.text("person")
        if (face := self._session.face(command)) is not None:
            self._session.spawn(self._corrections.not_person(command, face, person), "not this person")

    def _nonsense(self, command: int | str | None, text: str) -> None:
        now = time.monotonic()
        self._bad.append(now)
        self._session.fail(command, "bad_message", f"{text}.")
        if len(self._bad) == BAD_MESSAGES and now - self._bad[0] <= BAD_WINDOW:
            self._bad.clear()
            self._session.end("too_many_errors")
