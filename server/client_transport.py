"""How the client asks: one try after another, and what is refused in the server's own words. Standard library alone."""

from __future__ import annotations

import json
import mimetypes
import ssl
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote, urlencode

T = TypeVar("T")
TRIES = 3  # of a request that gets no answer, or is told to wait
LONGEST_WAIT = 30.0  # seconds a server may ask to wait before that is said instead
Source = str | Path | bytes  # a file by its path, or what is in it
Parameters = Mapping[str, str | int | float | None]


class Refused(Exception):
    """The server refused: ``status`` and ``title``, and in words why. ``status`` 0: it could not be reached."""

    def __init__(self, status: int, title: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.retry_after = retry_after


class Asking:
    """Asks a server; what it can be asked for is :class:`server.client.Visavis`."""

    def __init__(
        self,
        url: str = "http://localhost:8000",
        key: str | None = None,
        *,
        authority: str | Path | None = None,
        timeout: float = 60.0,
    ) -> None:
        self._root = url.rstrip("/") + "/api/v1"
        self._key = key
        self._timeout = timeout
        context = ssl.create_default_context(cafile=None if authority is None else str(authority))
        # A proxy of the environment has no business between a program and a server at home.
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def _pages(self, path: str, **query: str | int | None) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            page = self._get(path, **query, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def _get(self, path: str, **query: str | int | float | None) -> Any:
        return json.loads(self._ask("GET", path, query))

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        headers = {} if method == "DELETE" else {"Idempotency-Key": str(uuid.uuid4())}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        answer = self._ask(method, path, {}, data, headers)
        return json.loads(answer) if answer else None

    def _delete(self, path: str, **query: str | None) -> Any:
        return json.loads(self._ask("DELETE", path, query))

    def _upload(self, path: str, source: Source, file: str | None, **query: str | None) -> Any:
        """Send a file as it is; ``file`` is what it is called where it has no name of its own, ``None``: nothing."""
        named = source if isinstance(source, str | Path) else None
        if file is not None:
            query["file"] = Path(named).name if named is not None else file
        kind = mimetypes.guess_type(str(named))[0] if named is not None else None
        headers = {"Content-Type": kind or "application/octet-stream", "Idempotency-Key": str(uuid.uuid4())}
        if isinstance(source, bytes):
            return json.loads(self._ask("POST", path, query, source, headers))
        with Path(source).open("rb") as stream:
            headers["Content-Length"] = str(Path(source).stat().st_size)
            return json.loads(self._ask("POST", path, query, stream, headers))

    def _let_go(self, path: str) -> None:
        try:
            self._send("DELETE", path)
        except Refused:
            return  # it lets go by itself

    def _ask(
        self,
        method: str,
        path: str,
        query: Parameters,
        data: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        return self._tried(method, path, query, data, headers, _read)

    def _open(self, path: str, query: Parameters) -> HTTPResponse:
        """An answer that has begun, to be closed by whoever asked."""
        return self._tried("GET", path, query, None, None, lambda response: response)

    def _tried(
        self,
        method: str,
        path: str,
        query: Parameters,
        data: bytes | IO[bytes] | None,
        headers: Mapping[str, str] | None,
        take: Callable[[HTTPResponse], T],
    ) -> T:
        said = {name: value for name, value in query.items() if value is not None}
        url = self._root + quote(path) + (f"?{urlencode(said)}" if said else "")
        sent = {"Accept": "*/*", **(headers or {})}
        if self._key is not None:
            sent["Authorization"] = f"Bearer {self._key}"
        for left in reversed(range(TRIES)):
            if data is not None and not isinstance(data, bytes):
                data.seek(0)
            request = urllib.request.Request(url, data, sent, method=method)
            try:
                return take(self._opener.open(request, timeout=self._timeout))
            except urllib.error.HTTPError as error:
                with error:
                    refused = _refused(error.code, error.headers.get("Retry-After"), error.read())
                wait = refused.retry_after
                if left == 0 or wait is None or wait > LONGEST_WAIT or refused.status not in (409, 429, 503):
                    raise refused from None
            except (OSError, HTTPException) as error:
                if left == 0 or isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
                    reason = getattr(error, "reason", error)
                    raise Refused(0, "Unreachable", f"{self._root} cannot be reached: {reason}") from None
                wait = 0.2
            time.sleep(wait)
        raise AssertionError("every last try returns or raises")


def _read(response: HTTPResponse) -> bytes:
    with response:
        return response.read()


def _refused(status: int, after: str | None, body: bytes) -> Refused:
    wait = float(after) if after is not None and after.isdigit() else None
    try:
        said = json.loads(body)
        return Refused(status, str(said["title"]), str(said["detail"]), wait)
    except (ValueError, KeyError, TypeError):
        return Refused(status, "Refused", f"The server answered {status} without saying why.", wait)
