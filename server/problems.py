"""Errors of the HTTP interface as problem details (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from server.media.decoder import DecoderDown
from server.storage.faults import fault

logger = logging.getLogger(__name__)

_WORDS = {  # where nobody else has words
    404: "There is nothing at this address.",
    405: "That cannot be done here; Allow says what can.",
    413: "The body is larger than what is taken here.",
}


def problem(status: int, title: str, detail: str, **headers: str) -> web.Response:
    """An ``application/problem+json`` answer; underscores in header names become hyphens."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.Response(
        status=status,
        text=json.dumps(body, ensure_ascii=False),
        content_type="application/problem+json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


@web.middleware
async def problem_middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn raised HTTP errors, and errors nobody expected, into problem details."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        said = error.text or ""
        words = _WORDS.get(error.status) if said.startswith((f"{error.status}: ", "Maximum request body")) else None
        return problem(error.status, error.reason, words or said or error.reason, **allow)
    except DecoderDown as down:
        return problem(503, "Service Unavailable", str(down), Retry_After="5")
    except ConnectionError:
        raise
    except Exception as error:
        if (found := fault(error)) is not None:
            logger.error("the store or its disk: %s", found.words)
            later = {"Retry-After": "5" if found.soon else "30"} if found.passes else {}
            return problem(503, "Service Unavailable", found.words, **later)
        # The class and place say enough to mend it; values might hold a name.
        logger.exception("%s %s failed", request.method, request.match_info.route.resource, exc_info=_bare(error))
        return problem(500, "Internal Server Error", "Something went wrong on the server.")


def _bare(error: BaseException) -> BaseException:
    bare: BaseException = type("Failure", (Exception,), {})(type(error).__name__)
    return bare.with_traceback(error.__traceback__)
