"""The name a track bears: decided on fused evidence, held against single bad frames, taken back when it was wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What one look at the fused evidence says."""

    KNOWN = "known"
    UNCERTAIN = "uncertain"
    UNKNOWN = "unknown"


class IdentityState(StrEnum):
    """What is said of a track; the words of the protocol."""

    PENDING = "pending"
    KNOWN = "known"
    UNCERTAIN = "uncertain"
    UNKNOWN = "unknown"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Opinion:
    """One decision on fused evidence. ``person`` is the best candidate, also when it is not sure; ``None`` with an
    empty gallery. ``margin`` is its lead over ``runner_up``, ``threshold`` what it had to reach, ``rejected`` somebody
    it resembles more but was said not to be."""

    verdict: Verdict
    person: str | None
    probability: float
    similarity: float
    margin: float | None
    strong: bool = False  # far enough above the threshold to be believed at first sight
    runner_up: str | None = None
    threshold: float = 0.0
    rejected: str | None = None


@dataclass(frozen=True, slots=True)
class IdentityPolicy:
    """Hysteresis: how many votes a change of name takes."""

    votes_for_name: int = 2  # embeddings behind a first name, unless the opinion is strong
    votes_for_unknown: int = 3
    patience: int = 3  # opinions in a row that must contradict a name before it is taken back


DEFAULT_IDENTITY = IdentityPolicy()


@dataclass(slots=True)
class Identity:
    """The identity of one track over time."""

    policy: IdentityPolicy = DEFAULT_IDENTITY
    state: IdentityState = IdentityState.PENDING
    opinion: Opinion | None = None
    _against: int = 0

    def consider(self, opinion: Opinion, votes: int) -> None:
        """Take in what the fused evidence of ``votes`` embeddings says now."""
        if self.state is IdentityState.KNOWN and self.opinion is not None:
            if opinion.person == self.opinion.person and opinion.verdict is not Verdict.UNKNOWN:
                self._against = 0
                # While the same person remains the best candidate the name stays; only its numbers follow.
                self.opinion = opinion
                return
            self._against += 1
            if self._against < self.policy.patience:
                return
        self._against = 0
        self.opinion = opinion
        if opinion.verdict is Verdict.KNOWN:
            enough = opinion.strong or votes >= self.policy.votes_for_name
            self.state = IdentityState.KNOWN if enough else IdentityState.PENDING
        elif opinion.verdict is Verdict.UNCERTAIN:
            self.state = IdentityState.UNCERTAIN if votes >= self.policy.votes_for_name else IdentityState.PENDING
        else:
            self.state = IdentityState.UNKNOWN if votes >= self.policy.votes_for_unknown else IdentityState.PENDING

    def reset(self) -> None:
        """Forget the decision (the gallery changed); the next opinion decides anew."""
        self.state, self.opinion, self._against = IdentityState.PENDING, None, 0
