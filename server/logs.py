"""What is written to the log, and what never is.

An error's words may hold what it failed on: a name, an address with its password, a row of the store. So an exception
is logged by its kind and by the places in the program that it passed, without its words and without any value; errors
that nobody caught, in tasks, threads and at the very end, are as well. Libraries are heard from warnings on, whatever
the setting ``log_level`` says: below that SQLAlchemy writes every row that it reads, and aiortc
every session description with the password of its connection.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO

REQUESTS = "server.observing.requests"
OURS = ("server", "pipeline", "tracking", "models", "training")
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
TIME = "%Y-%m-%dT%H:%M:%S%z"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
logger = logging.getLogger(__name__)

_Excepted = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Places(logging.Formatter):
    """Lines with exceptions told by :func:`told`."""

    def formatException(self, ei: _Excepted) -> str:
        """The exception of a record."""
        return "" if ei[1] is None else told(ei[1])

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without its exception: one line, whatever is in it."""
        return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """The line; what another formatter made of the exception is left out."""
        record.exc_text = None
        line = super().format(record)
        record.exc_text = None
        return line


class Lines(logging.Formatter):
    """The same as JSON, a line each: ``time``, ``level``, ``logger``, ``message``, where there is one ``session``,
    ``node`` and ``error``, and what a record brings as ``fields``."""

    def __init__(self, node: str = "") -> None:
        super().__init__()
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        """The line; characters beyond ASCII are escaped, and so none can break it."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (session := _session(record)) is not None:
            line["session"] = session
        if self._node:
            line["node"] = self._node
        line.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = parts(record.exc_info[1])
        return json.dumps(line, default=str)


def _session(record: logging.LogRecord) -> str | None:
    """Of a line that begins with the words ``session %s``, as ours do that are about one."""
    if isinstance(record.msg, str) and record.msg.startswith("session %s") and isinstance(record.args, tuple):
        return str(record.args[0]) if record.args else None
    return None


def parts(error: BaseException) -> dict[str, Any]:
    """What :func:`told` says, for programs: kind, places, and in the same form what led to it or is in it."""
    return _parts(error, set())


def _parts(error: BaseException, seen: set[int]) -> dict[str, Any]:
    seen.add(id(error))
    found: dict[str, Any] = {
        "kind": _kind(error),
        "places": [f"{at.filename}:{at.lineno} in {at.name}" for at in traceback.extract_tb(error.__traceback__)],
    }
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        found["after"] = _parts(before, seen)
    if isinstance(error, BaseExceptionGroup):
        found["of"] = [_parts(one, seen) for one in error.exceptions if id(one) not in seen]
    return found


def _kind(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def told(error: BaseException) -> str:
    """Where an error happened and of what kind it is, with those that led to it; no words of theirs, no values."""
    return "\n".join(_lines(error, set()))


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _lines(before, seen)
        yield "  which led to:"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    yield _kind(error)
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            if id(one) not in seen:
                yield from _lines(one, seen)


def start_logging(
    level: str, stream: TextIO | None = None, *, form: Literal["text", "json"] = "text", node: str = ""
) -> None:
    """Log to standard error and nowhere else, ours from ``level`` on; ``node``: what this server is called among
    several."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines(node) if form == "json" else Places(FORMAT, TIME))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    logging.getLogger(REQUESTS).setLevel(logging.INFO)  # whoever switched these lines on wants them at any level


def watch_crashes() -> None:
    """Log errors that nobody caught; a crash of the process itself writes where each thread was."""
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _in_thread
    if sys.stderr is not None:
        faulthandler.enable()  # places, without values


def in_task(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The event loop's handler of errors that nobody awaited; asyncio's own would print them with their words."""
    error, task = context.get("exception"), context.get("task") or context.get("future")
    name = task.get_name() if isinstance(task, asyncio.Task) else ""
    where = f" in the task {name}" if name else ""
    logger.error("%s%s", context.get("message", "an error that nobody expected"), where, exc_info=error)


def _uncaught(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    logger.critical("Visavis ends because of an error that nobody expected", exc_info=error)


def _unraisable(found: Any) -> None:
    logger.error("an error where none can be raised", exc_info=found.exc_value)


def _in_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is not None and not isinstance(found.exc_value, SystemExit):
        name = "" if found.thread is None else f" {found.thread.name}"
        logger.error("a thread%s has ended by an error that nobody expected", name, exc_info=found.exc_value)
