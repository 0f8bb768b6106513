"""Requests for what lives on another node are handed on to it, both ways as they come; it looks at the visitor itself,
as if they had come to it directly: with the same address and the same headers, those of proxies too.

A request is handed on once at most. Whom it belongs to is said by the tag in its address (:mod:`server.nodes.tags`), or
by that of the session a page wants to go on with. Where that node is gone, so is what lived in its memory, and the
request is answered here, as for anything that has ended; what lies on its disk is not gone, and is to be waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import re
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict
from yarl import URL

from server.fallback.jpeg import MAX_BYTES
from server.nodes.tags import tag_in
from server.nodes.word import HEADER, NodeKey, NotOurs, Word
from server.problems import problem
from server.storage.nodes import Row

logger = logging.getLogger(__name__)

FORWARDED = web.RequestKey("handed on to another node", bool)
"""Set for requests that another node answers: this one notes nothing of them."""
BY_NODE = web.RequestKey("word of the node that hands it on", Word)
CONNECT = 1.5  # seconds for a node to take a connection
RESUME = 4.0  # … to take up a session again, before it begins anew here
ANSWER = 30.0  # … and without a byte of an answer; streams send one every 15
RESUMED = frozenset({"/api/v1/whip", "/api/v1/fallback"})  # what a page goes on with is in the query
ON_DISK = ("/api/v1/videos/",)
GATHERED = (
    (re.compile("/api/v1/sessions"), "sessions"),
    (re.compile("/api/v1/videos"), "videos"),
    (re.compile("/api/v1/rooms/[^/]+/sources"), "sources"),
)
"""Lists of what each node has of its own, and what of the answer is the list."""
RETRY_AFTER = "5"  # seconds
_HOP = frozenset(
    name.lower()
    for name in (
        hdrs.CONNECTION, hdrs.KEEP_ALIVE, hdrs.PROXY_AUTHENTICATE, hdrs.PROXY_AUTHORIZATION, hdrs.TE, hdrs.TRAILER,
        hdrs.TRANSFER_ENCODING, hdrs.UPGRADE,
    )
)  # fmt: skip
_SAID = frozenset({hdrs.HOST.lower(), HEADER.lower()})
_OF_SOCKET = "sec-websocket-"


class Register(Protocol):
    """As much of :class:`server.nodes.register.Register` as forwarding takes."""

    @property
    def others(self) -> tuple[Row, ...]:
        """The other nodes that live."""

    def other(self, tag: str) -> Row | None:
        """One of them."""


class Unreachable(Exception):
    """The node did not answer, and nothing of an answer was sent on."""


class Forwarding:
    """Hands on. End it with :meth:`close`."""

    def __init__(self, me: str, key: NodeKey, register: Register, answer: float = ANSWER) -> None:
        self._me = me
        self._key = key
        self._register = register
        self._answer = answer
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def close(self) -> None:
        """Break off what is under way."""
        await self._http.close()

    def middleware(self) -> Middleware:
        """To stand before everything that looks at the visitor."""

        @web.middleware
        async def forward(request: web.Request, handler: Handler) -> web.StreamResponse:
            header = request.headers.get(HEADER)
            if header is not None:
                return await self._from_node(request, header, handler)
            tag = owner_in(request)
            if tag is None or tag == self._me:
                response = await handler(request)
                return await self._gather(request, response)
            node = self._register.other(tag)
            if node is not None:
                with contextlib.suppress(Unreachable):
                    return await self.hand_on(request, node)
            if request.path.startswith(ON_DISK):
                words = "The node that holds this cannot be reached; try again in a moment."
                return problem(503, "Service Unavailable", words, Retry_After=RETRY_AFTER)
            return await handler(request)

        return forward

    # -- from another node -------------------------------------------------------------------------------------------

    async def _from_node(self, request: web.Request, header: str, handler: Handler) -> web.StreamResponse:
        try:
            word = self._key.read(header, self._me, request.method, request.path_qs)
        except NotOurs:
            logger.warning("a request said to come from a node, and did not")
            return problem(403, "Forbidden", "This does not come from a node of this server, or its clock is wrong.")
        if word.client:
            request = request.clone(remote=word.client, scheme=word.scheme, host=word.host)
        request[BY_NODE] = word
        return await handler(request)

    # -- to another node ---------------------------------------------------------------------------------------------

    async def hand_on(self, request: web.Request, node: Row) -> web.StreamResponse:
        """The answer of a node, as it comes. Raises :class:`Unreachable`."""
        request[FORWARDED] = True
        try:
            if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
                return await self._socket(request, node)
            return await self._request(request, node)
        except Unreachable:
            del request[FORWARDED]
            raise

    async def _request(self, request: web.Request, node: Row) -> web.StreamResponse:
        # An offer is small, and may have to be answered here; anything else passes through as it comes.
        again = request.path in RESUMED
        body = await request.read() if again else request.content if request.can_read_body else None
        longest = min(RESUME, self._answer) if again else self._answer
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT, sock_read=longest)
        try:
            answer = await self._http.request(
                request.method, _at(node, request), headers=self._headers(request, node), data=body, timeout=timeout,
                allow_redirects=False, skip_auto_headers=(hdrs.USER_AGENT, hdrs.CONTENT_TYPE, hdrs.ACCEPT_ENCODING),
            )  # fmt: skip
        except (aiohttp.ClientError, TimeoutError) as error:
            if again or isinstance(error, aiohttp.ClientConnectorError):
                raise Unreachable from error
            # It has the request, and may have done what it asks: nobody else may do it again.
            words = "The node that has this does not answer; try again in a moment."
            return problem(504, "Gateway Timeout", words, Retry_After=RETRY_AFTER)
        async with answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP:
                    response.headers.add(name, value)
            await response.prepare(request)
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            except (aiohttp.ClientError, TimeoutError):
                # Half of an answer must not look like a whole one.
                if request.transport is not None:
                    request.transport.close()
                return response
            await response.write_eof()
            return response

    async def _socket(self, request: web.Request, node: Row) -> web.StreamResponse:
        headers = self._headers(request, node)
        for name in [name for name in headers if name.lower().startswith(_OF_SOCKET)]:
            del headers[name]
        try:
            there = await self._http.ws_connect(_at(node, request), headers=headers, max_msg_size=MAX_BYTES, compress=0)
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (101, 502, 504):
                raise Unreachable from error
            return problem(error.status, "Refused", "The node that has this session did not take it up.")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable from error
        async with there:
            here = web.WebSocketResponse(max_msg_size=MAX_BYTES, compress=False, timeout=1.0)
            await here.prepare(request)
            ways = [asyncio.create_task(_pump(here, there)), asyncio.create_task(_pump(there, here))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                await here.close()
            return here

    def _headers(self, request: web.Request, node: Row) -> CIMultiDict[str]:
        headers = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.lower() not in _HOP | _SAID
        )
        word = Word(
            self._me, node.tag, request.method, request.path_qs, _address(request.remote), request.scheme, request.host
        )
        headers[HEADER] = self._key.header(word)
        return headers

    # -- lists of all nodes ------------------------------------------------------------------------------------------

    async def _gather(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """Add what the other nodes have to a list; a node that does not answer is left out."""
        field = next((name for path, name in GATHERED if path.fullmatch(request.path)), None)
        others = self._register.others
        if field is None or request.method != hdrs.METH_GET or not others:
            return response
        if not isinstance(response, web.Response) or response.status != 200 or not isinstance(response.text, str):
            return response
        body = json.loads(response.text)
        for found in await asyncio.gather(*(self._list(request, node, field) for node in others)):
            body[field] = _with(body[field], found)
        response.text = json.dumps(body, ensure_ascii=False)
        return response

    async def _list(self, request: web.Request, node: Row, field: str) -> list[Any]:
        headers = self._headers(request, node)
        headers.popall(hdrs.IF_NONE_MATCH, None)
        headers.popall(hdrs.ACCEPT_ENCODING, None)
        timeout = aiohttp.ClientTimeout(total=2 * CONNECT)
        try:
            async with self._http.get(_at(node, request), headers=headers, timeout=timeout) as answer:
                body = json.loads(await answer.read()) if answer.status == 200 else {}
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return []
        found = body.get(field) if isinstance(body, dict) else None
        return found if isinstance(found, list) else []


def owner_in(request: web.Request) -> str | None:
    """The tag of the node that a request is for, if it bears one."""
    if request.path in RESUMED:
        return tag_in(request.query.get("resume", ""))
    return next((tag for part in request.path.split("/") if (tag := tag_in(part)) is not None), None)


def _with(ours: list[Any], theirs: list[Any]) -> list[Any]:
    """Both. A source is known to every node, and has a camera on the one that fetches it."""
    fetched = {one["id"]: one for one in theirs if one.get("camera") is not None}
    known = {one["id"] for one in ours}
    return [*(fetched.get(one["id"], one) for one in ours), *(one for one in theirs if one["id"] not in known)]


def _at(node: Row, request: web.Request) -> URL:
    return URL(node.url.rstrip("/") + request.path_qs, encoded=True)


def _address(remote: str | None) -> str:
    """Of whoever asks; a zone says nothing on another computer."""
    try:
        return str(ipaddress.ip_address((remote or "0.0.0.0").split("%")[0]))
    except ValueError:
        return "0.0.0.0"


async def _pump(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    sink: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    send: dict[aiohttp.WSMsgType, Callable[[Any], Any]] = {
        aiohttp.WSMsgType.TEXT: sink.send_str,
        aiohttp.WSMsgType.BINARY: sink.send_bytes,
    }
    with contextlib.suppress(ConnectionError):
        async for message in source:
            await send[message.type](message.data)
