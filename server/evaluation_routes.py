"""The evaluation page, and running one over HTTP: files are sent one by one, then it is started and followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web

from server.api.operations import describe
from server.app import static_folder
from server.evaluation.operations import OPERATIONS
from server.evaluation.page import content_policy
from server.evaluation.photos import is_picture
from server.evaluation.running import (
    FILES,
    TOTAL_BYTES,
    Evaluation,
    EvaluationRefused,
    Evaluations,
    NoSuchEvaluation,
    TooMuch,
)
from server.evaluation.upload import TABLE
from server.media.decoding import FILE_BYTES
from server.people.photos.archive import ARCHIVE_BYTES, BadArchive
from server.problems import problem
from server.request_json import read_json

BASE = "/api/v1/evaluations"
UPLOAD_TIMEOUT = 600.0  # seconds that one file may take to arrive
CHUNK = 1 << 20
MAX_FILE_NAME = 400
KINDS = {"report.html": "text/html", "report.json": "application/json", "report.zip": "application/zip"}
EVALUATIONS = web.AppKey("evaluations", Evaluations)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def setup_evaluation(app: web.Application, evaluations: Evaluations) -> None:
    """Add the page and the routes."""
    app[EVALUATIONS] = evaluations
    app.router.add_get("/evaluate", _page)
    app.router.add_get(BASE, _said(_current))
    app.router.add_post(BASE, _said(_open))
    app.router.add_get(BASE + "/{id}", _said(_show))
    app.router.add_delete(BASE + "/{id}", _said(_discard))
    app.router.add_post(BASE + "/{id}/files", _said(_add))
    app.router.add_post(BASE + "/{id}/start", _said(_start))
    app.router.add_get(BASE + "/{id}/{file:report\\.(html|json|zip)}", _said(_report))
    describe(app, OPERATIONS)


def _said(handler: Handler) -> Handler:
    """Turn what can go wrong into an answer in words."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except NoSuchEvaluation as error:
            return problem(404, "Not Found", str(error))
        except EvaluationRefused as error:
            return problem(409, "Conflict", str(error))
        except BadArchive as error:
            return problem(400, "Bad Request", str(error))
        except TooMuch as error:
            return problem(413, "Content Too Large", str(error))
        except TimeoutError:
            return problem(408, "Request Timeout", "The file took too long to arrive.")

    return answer


async def _page(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(static_folder() / "evaluate.html")


async def _current(request: web.Request) -> web.StreamResponse:
    current = request.app[EVALUATIONS].current
    return web.json_response({"evaluation": None if current is None else _body(current)})


async def _open(request: web.Request) -> web.StreamResponse:
    try:
        wish = await read_json(request, blank="{}")
    except ValueError:
        return problem(400, "Bad Request", "The body is no JSON.")
    if not isinstance(wish, dict) or wish.keys() - {"all_distances"}:
        return problem(400, "Bad Request", 'Send a JSON object: {"all_distances": true or false}.')
    all_distances = wish.get("all_distances", False)
    if not isinstance(all_distances, bool):
        return problem(400, "Bad Request", "all_distances is true or false.")
    evaluation = await request.app[EVALUATIONS].open(all_distances)
    limits = {"file_bytes": FILE_BYTES, "archive_bytes": ARCHIVE_BYTES, "total_bytes": TOTAL_BYTES, "files": FILES}
    return web.json_response({**_body(evaluation), "limits": limits}, status=201)


async def _show(request: web.Request) -> web.StreamResponse:
    return web.json_response(_body(request.app[EVALUATIONS].get(request.match_info["id"])))


async def _discard(request: web.Request) -> web.StreamResponse:
    await request.app[EVALUATIONS].discard(request.match_info["id"])
    return web.Response(status=204)


async def _add(request: web.Request) -> web.StreamResponse:
    evaluations, id = request.app[EVALUATIONS], request.match_info["id"]
    evaluations.get(id)
    file = request.query.get("file", "")
    if not file or len(file) > MAX_FILE_NAME or not file.isprintable():
        return problem(400, "Bad Request", f"file names the picture, in 1 to {MAX_FILE_NAME} characters.")
    archive = file.lower().endswith(".zip")
    if not (archive or is_picture(file) or file.lower().endswith(TABLE)):
        return problem(
            415, "Unsupported Media Type", "Send JPEG, PNG, WebP or BMP pictures, a table (CSV), or one ZIP of these."
        )
    try:
        async with asyncio.timeout(UPLOAD_TIMEOUT):
            evaluation = await evaluations.receive(id, file.replace("\\", "/"), archive, _chunks(request))
    except TooMuch:
        await _drain(request)
        raise
    return web.json_response(_body(evaluation))


async def _start(request: web.Request) -> web.StreamResponse:
    evaluation = await request.app[EVALUATIONS].start(request.match_info["id"])
    return web.json_response(_body(evaluation), status=202)


async def _report(request: web.Request) -> web.StreamResponse:
    evaluation = request.app[EVALUATIONS].get(request.match_info["id"])
    name = request.match_info["file"]
    if name not in evaluation.output:
        return problem(409, "Conflict", "There is no report yet.")
    response = web.Response(body=evaluation.output[name], content_type=KINDS[name])
    if name == "report.html":
        response.charset = "utf-8"
        # The page shows it in a frame: its own style alone, and framed by nobody else.
        response.headers["Content-Security-Policy"] = f"{content_policy()}; frame-ancestors 'self'"
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
    if "download" in request.query or name != "report.html":
        response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="visavis-{name}"'
    return response


def _body(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "id": evaluation.id,
        "state": evaluation.state,
        "files": 1 if evaluation.archive else len(evaluation.paths),
        "bytes": evaluation.size,
        "done": evaluation.done,
        "total": evaluation.total,
        "words": evaluation.words,
    }


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    while chunk := await request.content.read(CHUNK):
        yield chunk


async def _drain(request: web.Request) -> None:
    """A browser hears no answer before it has sent all, so the rest is read, up to what a ZIP may have."""
    rest = ARCHIVE_BYTES
    async with asyncio.timeout(UPLOAD_TIMEOUT):
        while rest > 0 and (chunk := await request.content.read(CHUNK)):
            rest -= len(chunk)
