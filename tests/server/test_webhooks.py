"""Webhooks before a real receiver: signed, in order, tried again, kept over a restart, given up in the end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from server.people import People
from server.sightings.signature import new_secret, signature
from server.sightings.webhooks import Deliveries
from server.storage import NewSample
from server.storage import events as table
from server.storage import sightings as sightings_table
from server.storage.events import NewEvent, TooManyWebhooks, Webhook
from tests.packs import open_models
from tests.server.test_storage import embedding
from tests.serving import on_free_port

pytestmark = pytest.mark.usefixtures("either_store")

MODELS = open_models()
DIGEST, DIMENSION = MODELS.manifest.digest, MODELS.embedder.spec.dimension
SOON = (timedelta(seconds=0.05),) * 3


class Receiver:
    """Another program."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []  # of the next requests; 200 after them
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        status = self.answers.pop(0) if self.answers else 200
        headers = {"Location": f"{self.url}/elsewhere"} if status == 302 else {}
        return web.Response(status=status, headers=headers)

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{tail:.*}", made.take)
    async with on_free_port(app) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[People]:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, DIMENSION)
    yield people
    await people.close()


@contextlib.asynccontextmanager
async def delivering(people: People, pauses: tuple[timedelta, ...] = SOON) -> AsyncIterator[Deliveries]:
    deliveries = await Deliveries.open(people, pauses=pauses)
    try:
        yield deliveries
    finally:
        await deliveries.close()


async def add(people: People, url: str, *kinds: str, room: str | None = None) -> Webhook:
    hook = Webhook(uuid4().hex, url, new_secret(), kinds or table.KINDS, room, datetime.now(UTC))
    await people.run(lambda store: table.add_webhook(store.engine, hook))
    return hook


async def tell(people: People, kind: Any, person: str | None = None, room: str | None = None) -> NewEvent:
    now = datetime.now(UTC)
    event = NewEvent(uuid4().hex, kind, uuid4().hex, person, room, "s", now, now, 0.9)
    await people.run(lambda store: sightings_table.write(store.engine, [], [], [event]))
    return event


async def until(true: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(8):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert true(), what


async def stands(people: People) -> Webhook:
    (hook,) = await people.run(lambda store: table.webhooks(store.engine))
    return hook


async def test_an_event_comes_signed_and_says_who(people: People, receiver: Receiver) -> None:
    ada = (await people.add_person("Ada", [NewSample(embedding(1, DIMENSION), 0.8, "live")])).id
    hook = await add(people, receiver.url + "/hook")
    async with delivering(people) as deliveries:
        told = await tell(people, "named", ada, "attic")
        deliveries.wake()
        await until(lambda: len(receiver.got) == 1, "it came")
        headers, body = receiver.got[0]
        key = base64.b64decode(hook.secret.removeprefix("whsec_"))
        signed = f"{told.id}.{headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == expected
        assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 10
        said = json.loads(body)
        assert (said["id"], said["type"]) == (told.id, "named")
        assert said["data"]["person"] == {"id": ada, "name": "Ada"}
        assert said["data"]["room"] == "attic"


async def test_of_several_nodes_one_delivers_and_another_takes_over(
    people: People, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sightings.webhooks.TURN", 0.02)
    await add(people, receiver.url + "/hook")
    turn = [0]
    async with delivering(people) as one, delivering(people) as two:
        one.mine, two.mine = lambda: turn[0] == 1, lambda: turn[0] == 2
        for deliveries in (one, two):
            deliveries.wake()
        await asyncio.sleep(0.1)
        first = await tell(people, "named")
        for deliveries in (one, two):
            await deliveries.written_elsewhere(frozenset({"event"}))
        await asyncio.sleep(0.2)
        assert receiver.got == []  # nobody can be sure
        turn[0] = 1
        await until(lambda: receiver.ids == [first.id], "the one brings it")
        turn[0] = 2  # it has died
        second = await tell(people, "named")
        await two.written_elsewhere(None)
        await until(lambda: receiver.ids == [first.id, second.id], "the other brings the next")
        await asyncio.sleep(0.1)
        assert len(receiver.got) == 2


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of Standard Webhooks' own libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_only_what_is_wanted_is_sent(people: People, receiver: Receiver) -> None:
    await add(people, receiver.url, "unknown", room="attic")
    async with delivering(people) as deliveries:
        for kind, room in (("named", "attic"), ("unknown", None), ("unknown", "attic"), ("left", "attic")):
            await tell(people, kind, room=room)
        deliveries.wake()
        await until(lambda: bool(receiver.got), "one came")
        await asyncio.sleep(0.2)
        assert receiver.types == ["unknown"]


async def test_it_is_tried_again_in_order_until_it_arrives(people: People, receiver: Receiver) -> None:
    await add(people, receiver.url)
    receiver.answers = [500, 302, 200]
    async with delivering(people) as deliveries:
        first, second = await tell(people, "named"), await tell(people, "left")
        deliveries.wake()
        await until(lambda: len(receiver.got) == 4, "all tries")
        assert receiver.ids == [first.id] * 3 + [second.id]  # the id is the same; nothing overtakes; no redirect
        await until_async(people, lambda hook: hook.delivered == 2 and hook.waiting == 0)


async def until_async(people: People, true: Callable[[Webhook], bool]) -> None:
    async with asyncio.timeout(8):
        while not true(await stands(people)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_what_was_not_delivered_is_after_a_restart(people: People, receiver: Receiver) -> None:
    await add(people, receiver.url)
    receiver.answers = [503]
    async with delivering(people, (timedelta(seconds=0.3),)) as deliveries:
        told = await tell(people, "unknown")
        deliveries.wake()
        await until(lambda: len(receiver.got) == 1, "the first try")
        await until_async(people, lambda hook: hook.words == "The receiver answered 503.")
    assert (await stands(people)).waiting == 1
    async with delivering(people):
        await until(lambda: len(receiver.got) == 2, "the second, by itself")
        assert receiver.ids == [told.id] * 2


async def test_a_receiver_that_is_away_does_not_hold_up_another(people: People, receiver: Receiver) -> None:
    await add(people, "http://127.0.0.1:1/nobody")
    await add(people, receiver.url)
    async with delivering(people, (timedelta(hours=1),)) as deliveries:
        for _ in range(3):
            await tell(people, "named")
        deliveries.wake()
        await until(lambda: len(receiver.got) == 3, "the other's")
        await asyncio.sleep(0.1)
        away, fine = await people.run(lambda store: table.webhooks(store.engine))
        assert (away.waiting, away.words) == (3, "The receiver could not be reached.")
        assert fine.waiting == 0


async def test_it_is_given_up_shown_and_can_be_sent_again(people: People, receiver: Receiver) -> None:
    hook = await add(people, receiver.url)
    receiver.answers = [500] * 4
    async with delivering(people) as deliveries:
        told = await tell(people, "named")
        deliveries.wake()
        await until_async(people, lambda hook: hook.dead == 1)
        assert len(receiver.got) == 4
        (lost,) = await people.run(lambda store: table.given_up(store.engine, hook.id, 10))
        assert (lost.event.said.id, lost.attempts, lost.words) == (told.id, 4, "The receiver answered 500.")
        assert await people.run(lambda store: table.send_again(store.engine, hook.id, datetime.now(UTC))) == 1
        deliveries.wake()
        await until_async(people, lambda hook: hook.delivered == 1 and hook.dead == 0)


async def test_a_receiver_that_is_gone_is_not_asked_again(people: People, receiver: Receiver) -> None:
    await add(people, receiver.url)
    receiver.answers = [410]
    async with delivering(people) as deliveries:
        await tell(people, "named")
        deliveries.wake()
        await until_async(people, lambda hook: hook.dead == 1)
        assert len(receiver.got) == 1


async def test_whoever_is_forgotten_is_not_told_of_any_more(people: People, receiver: Receiver) -> None:
    ada = (await people.add_person("Ada", [NewSample(embedding(1, DIMENSION), 0.8, "live")])).id
    await add(people, receiver.url)
    receiver.answers = [500]
    async with delivering(people, (timedelta(seconds=0.5),) * 3) as deliveries:
        await tell(people, "named", ada)
        deliveries.wake()
        await until(lambda: len(receiver.got) == 1, "the first try")
        await until_async(people, lambda hook: hook.words != "")
        await people.forget(ada)
        last = await tell(people, "unknown")
        deliveries.wake()
        await until(lambda: len(receiver.got) == 2, "the next event")
        assert receiver.ids[1] == last.id


async def test_a_test_says_what_came_of_it(people: People, receiver: Receiver) -> None:
    hook = await add(people, receiver.url)
    nobody = await add(people, "http://127.0.0.1:1/")
    async with delivering(people) as deliveries:
        assert await deliveries.test(hook) == ""
        assert receiver.types == ["test"]
        receiver.answers = [404]
        assert await deliveries.test(hook) == "The receiver answered 404."
        assert await deliveries.test(nobody) == "The receiver could not be reached."


async def test_there_is_an_end_to_webhooks_and_to_what_waits(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_WEBHOOKS", 2)
    monkeypatch.setattr(table, "MAX_WAITING", 3)
    await add(people, "http://127.0.0.1:1/a")
    await add(people, "http://127.0.0.1:1/b")
    with pytest.raises(TooManyWebhooks):
        await add(people, "http://127.0.0.1:1/c")
    for _ in range(5):
        await tell(people, "named")
    for hook in await people.run(lambda store: table.webhooks(store.engine)):
        assert (hook.waiting, hook.dead) == (3, 2)
