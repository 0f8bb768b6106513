"""How schemathesis writes the bodies that only we have: session descriptions, as text."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def as_text(_context: Any, value: Any) -> bytes:
    """Text goes as it is, whatever else is generated as its words."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
