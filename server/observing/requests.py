"""A line in the log for each request, if that is wanted: what was asked by its route, never by its address, which may
hold the token of a link."""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.web_request import BaseRequest

from server.asked import asked

REQUESTS = web.AppKey("request log", str)
"""Set where requests are logged: :data:`ON` or :data:`WITH_ADDRESS`."""
ON, WITH_ADDRESS = "on", "with_address"
logger = logging.getLogger(__name__)


class RequestLog(AbstractAccessLogger):
    """One line when an answer has been sent; :data:`WITH_ADDRESS` as its format: with where the request came from."""

    @property
    def enabled(self) -> bool:
        """Whether anybody would read it."""
        return self.logger.isEnabledFor(logging.INFO)

    def log(self, request: BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Told by aiohttp."""
        resource = request.match_info.route.resource if isinstance(request, web.Request) else None
        fields: dict[str, Any] = {
            "method": request.method if request.method.isascii() and request.method.isalpha() else "?",
            "route": "none" if resource is None else resource.canonical,
            "status": response.status,
            "ms": round(time * 1e3, 1),
            "bytes": response.body_length,
        }
        if self.log_format == WITH_ADDRESS:
            # What no application took in has none to ask.
            fields["address"] = asked(request).address if isinstance(request, web.Request) else "?"
        self.logger.info(" ".join(f"{name}=%s" for name in fields), *fields.values(), extra={"fields": fields})
