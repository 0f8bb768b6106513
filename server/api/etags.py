"""Entity tags (RFC 9110 §8.8.3): what has not changed is not sent again, and nobody overwrites what they never saw."""

from __future__ import annotations

import asyncio
import hashlib
import re

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from server.api.operations import operation_of
from server.problems import problem

_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_ONE = r'(W/)?"[!#-~]*"'
IF_MATCH = rf"^(\*|{_ONE}(, ?{_ONE})*)$"


def etag_middleware() -> Middleware:
    """Add ``ETag`` to what GET answers under ``/api``, answer ``If-None-Match``, and hold guarded writes to
    ``If-Match``."""
    writing = asyncio.Lock()  # of guarded things: between looking and writing nobody else writes

    @web.middleware
    async def etags(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/api/"):
            return await handler(request)
        operation = operation_of(request)
        if operation is not None and operation.guarded and request.method != hdrs.METH_GET:
            async with writing:
                refused = await _stale(request)
                return refused if refused is not None else await handler(request)
        response = await handler(request)
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD) or response.status != 200:
            return response
        tag = _tag_of(response)
        if tag is None:
            return response
        wanted = request.headers.get(hdrs.IF_NONE_MATCH)
        if wanted is not None and _names(wanted, tag):
            return web.Response(status=304, headers={hdrs.ETAG: f'"{tag}"'})
        response.headers[hdrs.ETAG] = f'"{tag}"'
        return response

    return etags


async def _stale(request: web.Request) -> web.StreamResponse | None:
    """The refusal of a write to something that is not what ``If-Match`` names, or ``None``."""
    wanted, resource = request.headers.get(hdrs.IF_MATCH), request.match_info.route.resource
    if wanted is None or resource is None:
        return None
    if not re.search(IF_MATCH, wanted, re.ASCII):
        return problem(400, "Bad Request", 'If-Match is an ETag as it was answered, "…", a list of them, or *.')
    read = next(route.handler for route in resource if route.method == hdrs.METH_GET)
    shown = await read(request)
    tag = _tag_of(shown) if isinstance(shown, web.Response) and shown.status == 200 else None
    if tag is None or _names(wanted, tag):
        return None  # of something that is not there, the write itself says so
    return problem(412, "Precondition Failed", "This was changed since you read it; read it again.", ETag=f'"{tag}"')


def _tag_of(response: web.StreamResponse) -> str | None:
    body = response.body if isinstance(response, web.Response) else None
    return hashlib.sha256(body).hexdigest()[:32] if isinstance(body, bytes | bytearray) else None


def _names(field: str, tag: str) -> bool:
    return field.strip() == "*" or tag in _TAG.findall(field)
