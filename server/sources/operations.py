"""What the routes of sources do; the routes are in ``routes``."""

from __future__ import annotations

from server.api.operations import Operation, Parameter
from server.api.schemas import ID, NAME, NUMBER, ROOM, TEXT, listed, maybe, one_of, record
from server.sources.address import SCHEMES
from server.storage.sources import MAX_URL

_ROOM = {"room": Parameter("A room's name", ROOM)}
_URL = {"type": "string", "maxLength": MAX_URL, "pattern": f"^({'|'.join(SCHEMES)})://"}
SOURCE = record(
    "Source", id=ID, name=NAME, url=TEXT, state=one_of("connecting", "live", "retrying"), reason=maybe(TEXT),
    retry_in=maybe(NUMBER), camera=maybe(TEXT),
)  # fmt: skip

SOURCE_OPERATIONS = {
    "GET /api/v1/rooms/{room}/sources": Operation(
        "The cameras that the server fetches for a room",
        "live",
        "admin",
        {200: record("Sources", sources=listed(SOURCE))},
        path=_ROOM,
        words="`url` is shown without what is secret in it; `camera` is the session, `retry_in` are seconds.",
    ),
    "POST /api/v1/rooms/{room}/sources": Operation(
        "Fetch a camera",
        "live",
        "admin",
        {201: SOURCE},
        errors=(503,),
        path=_ROOM,
        body=record(None, {"name": NAME}, url=_URL),
        words="The server itself calls the address, so a join link does not open this.",
    ),
    "DELETE /api/v1/rooms/{room}/sources/{source}": Operation(
        "Fetch a camera no more",
        "live",
        "admin",
        {204: None},
        path={**_ROOM, "source": Parameter("The source's id", ID)},
    ),
}
