"""The routes under /api/v1/access: docs/api.md."""

from __future__ import annotations

from aiohttp import web

from server.access.access import Access
from server.access.entering import Entering
from server.access.managing import Managing
from server.access.mine import Mine


def setup_access(app: web.Application, access: Access) -> None:
    """Add them all."""
    Entering(access).setup(app)
    Mine(access).setup(app)
    Managing(access).setup(app)
