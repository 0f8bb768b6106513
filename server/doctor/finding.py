"""What was found, and the one who is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from server.doctor import asking
from server.settings import Configuration, Settings

Verdict = Literal["good", "worth a look", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``what`` was found by ``check``, and for whatever is not good a ``cure`` that one can type or do."""

    check: str
    verdict: Verdict
    what: str
    cure: str = ""

    def __post_init__(self) -> None:
        if (self.verdict == "good") == bool(self.cure):
            raise ValueError(f"{self.check}: what is not good has a cure, and nothing else has")


@dataclass(frozen=True)
class Patient:
    """An installation with its configuration."""

    configuration: Configuration

    @property
    def settings(self) -> Settings:
        """What it runs with."""
        return self.configuration.settings

    @cached_property
    def running(self) -> bool:
        """Whether a Visavis answers on ``http_port`` of this computer."""
        return asking.is_visavis(f"http://localhost:{self.settings.http_port}")

    @cached_property
    def serving_others(self) -> bool:
        """… and on ``https_port``."""
        return self.settings.lan and asking.is_visavis(f"https://127.0.0.1:{self.settings.https_port}")


Check = Callable[[Patient], Iterator[Finding]]
