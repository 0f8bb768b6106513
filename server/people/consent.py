"""Why somebody may be recognised: what the doors take for it, what they say of it, and what is asked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

from server.people.lapse import Lapse
from server.storage.consent_values import LAWFUL, MAX_PURPOSE, Consent, Lawful, NewConsent

PURPOSE = "To be recognised by name on this server"
"""Offered until somebody says another."""
SOON = timedelta(days=30)
LONGEST = timedelta(days=3653)  # ten years with their leap days
EARLIEST = date(1900, 1, 1)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UNPRINTABLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


class BadConsent(ValueError):
    """A reason that cannot be written down; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of whoever enrols somebody: whether it has to be said why they may be recognised, and after how
    many days that is over where nothing else is said (0: never)."""

    require: bool = False
    days: int = 365

    def read(self, said: object, now: datetime) -> NewConsent:
        """A reason as JSON gives it. ``given`` is today where it is missing; ``expires`` as these terms say, and never
        where it is ``null``. Raises :class:`BadConsent`."""
        if not isinstance(said, Mapping):
            raise BadConsent("consent is an object with a purpose and a basis")
        if odd := said.keys() - {"purpose", "basis", "given", "expires"}:
            raise BadConsent(f"there is no field {str(min(odd, key=str))[:40]!r} in a consent")
        basis = said.get("basis")
        if not isinstance(basis, str) or basis not in LAWFUL:
            raise BadConsent(f"basis is one of {', '.join(LAWFUL)}")
        given = _given(said.get("given"), now)
        expires = self._expires(said, given)
        if expires is not None and expires <= now:
            raise BadConsent("expires is over already")
        if expires is not None and expires - _midnight(given) > LONGEST + timedelta(days=1):
            raise BadConsent("expires is at most ten years after it was given")
        lawful: Lawful = basis
        return NewConsent(clean_purpose(said.get("purpose")), lawful, given, expires)

    def _expires(self, said: Mapping[str, Any], given: date) -> datetime | None:
        if "expires" not in said:
            return end_of(given + timedelta(days=self.days)) if self.days else None
        text = said["expires"]
        if text is None:
            return None
        try:
            if isinstance(text, str) and _DAY.fullmatch(text):
                expires = end_of(date.fromisoformat(text))
            elif isinstance(text, str) and (moment := datetime.fromisoformat(text)).tzinfo is not None:
                expires = moment.astimezone(UTC)
            else:
                raise BadConsent("expires is a day (2027-11-30), a time with its zone, or null for never")
        except (ValueError, OverflowError) as error:
            if isinstance(error, BadConsent):
                raise
            raise BadConsent("expires is a day (2027-11-30), a time with its zone, or null for never") from None
        if expires <= _midnight(given):
            raise BadConsent("expires is later than the day it was given")
        return expires


class Asking(Protocol):
    """Whoever enrols people: their terms and their clock."""

    terms: Terms
    lapse: Lapse


def said_consent(people: Asking, body: Mapping[str, Any]) -> NewConsent | None:
    """What a message says in its field ``consent``; ``None`` where there is none. Raises :class:`BadConsent`."""
    said = body.get("consent")
    return None if said is None else people.terms.read(said, people.lapse.clock())


def clean_purpose(text: object) -> str:
    """Trim and normalise a purpose. Raises :class:`BadConsent` unless 1–200 characters remain, none of them a control
    character."""
    if not isinstance(text, str):
        raise BadConsent("purpose must be text")
    purpose = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(purpose) <= MAX_PURPOSE:
        raise BadConsent(f"purpose has 1 to {MAX_PURPOSE} characters, not {len(purpose)}")
    if any(unicodedata.category(c) in _UNPRINTABLE for c in purpose):
        raise BadConsent("purpose must not contain control characters")
    return purpose


def end_of(day: date) -> datetime:
    """When a day is over where this server stands, as UTC. Raises :class:`BadConsent` for the last day there is."""
    try:
        return _midnight(day + timedelta(days=1))
    except OverflowError:
        raise BadConsent("a year is at most 9998") from None


def consent_fields(consent: Consent | None, now: datetime) -> dict[str, Any] | None:
    """A record as JSON says it."""
    if consent is None:
        return None
    return {
        "purpose": consent.purpose,
        "basis": consent.basis,
        "given": consent.given.isoformat(),
        "expires": _iso(consent.expires),
        "withdrawn": _iso(consent.withdrawn),
        "recorded": consent.recorded.isoformat(),
        "recorded_by": consent.recorded_by,
        "state": consent.state(now),
    }


def ends_soon(consent: Consent, now: datetime) -> bool:
    """Whether it holds, and is over within 30 days."""
    return consent.holds(now) and consent.expires is not None and consent.expires - now <= SOON


def _given(text: object, now: datetime) -> date:
    if text is None:
        return now.astimezone().date()
    try:
        given = date.fromisoformat(text) if isinstance(text, str) and _DAY.fullmatch(text) else None
    except ValueError:
        given = None
    if given is None:
        raise BadConsent("given is a day, such as 2026-11-30")
    if given < EARLIEST:
        raise BadConsent(f"given is {EARLIEST.year} or later")
    if given > now.astimezone().date() + timedelta(days=1):  # a day ahead it may be already where that was written
        raise BadConsent("given is still to come")
    return given


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min).astimezone(UTC)  # as this server's own clock has it


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
