"""Whether every door stays whole whatever is thrown at it:

    python -m tests.load.fuzz_doors [--examples 2000 | --seconds 60] [--seed 1] [--door NAME]

A whole server is asked on real sockets: session descriptions, candidates, what a viewer posts, messages on a data
channel, WebSocket frames, bodies and queries of every route of the document, tokens, cookies and keys; each is what a
page would send, after random damage. Prints what was answered; exit code 1 if anything was answered by an error of
ours, not answered in time, logged as an error, or left a session behind. ``--examples`` and ``--seconds`` are for each
door. Pictures and videos: ``tests.load.fuzz``; the document's own words: ``tests.load.schemas``.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import logging
import random
import ssl
import string
import sys
import tempfile
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.load.mangling import ODD_TEXT, example_of, mangled_bytes, mangled_json, mangled_lines, odd
from tests.server.loopback import Page
from tests.server.offers import CAMERA, MICROPHONE_AND_CAMERA
from tests.server.test_fallback import jpeg, packed
from tests.server.viewing import Viewing
from tests.server.whole import Whole, seed, serving_all

PATIENCE = 20.0  # seconds until an answer counts as never coming
SETTLE = 10.0  # … until what a door began has to be gone
NEVER_END = ("/events", "/sessions/{id}/events", "/rooms/{room}/events")  # streams
LONG_WORK = ("/model-change", "/model-change/switch", "/evaluations")  # minutes of processor, asked by other tests
COMMANDS = (
    {"type": "ping", "id": 1, "t": 1.5}, {"type": "enrol", "id": 2, "track": 1, "name": "Ada"},
    {"type": "cancel_enrol", "id": 3, "track": 1}, {"type": "finish_enrol", "id": 4, "track": 1},
    {"type": "why", "id": 5, "track": 1}, {"type": "not_person", "id": 6, "track": 1, "person": "a" * 32},
    {"type": "forget", "id": 7, "person": "a" * 32}, {"type": "stats", "id": 8},
    {"type": "camera", "id": 9, "from": "card", "pixels": 312, "metres": 0.3, "width": 640, "height": 480},
    {"type": "camera", "id": 10, "from": "distance", "track": 1, "metres": 1.5},
    {"type": "camera", "id": 11, "from": "kept", "focal": 0.8, "spread": 0.07, "known": "distance"},
    {"type": "camera", "id": 12, "from": "usual"},
)  # fmt: skip
FRAGMENT = (
    "a=ice-ufrag:SX8x\r\na=ice-pwd:PUVEYZTtg1CParoTXv6j/BD8\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n"
    "a=candidate:2 1 udp 2113937151 192.0.2.7 50001 typ host\r\n"
    "a=candidate:3 1 udp 2113937151 fd00::7 50001 typ srflx raddr 0.0.0.0 rport 9\r\na=end-of-candidates\r\n"
)
SDP, TRICKLE = "application/sdp", "application/trickle-ice-sdpfrag"


@dataclass
class Tally:
    """What became of one door's inputs."""

    tried: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    left: int = 0
    seconds: float = 0.0

    def note(self, answer: str, what: bytes | str = b"") -> None:
        """One input was answered like this."""
        self.tried += 1
        self.answers[answer] += 1
        if answer in ("5xx", "crash", "hang"):
            self.wrong.append(f"{answer}: {what!r:.300}")


@dataclass(frozen=True)
class Budget:
    """How much is tried at one door."""

    examples: int | None
    seconds: float | None

    def __iter__(self) -> Iterator[int]:
        began, number = time.monotonic(), 0
        while (self.examples is None or number < self.examples) and (
            self.seconds is None or time.monotonic() - began < self.seconds
        ):
            yield number
            number += 1


class Asker:
    """One connection, made anew when the server has closed it."""

    def __init__(self, base: str, context: ssl.SSLContext | None = None) -> None:
        self._at, self._context = urllib.parse.urlsplit(base), context
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, tally: Tally, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        """Ask, and note what comes; the answer, or ``None`` where none came. ``503`` may say when to come back."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        what = f"{method} {path} {said} ".encode("utf-8", "replace") + (body or b"")
        for attempt in (1, 2):
            fresh = self._connection is None
            try:
                if self._connection is None:
                    self._connection = self._connect()
                self._connection.request(method, path, body, said)
                answer = self._connection.getresponse()
                answer.read()
            except TimeoutError:
                self.close()
                tally.note("hang", what)
                return None
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if fresh or attempt == 2:
                    tally.note("crash", f"{type(error).__name__} after {what!r:.200}")
                    return None
                continue  # it had been closed after the answer before
            later = answer.status == 503 and answer.getheader("Retry-After")
            tally.note("later" if later else f"{answer.status // 100}xx", what)
            if answer.will_close:
                self.close()
            return answer
        return None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._at.hostname or "", self._at.port
        if self._context is not None:
            return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=PATIENCE)

    def close(self) -> None:
        """Let go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Beside:
    """An event loop in a thread, for what has to go on beside the asking; and a camera that is live in ``hall``."""

    def __init__(self, whole: Whole) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="beside")
        self._thread.start()
        self.whole = whole
        self.page, self.session = self.run(self._begin())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of some work in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(300)

    async def begin(self, query: str = "") -> tuple[Page, str]:
        """A page whose session is live, and its address below ``/api/v1``."""
        page = Page()
        offer = (await page.offer()).encode()
        answer = await asyncio.to_thread(self.whole.ask, "POST", f"/whip{query}", offer, Content_Type=SDP)
        assert answer.status == 201, answer.body
        await page.accept(answer.body.decode())
        await page.hears("hello", 20)
        return page, answer.headers["location"].removeprefix("/api/v1")

    async def _begin(self) -> tuple[Page, str]:
        page, path = await self.begin("?room=hall&name=Door")
        await page.until(lambda: len(page.results) > 2, 20, "results")
        return page, path.rpartition("/")[2]

    @property
    def live(self) -> bool:
        """Whether the camera has not been ended, as a host may."""
        return not any(said["type"] == "bye" for said in self.page.said)

    def look(self) -> None:
        """Begin another camera where the one there was has been ended."""
        if not self.live:
            self.run(self.page.close())
            self.page, self.session = self.run(self._begin())

    def close(self) -> None:
        """End the camera and the loop."""
        self.run(self.page.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


# -- the doors -----------------------------------------------------------------------------------------------------


def offers(beside: Beside, budget: Budget, rng: random.Random, tally: Tally) -> None:
    """WHIP: offers to send."""
    asker = Asker(beside.whole.local)
    whole = [beside.run(_offer(Page)), CAMERA, MICROPHONE_AND_CAMERA]
    for _ in budget:
        offer = mangled_lines(rng.choice(whole), rng, whole)
        query = "" if rng.random() < 0.7 else "?" + urllib.parse.urlencode({
            rng.choice(("room", "name", "guest", "resume")): rng.choice(ODD_TEXT)}, errors="replace")  # fmt: skip
        answer = asker.ask(tally, "POST", f"/api/v1/whip{query}", offer, Content_Type=SDP)
        if answer is not None and answer.status == 201:
            asker.ask(Tally(), "DELETE", answer.getheader("Location"))
    asker.close()


def fragments(beside: Beside, budget: Budget, rng: random.Random, tally: Tally) -> None:
    """Trickled candidates of a session that is being set up."""
    asker, location, tag = Asker(beside.whole.local), "", ""
    offer = beside.run(_offer(Page)).encode()
    for number in budget:
        if number % 30 == 0:
            if location:
                asker.ask(Tally(), "DELETE", location)
            answer = asker.ask(Tally(), "POST", "/api/v1/whip", offer, Content_Type=SDP)
            location, tag = answer.getheader("Location"), answer.getheader("ETag")
        headers = {"Content_Type": TRICKLE, "If_Match": tag if rng.random() < 0.9 else rng.choice(("*", '"x"', "x"))}
        asker.ask(tally, "PATCH", location, mangled_lines(FRAGMENT, rng, (CAMERA,)), **headers)
    asker.ask(Tally(), "DELETE", location)
    asker.close()


def watching(beside: Beside, budget: Budget, rng: random.Random, tally: Tally) -> None:
    """WHEP: offers to receive a camera, and candidates of a viewer."""
    asker = Asker(beside.whole.local)
    viewing = beside.run(_offer(Viewing))
    path = f"/api/v1/rooms/hall/cameras/{beside.session}/whep"
    for _ in budget:
        answer = asker.ask(tally, "POST", path, mangled_lines(viewing, rng, (CAMERA,)), Content_Type=SDP)
        if answer is not None and answer.status == 201:
            location, tag = answer.getheader("Location"), answer.getheader("ETag")
            fragment = mangled_lines(FRAGMENT, rng)
            asker.ask(tally, "PATCH", location, fragment, Content_Type=TRICKLE, If_Match=tag)
            asker.ask(Tally(), "DELETE", location)
    asker.close()


async def _offer(kind: type[Page] | type[Viewing]) -> str:
    """The offer of a page of this kind, which is made in the loop that it needs."""
    page = kind()
    if isinstance(page, Page):
        text = await page.offer()
    else:
        await page.pc.setLocalDescription(await page.pc.createOffer())
        text = page.pc.localDescription.sdp
    await page.pc.close()
    return str(text)


def _message(rng: random.Random) -> str | bytes:
    """What a page might say."""
    data = mangled_json({"v": 1, **rng.choice(COMMANDS)}, rng)
    if rng.random() < 0.1:
        return data
    return data.decode("utf-8", "replace")


def channel(beside: Beside, budget: Budget, rng: random.Random, tally: Tally) -> None:
    """Messages on the data channel of a live session; each is followed by a ping, which has to be answered."""

    async def talk() -> None:
        page, path = await beside.begin()
        for number in budget:
            if any(said["type"] == "bye" for said in page.said) or page.commands.readyState != "open":
                tally.answers["ended"] += 1
                await page.close()
                page, path = await beside.begin()
            page.said.clear()
            sent = _message(rng)
            page.commands.send(sent[:60_000])
            page.send("ping", id=f"ping {number}", t=1)

            def answered(page: Page = page, number: int = number) -> bool:
                return page.commands.readyState != "open" or any(
                    said["type"] == "bye" or said.get("id") == f"ping {number}" for said in page.said
                )

            try:
                await page.until(answered, PATIENCE)
            except AssertionError:
                tally.note("hang", sent)
            else:
                refused = any(said["type"] == "error" for said in page.said)
                broken = any(said.get("code") == "internal" for said in page.said)
                tally.note("5xx" if broken else "4xx" if refused else "2xx", sent)
        await page.close()
        await asyncio.to_thread(beside.whole.ask, "DELETE", path)

    beside.run(talk())


def frames(beside: Beside, budget: Budget, rng: random.Random, tally: Tally) -> None:
    """Pictures, messages and nonsense on the fallback's WebSocket."""

    async def talk() -> None:
        picture = jpeg()
        async with aiohttp.ClientSession() as client:
            socket: Any = None
            for number in budget:
                if socket is None or socket.closed:
                    tally.answers["ended"] += number > 0
                    socket = await client.ws_connect(
                        f"{beside.whole.local}/api/v1/fallback", compress=0, heartbeat=None
                    )
                match rng.randrange(4):
                    case 0:
                        sent: bytes | str = mangled_bytes(packed(number, picture), rng)
                    case 1:
                        sent = packed(number, mangled_bytes(picture, rng))
                    case 2:
                        sent = rng.randbytes(rng.randrange(64))
                    case _:
                        sent = _message(rng)
                try:
                    await (socket.send_bytes(sent) if isinstance(sent, bytes) else socket.send_str(sent))
                    await socket.send_str(json.dumps({"v": 1, "type": "ping", "id": f"ping {number}", "t": 1}))
                    kinds = await _until_pong(socket, f"ping {number}")
                except TimeoutError:
                    tally.note("hang", sent)
                    await socket.close()
                    continue
                except ConnectionError:
                    kinds = {"bye"}
                if "bye" in kinds:
                    await socket.close()
                tally.note("5xx" if "internal" in kinds else "4xx" if kinds & {"error", "bye"} else "2xx", sent)
            if socket is not None:
                await socket.close()

    beside.run(talk())


async def _until_pong(socket: Any, number: str) -> set[str]:
    """The kinds of message up to the answer of this ping, or to the end."""
    kinds: set[str] = set()
    async with asyncio.timeout(PATIENCE):
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                break
            said = json.loads(frame.data)
            kinds |= {said["type"], str(said.get("code", ""))}
            if said.get("id") == number or said["type"] == "bye":
                return kinds
    return kinds | {"bye"}


def routes(beside: Beside, budget: Budget, rng: random.Random, tally: Tally) -> None:
    """Every route of the document: bodies, queries, headers and ids."""
    whole = beside.whole
    document = whole.ask("GET", "/openapi.json").json
    operations = [
        (method.upper(), path, said)
        for path, item in document["paths"].items()
        for method, said in item.items()
        if method in ("get", "post", "put", "patch", "delete")
        and not path.removeprefix("/api/v1").startswith(("/whip", "/fallback"))
        and path.removeprefix("/api/v1") not in (*NEVER_END, *LONG_WORK)
    ]
    asker = Asker(whole.local)
    for number in budget:
        method, path, said = operations[number % len(operations)]
        ids = [person["id"] for person in whole.ask("GET", "/people").json["people"]] if number % 50 == 0 else []
        target = _path(path, rng, ids)
        query = {
            one["name"]: str(odd(rng) if rng.random() < 0.5 else example_of(one.get("schema", {}), rng, document))
            for one in said.get("parameters", ())
            if one.get("in") == "query" and rng.random() < 0.6
        }
        if query:
            target += "?" + urllib.parse.urlencode(query, errors="replace")
        headers, body = _body(said, rng, document)
        asker.ask(tally, method, target, body, **headers)
    asker.close()
    # A source that was asked for is a camera that goes on: it is not left behind.
    for room in whole.ask("GET", "/rooms").json["rooms"]:
        for camera in whole.ask("GET", f"/rooms/{room['name']}").json.get("cameras", ()):
            whole.ask("DELETE", f"/rooms/{room['name']}/cameras/{camera['id']}")


def _path(path: str, rng: random.Random, ids: Sequence[str]) -> str:
    while "{" in path:
        before, _, rest = path.partition("{")
        _, _, after = rest.partition("}")
        value = rng.choice((*ids, "0" * 32, "hall", rng.choice(ODD_TEXT)))[:500]
        path = before + (urllib.parse.quote(value, safe="", errors="replace") or "x") + after
    return path


def _body(said: Any, rng: random.Random, document: Any) -> tuple[dict[str, str], bytes | None]:
    contents = said.get("requestBody", {}).get("content", {})
    if not contents:
        return {}, None
    kind = rng.choice(sorted(contents))
    headers = {"Content_Type": kind if rng.random() < 0.95 else rng.choice(("text/plain", "x", "application/json; a"))}
    if rng.random() < 0.1:
        headers["Idempotency_Key"] = "".join(rng.choices(string.printable[:90], k=rng.randrange(1, 60)))
    if "json" not in kind:
        return headers, rng.randbytes(rng.randrange(2000))
    example = example_of(contents[kind].get("schema", {}), rng, document)
    return headers, mangled_json(example if isinstance(example, dict) else {"value": example}, rng)


def tokens(beside: Beside, budget: Budget, rng: random.Random, tally: Tally) -> None:
    """Cookies, bearer tokens and links, near to right ones and far from them; none may let in."""
    whole = beside.whole
    key = whole.make_key("read")
    whole.ask("POST", "/rooms", {"name": "hall"})
    made = whole.ask("POST", "/rooms/hall/invitations", {"role": "viewer", "minutes": 10})
    right = (whole.invite(), key, made.json["url"].rpartition("/")[2])
    asker = Asker(whole.lan, whole.context)
    for _ in budget:
        wrong = rng.choice((_near(rng.choice(right), rng), rng.choice(ODD_TEXT)))
        if wrong in right:
            continue
        shown = "".join(c for c in wrong if c.isprintable()).encode("utf-8", "replace").decode("latin-1")
        match rng.randrange(5):
            case 0:
                answer = asker.ask(tally, "GET", "/api/v1/people", Authorization=f"Bearer {shown}")
            case 1:
                names = ("visavis_join", "visavis_session", "visavis")
                answer = asker.ask(tally, "GET", "/api/v1/people", Cookie=f"{rng.choice(names)}={shown}")
            case 2:
                answer = asker.ask(tally, "GET", "/api/v1/people", Cookie=shown, Authorization=shown)
            case 3:
                scheme = rng.choice(("Basic", "bearer", "BEARER", "Digest", ""))
                answer = asker.ask(tally, "GET", "/api/v1/people", Authorization=f"{scheme} {shown} {shown}")
            case _:
                path = urllib.parse.quote(wrong[:300], safe="", errors="replace") or "x"
                answer = asker.ask(tally, "GET", f"/join/{path}")
        if answer is not None and answer.status < 400 and not answer.getheader("Location"):
            tally.wrong.append(f"let in by {wrong!r}")
    asker.close()
    whole.ask("DELETE", f"/rooms/hall/invitations/{made.json['id']}")


def _near(token: str, rng: random.Random) -> str:
    at = rng.randrange(len(token))
    match rng.randrange(4):
        case 0:
            return token[:at] + rng.choice(string.ascii_letters) + token[at + 1 :]
        case 1:
            return token[:at]
        case 2:
            return token + rng.choice(string.printable[:94])
        case _:
            return token.swapcase()


DOORS: dict[str, Callable[[Beside, Budget, random.Random, Tally], None]] = {
    "offers (WHIP)": offers,
    "candidates": fragments,
    "offers (WHEP)": watching,
    "data channel": channel,
    "WebSocket": frames,
    "routes": routes,
    "tokens": tokens,
}


class Errors(logging.Handler):
    """What is logged as an error meanwhile."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note it."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        self.lines.append(f"{record.name}: {record.getMessage()} {kind}")


@contextmanager
def listening() -> Iterator[Errors]:
    """Note errors that are logged inside."""
    errors = Errors()
    logging.getLogger().addHandler(errors)
    try:
        yield errors
    finally:
        logging.getLogger().removeHandler(errors)


def sessions(beside: Beside) -> int:
    """How many are live, besides the one camera."""
    return int(beside.whole.ask("GET", "/healthz", root="").json["sessions"]) - beside.live


def run(whole: Whole, budget: Budget, seed: int, doors: Sequence[str] = tuple(DOORS)) -> dict[str, Tally]:
    """Try the doors one after the other."""
    tallies: dict[str, Tally] = {}
    beside = Beside(whole)
    try:
        for name in doors:
            tally, began = Tally(), time.monotonic()
            beside.look()
            with listening() as errors:
                DOORS[name](beside, budget, random.Random(f"{seed} {name}"), tally)
                until = time.monotonic() + SETTLE
                while (left := sessions(beside)) and time.monotonic() < until:
                    time.sleep(0.1)
            tally.left, tally.seconds = left, time.monotonic() - began
            tally.wrong += [f"logged: {line}" for line in errors.lines]
            if left:
                tally.wrong.append(f"{left} sessions are left")
            tallies[name] = tally
    finally:
        beside.close()
    return tallies


def table(tallies: dict[str, Tally]) -> str:
    """What was answered, for a person."""
    columns = ("2xx", "3xx", "4xx", "later", "5xx", "crash", "hang")
    head = f"{'door':16}{'tried':>7}" + "".join(f"{name:>7}" for name in columns)
    lines = [head + f"{'logged':>8}{'left':>6}{'seconds':>9}"]
    for name, tally in tallies.items():
        logged = sum(line.startswith("logged") for line in tally.wrong)
        counts = "".join(f"{tally.answers[column] or '–':>7}" for column in columns)
        lines.append(f"{name:16}{tally.tried:7}{counts}{logged or '–':>8}{tally.left or '–':>6}{tally.seconds:9.1f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    much = parser.add_mutually_exclusive_group()
    much.add_argument("--examples", type=int)
    much.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--door", action="append", choices=DOORS)
    wish = parser.parse_args(arguments)
    examples = wish.examples if wish.examples or wish.seconds else 2000
    with tempfile.TemporaryDirectory() as name:
        seed(Path(name), "Ada", "Bob", "Grace")
        with serving_all(Path(name), sightings=True, max_sessions=64) as whole:
            tallies = run(whole, Budget(examples, wish.seconds), wish.seed, tuple(wish.door or DOORS))
    print(table(tallies))
    wrong = [f"{name}: {line}" for name, tally in tallies.items() for line in tally.wrong]
    print("\n".join(wrong[:40]) or "Nothing was answered by an error, left unanswered, logged as one, or left behind.")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
