"""What a record says of why somebody may be recognised, and until when that stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, get_args

Lawful = Literal["consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"]
Basis = Literal[Lawful, "not_recorded"]
State = Literal["holds", "over", "withdrawn", "not_recorded"]
LAWFUL: tuple[Lawful, ...] = get_args(Lawful)
"""The bases that there are in law (GDPR, article 6)."""
MAX_PURPOSE = 200
MAX_RECORDER = 80
UNSAID = "recognition"  # the purpose where nobody said one


class ConsentMissing(ValueError):
    """Nobody said why somebody may be recognised, and it has to be said."""


@dataclass(frozen=True, slots=True)
class NewConsent:
    """Why somebody may be recognised, as it was said; ``expires`` is UTC, ``None`` for never."""

    purpose: str
    basis: Basis
    given: date
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """One record. Times are UTC; ``recorded_by`` names nobody."""

    id: str
    person: str
    purpose: str
    basis: Basis
    given: date
    expires: datetime | None
    withdrawn: datetime | None
    recorded: datetime
    recorded_by: str

    def state(self, now: datetime) -> State:
        """What it comes to. What was withdrawn stays so, whatever the clock says."""
        if self.withdrawn is not None:
            return "withdrawn"
        if self.expires is not None and self.expires <= now:
            return "over"
        return "not_recorded" if self.basis == "not_recorded" else "holds"

    def holds(self, now: datetime) -> bool:
        """Whether there is a reason in law, neither over nor withdrawn."""
        return self.state(now) == "holds"

    def allows(self, now: datetime) -> bool:
        """Whether its person is recognised: also where nobody has recorded why."""
        return self.state(now) in ("holds", "not_recorded")

    def ended(self, now: datetime) -> datetime | None:
        """Since when its person is not recognised."""
        return None if self.allows(now) else self.withdrawn or self.expires


def missing(name: str) -> str:
    """What is said where nobody said why somebody may be recognised."""
    return f"say why {name} may be recognised: their consent, or another basis"
