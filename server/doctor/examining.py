"""All groups of checks, each within its time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from server.doctor.computer import computer
from server.doctor.configured import configured
from server.doctor.finding import Check, Finding, Patient
from server.doctor.kept import kept
from server.doctor.networks import networks
from server.doctor.ports import ports
from server.doctor.trust import camera, certificate
from server.doctor.video import video


@dataclass(frozen=True, slots=True)
class Group:
    """Checks that belong together; ``seconds`` is how long they may take."""

    title: str
    check: Check
    seconds: float


GROUPS = (
    Group("This computer", computer, 15),
    Group("Settings", configured, 5),
    Group("What is kept", kept, 30),
    Group("Models", networks, 60),
    Group("Ports", ports, 20),
    Group("Video", video, 25),
    Group("Certificate", certificate, 10),
    Group("Camera", camera, 60),
)


def examine(patient: Patient, groups: tuple[Group, ...] = GROUPS) -> Iterator[tuple[Group, Finding]]:
    """Every finding, as it comes."""
    for group in groups:
        for finding in within(group, patient):
            yield group, finding


def within(group: Group, patient: Patient) -> Iterator[Finding]:
    """The findings of a group. What takes too long, or fails, is a finding too; its thread is left behind."""
    found: queue.SimpleQueue[Finding | BaseException | None] = queue.SimpleQueue()

    def check() -> None:
        try:
            for finding in group.check(patient):
                found.put(finding)
            found.put(None)
        except BaseException as error:
            found.put(error)

    until = time.monotonic() + group.seconds
    threading.Thread(target=check, name=f"doctor: {group.title}", daemon=True).start()
    while True:
        try:
            one = found.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            words = f"no end within {group.seconds:g} seconds"
            yield Finding("time", "broken", words, "visavis doctor, once more; a disk or a network may hang")
            return
        if one is None:
            return
        if isinstance(one, BaseException):
            # The kind alone: what it says may hold what was being read.
            words = f"the check itself failed ({type(one).__name__})"
            yield Finding("check", "broken", words, "visavis doctor, once more; if it stays so, report it")
            return
        yield one
