"""What a body may be: said once for every operation that takes JSON."""

from __future__ import annotations

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from server.api.operations import Media, operation_of
from server.problems import problem

_UNSAID = "application/octet-stream"  # what is read where nothing is said, and what many programs say of anything


@web.middleware
async def media_type_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse forms, text and pictures where an operation takes JSON (415)."""
    operation = operation_of(request)
    if operation is None or operation.body is None or isinstance(operation.body, Media):
        return await handler(request)
    said = request.content_type.lower()
    if request.method == hdrs.METH_GET or said in ("application/json", _UNSAID) or said.endswith("+json"):
        return await handler(request)
    return problem(415, "Unsupported Media Type", "Send JSON, as application/json.", Accept="application/json")
