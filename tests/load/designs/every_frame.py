"""This server, but the detector looks at every frame.

    python -m tests.load.designs.every_frame python -m server ARGUMENT…

For comparison only: there is no setting for it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import server.services
from server.cli import main
from tracking import TrackingPolicy


@dataclass(frozen=True, slots=True)
class EveryFrame(TrackingPolicy):
    """A look is always due and always affordable, whatever is asked for beside."""

    def __post_init__(self) -> None:
        for name, value in (("keyframe_interval", 0.0), ("empty_interval", 0.0), ("max_share", 2.0)):
            object.__setattr__(self, name, value)


if __name__ == "__main__":
    setattr(server.services, "DEFAULT_POLICY", EveryFrame())  # noqa: B010 – a name it does not export
    main(sys.argv[sys.argv.index("server") + 1 :])
