"""How schemathesis writes the bodies that only we have: session descriptions, as text."""

from __future__ import annotations

import re
import uuid
from typing import Any

import schemathesis

from server.api.idempotency import HEADER, PATTERN


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def as_text(_context: Any, value: Any) -> bytes:
    """Text goes as it is, whatever else is generated as its words."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Every request has an Idempotency-Key of its own, as a program's would: nothing is to be answered from memory. And
    it is as long as it is."""
    key = (case.headers or {}).get(HEADER)
    if isinstance(key, str) and re.search(PATTERN, key, re.ASCII) and len(key) < 200:
        case.headers[HEADER] = str(uuid.uuid4())
    for name in [name for name in case.headers or {} if name.lower() == "content-length"]:
        del case.headers[name]  # with a length that is none it is no HTTP, and answered before the application
