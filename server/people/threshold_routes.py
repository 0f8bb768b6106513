"""The threshold page's figures and its choice, over HTTP."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from aiohttp import web

from pipeline.face_models import FaceModels
from pipeline.gallery import Person
from server.api.operations import describe
from server.people import People
from server.people.settings_operations import THRESHOLD_OPERATIONS
from server.people.threshold import Confusable, Histogram, ThresholdReport, equivalent_fpir, judge
from server.problems import problem
from server.request_json import read_json
from server.storage import BadName, PeopleStore
from server.storage import threshold as table
from server.storage.names import clean_room

LEAST, MOST = 2.0, 1e6  # strangers, that one wrong name may be asked for in


class Thresholds:
    """Judges galleries, one at a time, and keeps the newest judgement until something changes."""

    def __init__(self, people: People, models: Callable[[], FaceModels], max_samples: int) -> None:
        self._people = people
        self._models = models
        self._max_samples = max_samples
        self._lock = asyncio.Lock()
        self._newest: tuple[tuple[object, ...], ThresholdReport] | None = None

    async def report(self, room: str | None) -> ThresholdReport:
        """The judgement on the gallery of a room, or on everyone's. Takes up to some seconds, off the loop."""
        async with self._lock:
            gallery, fpir = self._people.gallery_of(room), await self._people.target(room)
            key = (room, gallery.digest, gallery.version, fpir)
            if self._newest is not None and self._newest[0] == key:
                return self._newest[1]
            matcher, limit = self._models().matcher, self._max_samples
            number: dict[str, int] = {}
            named: dict[int, Person] = {}
            kept = []
            for row in await self._people.embeddings(gallery.digest):
                person = gallery.person(row.person)
                if person is not None:
                    named[number.setdefault(row.person, len(number))] = person
                    kept.append(row)
            owners = np.array([number[row.person] for row in kept], np.int64)
            qualities = np.array([row.quality for row in kept], np.float32)
            vectors = np.stack([row.embedding for row in kept]) if kept else np.zeros((0, 1), np.float32)
            size = len(gallery)
            found = await asyncio.to_thread(judge, vectors, qualities, owners, named, matcher, limit, size, fpir)
            self._newest = (key, found)
            return found

    async def now(self, room: str | None) -> tuple[float, float]:
        """One wrong name in how many strangers is asked for, and the similarity that takes."""
        matcher, size = self._models().matcher, len(self._people.gallery_of(room))
        fpir = await self._people.target(room)
        threshold = matcher.threshold(size, fpir)
        if fpir is None:
            return 1 / matcher.spec.target_fpir, threshold
        for place in dict.fromkeys((room, None)):
            choice = await self._people.run(partial(_choice_in, room=place))
            if choice is not None and math.isclose(choice[1], 1 / fpir, rel_tol=1e-6):
                return choice[0], threshold
        return 1 / fpir, threshold

    async def choose(self, room: str | None, one_in: float | None) -> None:
        """Ask for one wrong name in so many strangers from now on; ``None``: what the pack says."""
        choice = None
        if one_in is not None:
            report, matcher = await self.report(room), self._models().matcher
            size = len(self._people.gallery_of(room))
            wanted = matcher.threshold(size, 1 / one_in) + report.raised
            choice = (one_in, 1 / equivalent_fpir(wanted, size, matcher))
        await self._people.set_target(room, None if choice is None else choice[1])
        await self._people.run(lambda store: table.write_choice(store.engine, room, choice))


def _choice_in(store: PeopleStore, room: str | None) -> tuple[float, float] | None:
    return table.read_choice(store.engine, room)


THRESHOLDS = web.AppKey("thresholds", Thresholds)


def setup_threshold(app: web.Application, people: People, models: Callable[[], FaceModels], max_samples: int) -> None:
    """Add the routes. ``models`` are those in use now."""
    app[THRESHOLDS] = Thresholds(people, models, max_samples)
    app.router.add_get("/api/v1/threshold", _show)
    app.router.add_put("/api/v1/threshold", _choose)
    describe(app, THRESHOLD_OPERATIONS)


async def _show(request: web.Request) -> web.Response:
    try:
        room = clean_room(request.query.get("room"))
    except BadName as error:
        return _bad(str(error))
    return web.json_response(await _body(request.app[THRESHOLDS], room))


async def _choose(request: web.Request) -> web.Response:
    try:
        body = await read_json(request)
    except ValueError:
        body = None
    if not isinstance(body, dict) or "one_in" not in body or body.keys() - {"one_in", "room"}:
        return _bad('send {"one_in": a number, or null for what the pack says} as JSON')
    one_in = body["one_in"]
    number = isinstance(one_in, int | float) and not isinstance(one_in, bool) and LEAST <= one_in <= MOST
    if one_in is not None and not number:
        return _bad(f"one_in is a number from {LEAST:.0f} to {MOST:.0f}, or null")
    try:
        room = clean_room(body.get("room"))
    except BadName as error:
        return _bad(str(error))
    thresholds = request.app[THRESHOLDS]
    await thresholds.choose(room, one_in)
    return web.json_response(await _body(thresholds, room))


async def _body(thresholds: Thresholds, room: str | None) -> dict[str, Any]:
    report = await thresholds.report(room)
    one_in, threshold = await thresholds.now(room)
    return {
        "people": report.people,
        "samples": report.samples,
        "pairs": {"genuine": report.genuine_pairs, "impostor": report.impostor_pairs},
        "genuine": _histogram(report.genuine),
        "impostor": _histogram(report.impostor),
        "cohort": {"faces": 0, "source": "No strangers are at hand: only your own people are compared."},
        "now": {"one_in": round(one_in, 3), "threshold": round(threshold, 5)},
        "raised": round(report.raised, 5),
        "choices": [
            {"one_in": choice.one_in, "threshold": round(choice.threshold, 5), "misses": choice.misses}
            for choice in report.choices
        ],
        "confusable": [_pair(pair) for pair in report.confusable],
        "words": report.words,
    }


def _histogram(histogram: Histogram) -> dict[str, Any]:
    return {"from": histogram.start, "step": histogram.step, "counts": list(histogram.counts)}


def _pair(pair: Confusable) -> dict[str, Any]:
    return {
        "a": {"id": pair.a.id, "name": pair.a.name},
        "b": {"id": pair.b.id, "name": pair.b.name},
        "similarity": round(pair.similarity, 4),
        "words": pair.words,
    }


def _bad(text: str) -> web.Response:
    return problem(400, "Bad Request", f"{text[:1].upper()}{text[1:]}.")
