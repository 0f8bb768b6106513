"""The page about people without a server: its files come from disk, its requests are answered by the test.

For what a real server would take long, or luck, to do: refusals, a connection that breaks, a change of models.
"""

from __future__ import annotations

import contextlib
import json
import mimetypes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

from server.security import HEADERS

STATIC = Path(__file__).resolve().parents[2] / "static"
ORIGIN = "http://localhost:1"  # nothing listens there
SIZES = {"phone": (390, 844), "small phone": (320, 640), "desktop": (1280, 800)}
Answer = tuple[int, Any]


def hexadecimal(number: int) -> str:
    """An id."""
    return f"{number:032x}"


def change(number: int, kind: str, words: str, undone: bool = False) -> dict[str, Any]:
    """One of the recent changes."""
    return {
        "id": hexadecimal(number),
        "kind": kind,
        "words": words,
        "at": "2026-11-20T10:00:00+00:00",
        "until": "2026-11-27T10:00:00+00:00",
        "undone": undone,
    }


def person(number: int, name: str, samples: int = 3, room: str | None = None) -> dict[str, Any]:
    """A row of the list of people."""
    created = "2026-11-20T10:00:00+00:00"
    row = {"id": hexadecimal(number), "name": name, "room": room, "samples": samples, "used": samples}
    return row | {"negatives": 0, "created": created, "cover": None, "consent": consent()}


def consent(state: str = "holds", **changed: Any) -> dict[str, Any]:
    """Why somebody may be recognised."""
    said = {"purpose": "At the door", "basis": "consent", "given": "2026-11-20", "expires": None, "withdrawn": None}
    return {**said, "recorded": "2026-11-20T10:00:00+00:00", "recorded_by": "local", "state": state, **changed}


def detail(row: dict[str, Any], negatives: int = 0) -> dict[str, Any]:
    """Everything about the person of a row."""
    samples = [
        {
            "id": hexadecimal(100 + at),
            "quality": 0.7,
            "source": "import",
            "created": row["created"],
            "used": at < 2,
            "yaw": (-0.4, 0.0, 0.4)[at % 3],
            "pitch": -0.08,
            "size": 90.0,
            "crop": False,
            "fits": 0.7,
            "nearest": {"person": hexadecimal(2), "name": "Grace", "similarity": 0.9 if at == 1 else 0.2},
        }
        for at in range(row["samples"])
    ]
    marks = [{"id": hexadecimal(200 + at), "created": row["created"]} for at in range(negatives)]
    return row | {"samples": samples, "negatives": marks}


ADA, GRACE = person(1, "Ada"), person(2, "Grace", room="lab")
RECEIPT = {
    "id": hexadecimal(900),
    "at": "2026-11-28T13:10:45.285+00:00",
    "person": ADA["id"],
    "erased": [{"what": "samples", "count": 3}, {"what": "crops", "count": 1}],
    "keys": {"count": 1, "ids": ["k"]},
    "remains": [{"what": "film", "where": f"video {hexadecimal(30)}", "until": "until it is deleted"}],
    "key": {"algorithm": "Ed25519", "public": "…", "fingerprint": "0" * 64},
}
EVERYDAY: dict[str, Answer] = {
    "GET /config": (200, {"consent": {"required": False, "days": 365, "grace": 30, "purpose": "At the door"}}),
    "GET /people": (200, {"people": [ADA, GRACE]}),
    f"GET /people/{ADA['id']}": (200, detail(ADA, negatives=1)),
    f"GET /people/{GRACE['id']}": (200, detail(GRACE)),
    "GET /changes": (200, {"changes": [change(1, "merge", "Merged Bob into Ada")]}),
    "GET /inbox": (200, {"enabled": False, "keeps": "A crop of the face.", "days": 14, "strangers": []}),
    "GET /threshold": (
        200,
        {
            "people": 2,
            "samples": 6,
            "pairs": {"genuine": 6, "impostor": 6},
            "genuine": {"from": 0.0, "step": 0.1, "counts": [0, 0, 0, 0, 0, 0, 2, 4, 0, 0]},
            "impostor": {"from": 0.0, "step": 0.1, "counts": [0, 4, 2, 0, 0, 0, 0, 0, 0, 0]},
            "cohort": {"faces": 0, "source": "No strangers come with this pack: only your own people are compared."},
            "now": {"one_in": 250.0, "threshold": 0.41},
            "choices": [
                {"one_in": 100, "threshold": 0.4, "misses": 0.006},
                {"one_in": 1000, "threshold": 0.5, "misses": None},
            ],
            "confusable": [{"a": {"id": ADA["id"], "name": "Ada"}, "b": {"id": GRACE["id"], "name": "Grace"},
                            "similarity": 0.45, "words": "Ada and Grace may be taken for each other."}],
            "words": "This rests on 6 pictures of 2 people.",
        },
    ),
    "GET /packs": (
        200,
        {
            "current": "open",
            "packs": [
                {"name": "open", "summary": "The open models.", "licence": "MIT", "installed": True},
                {"name": "other", "summary": "Other models.", "licence": "MIT", "installed": True},
            ],
        },
    ),
    "GET /model-change": (
        200,
        {"state": "none", "pack": None, "done": 0, "total": 0, "without_crop": [], "unreadable": 0, "negatives": 0,
         "comparison": None, "words": ""},
    ),
}  # fmt: skip


class Standin:
    """Answers the page. ``answers`` maps ``"METHOD /path"`` to status and body, or to a function of the request's body
    that gives them; ``asked`` holds every request that changes something; ``gone`` breaks the connection."""

    def __init__(self, browser: Any, size: tuple[int, int] = SIZES["desktop"], scheme: str = "light") -> None:
        self.answers: dict[str, Answer | Callable[[Any], Answer]] = dict(EVERYDAY)
        self.asked: list[tuple[str, Any]] = []
        self.gone = False
        self.errors: list[str] = []
        width, height = size
        self._context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page = self._context.new_page()
        self.page.set_default_timeout(40_000)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: "Content Security" in line.text and self.errors.append(line.text))
        self.page.route("**/*", self._answer)

    def open(self, place: str = "people") -> Any:
        """Show a place of the page; returns the page of Playwright."""
        self.page.goto(f"{ORIGIN}/people#{place}")
        return self.page

    def close(self) -> None:
        """End; nothing may have gone wrong in the page that nobody saw."""
        self.page.unroute_all(behavior="ignoreErrors")
        self._context.close()
        assert self.errors == []

    def _answer(self, route: Any) -> None:
        path = urlsplit(route.request.url).path
        if not path.startswith("/api/v1"):
            file = STATIC / ("people.html" if path == "/people" else path.removeprefix("/static/"))
            kind = mimetypes.guess_type(file.name)[0] or "text/plain"
            route.fulfill(body=file.read_bytes(), headers={**HEADERS, "Content-Type": kind})
        elif self.gone:
            route.abort("connectionrefused")
        else:
            self._answer_api(route, f"{route.request.method} {path.removeprefix('/api/v1')}")

    def _answer_api(self, route: Any, question: str) -> None:
        body = None
        if "json" in (route.request.headers.get("content-type") or ""):
            body = route.request.post_data_json
        if route.request.method != "GET":
            self.asked.append((question, body))
        answer = self.answers.get(question, (404, {"detail": f"No answer to {question}."}))
        status, content = answer(body) if callable(answer) else answer
        kind = "application/problem+json" if status >= 400 else "application/json"
        text = "" if content is None else json.dumps(content)
        route.fulfill(status=status, body=text, headers={**HEADERS, "Content-Type": kind})


@contextlib.contextmanager
def browsing(chromium: str) -> Iterator[Any]:
    """A headless Chromium without a camera."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()
