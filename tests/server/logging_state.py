"""Logging as it was, after a test has set it up as the server does."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from server.logs import OURS


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Whatever becomes of the loggers inside, they are as before afterwards."""
    names = (None, *OURS, *logging.root.manager.loggerDict)
    before = {name: (logging.getLogger(name).level, logging.getLogger(name).handlers[:]) for name in names}
    try:
        yield
    finally:
        for name, (level, handlers) in before.items():
            logging.getLogger(name).setLevel(level)
            logging.getLogger(name).handlers[:] = handlers
