"""``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header): what was asked for twice is done once.

Answers are remembered in memory for a day; those of a server that was stopped in between are not. An upload is told
from another by its address, type and length, since its bytes are not kept; everything else by all it says.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.access.household import household_of
from server.api.operations import Media, operation_of
from server.problems import problem
from server.visitor import maybe_visitor

HEADER = "Idempotency-Key"
KEPT = 24 * 3600.0  # seconds
MOST, MOST_BYTES = 10_000, 64 << 20  # answers, and bytes of them together
LARGEST = 4 << 20  # bytes of one answer
LONGEST = 255  # characters of a key
_VISIBLE = rf"[!#-\[\]-~]{{1,{LONGEST}}}"
PATTERN = rf'^("{_VISIBLE}"|{_VISIBLE})$'
METHODS = (hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_PATCH)
PASSING = (408, 409, 425, 429)  # asked again, these may well be answered otherwise


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was asked and, once it is known, what was answered; no ``answer`` to something done: too large to keep,
    or secret."""

    fingerprint: str
    at: float
    done: bool = False
    answer: tuple[int, dict[str, str], bytes] | None = None

    @property
    def bytes(self) -> int:
        """What it takes."""
        return len(self.answer[2]) if self.answer else 0


class Answers:
    """The answers remembered, the oldest first."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: OrderedDict[tuple[str, str], Remembered] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[str, str]) -> Remembered | None:
        """What is remembered under a key."""
        self._tidy()
        return self._kept.get(key)

    def begin(self, key: tuple[str, str], fingerprint: str) -> None:
        """Somebody is being answered."""
        self._kept[key] = Remembered(fingerprint, self._now())

    def end(self, key: tuple[str, str], answer: tuple[int, dict[str, str], bytes] | None) -> None:
        """Remember what was answered."""
        begun = self._kept[key]
        self._kept[key] = Remembered(begun.fingerprint, begun.at, True, answer)
        self._bytes += self._kept[key].bytes
        self._tidy()

    def drop(self, key: tuple[str, str]) -> None:
        """Nothing was done: it may be asked for again."""
        gone = self._kept.pop(key, None)
        self._bytes -= gone.bytes if gone else 0

    def clear(self) -> None:
        """Forget every answer: somebody in them may have been forgotten."""
        for key in [key for key, kept in self._kept.items() if kept.done]:
            self.drop(key)

    def _tidy(self) -> None:
        """Only the oldest can be too old; those in progress stay as long as they are."""
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            old = oldest.at + KEPT < self._now() or len(self._kept) > MOST or self._bytes > MOST_BYTES
            if not (old and oldest.done):
                return
            self.drop(key)


def idempotency_middleware(answers: Answers) -> Middleware:
    """Answer again what was asked under the same key."""

    @web.middleware
    async def idempotency(request: web.Request, handler: Handler) -> web.StreamResponse:
        operation = operation_of(request)
        if operation is None or request.method not in METHODS or HEADER not in request.headers:
            response = await handler(request)
            if operation is not None and operation.erases and response.status < 300:
                answers.clear()
            return response
        name = _name(request.headers[HEADER])
        if name is None:
            return problem(400, "Bad Request", f"{HEADER} is 1 to {LONGEST} visible ASCII characters, best a UUID.")
        key = (_asker(request), name)
        body = b"" if isinstance(operation.body, Media) else await request.read()
        fingerprint = _fingerprint(request, body)
        known = answers.get(key)
        if known is not None:
            return _again(known, fingerprint)
        answers.begin(key, fingerprint)
        try:
            response = await handler(request)
        except BaseException:
            answers.drop(key)
            raise
        if response.status < 500 and response.status not in PASSING:
            answers.end(key, None if operation.secret else _kept(response))
        else:
            answers.drop(key)
        return response

    return idempotency


def _asker(request: web.Request) -> str:
    """Nobody is answered what somebody else was."""
    return str(maybe_visitor(request) or household_of(request))


def _name(field: str) -> str | None:
    """The key: a string of structured fields (RFC 9651), or the same without quotes."""
    name = field.strip()
    return name.strip('"') if re.search(PATTERN, name, re.ASCII) else None


def _fingerprint(request: web.Request, body: bytes) -> str:
    said = (request.method, request.path_qs, request.content_type, str(request.content_length))
    return hashlib.sha256("\n".join(said).encode("utf-8", "replace") + b"\n" + body).hexdigest()


def _again(known: Remembered, fingerprint: str) -> web.Response:
    if known.fingerprint != fingerprint:
        return problem(422, "Another request", f"This {HEADER} was used for something else; take a new one.")
    if not known.done:
        return problem(409, "Conflict", "This is being done at this moment; ask again for the answer.", Retry_After="1")
    if known.answer is None:
        return problem(409, "Conflict", "This was done; its answer is too large, or too secret, to be kept.")
    status, headers, body = known.answer
    return web.Response(status=status, headers={**headers, "Idempotency-Replayed": "true"}, body=body)


def _kept(response: web.StreamResponse) -> tuple[int, dict[str, str], bytes] | None:
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(response, web.Response) or not (body is None or isinstance(body, bytes | bytearray)):
        return None
    body = bytes(body or b"")
    if len(body) > LARGEST:
        return None
    names = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
    return response.status, names, body
