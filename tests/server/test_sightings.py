"""The recorder on a real store: what is written, when it is erased, and what a broken store does not lose."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline
from pipeline.gallery import Gallery
from server.app import retention
from server.live.strangers import Portrait, PortraitWatch
from server.people import People
from server.settings import Settings
from server.sightings.recorder import MOVED_ON, Recorder
from server.sightings.watch import AWAY
from server.storage import NewSample
from server.storage import sightings as table
from server.storage.events import Event, events_after
from server.storage.sightings import Wanted, find
from tests.packs import open_models
from tests.pictures import camera_frame, group_photo
from tests.server.sighting_faces import known, unknown
from tests.server.strangers import Clock
from tests.server.test_storage import embedding
from tests.stores import only_sqlite

pytestmark = pytest.mark.usefixtures("either_store")

MODELS = open_models()
DIGEST, DIMENSION = MODELS.manifest.digest, MODELS.embedder.spec.dimension
LEFT = AWAY.total_seconds() + 1


class Room:
    """A recorder, its people, and a clock."""

    def __init__(self, people: People, recorder: Recorder, clock: Clock) -> None:
        self.people, self.recorder, self.clock = people, recorder, clock
        self.told: list[Event] = []
        recorder.subscribe(self.told.extend)

    async def enrol(self, number: int, name: str) -> str:
        return (await self.people.add_person(name, [NewSample(embedding(number, DIMENSION), 0.8, "live")])).id

    def show(self, seconds: float, *faces: object, session: str = "s") -> None:
        for _ in range(int(seconds * 4)):
            self.recorder.observe(session, None, faces)  # type: ignore[arg-type]
            self.clock.later(seconds=0.25)

    async def rows(self, **wanted: object) -> list[table.SeenRow]:
        await self.recorder.settle()
        return await self.people.run(lambda store: find(store.engine, Wanted(**wanted), 100))  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def opened(path: Path, clock: Clock | None = None, **options: object) -> AsyncIterator[Room]:
    clock = clock or Clock()
    people = await People.open(path, DIGEST, DIMENSION)
    wish = {"enabled": True, "days": 30, **options}
    recorder = await Recorder.open(people, lambda: MODELS.matcher, clock=clock, **wish)  # type: ignore[arg-type]
    try:
        yield Room(people, recorder, clock)
    finally:
        await recorder.close()
        await people.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite3"


async def test_who_was_seen_is_written_with_the_name_of_now(path: Path) -> None:
    async with opened(path) as room:
        ada = await room.enrol(1, "Ada")
        room.show(30, known(1, ada), unknown(2))
        room.show(LEFT)
        await room.people.rename(ada, "Augusta")
        rows = {row.name: row for row in await room.rows()}
        assert rows.keys() == {"Augusta", None}
        assert rows["Augusta"].ended - rows["Augusta"].began == timedelta(seconds=29.75)
        assert [event.said.kind for event in room.told] == ["named", "unknown", "left", "left"]
        assert room.told[0].name == "Augusta"
        assert [row.person for row in await room.rows(who="unknown")] == [None]
        assert [row.person for row in await room.rows(person=ada)] == [ada]
        assert await room.rows(room="attic") == []
        assert len(await room.rows(room="")) == 2
        assert await room.rows(end=rows[None].began - timedelta(seconds=10)) == []
        assert await room.rows(begin=rows[None].ended + timedelta(seconds=10)) == []


async def test_nothing_is_noted_unless_it_is_switched_on(path: Path) -> None:
    async with opened(path, enabled=False) as room:
        room.show(30, unknown(1))
        room.recorder.left("s")
        assert await room.rows() == []
    assert "noted" not in retention(Settings())
    assert "for 30 days" in retention(Settings(sightings=True))
    assert "small picture" in retention(Settings(sightings=True, sightings_crops=True))


async def test_a_crash_loses_no_more_than_some_seconds(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock) as room:
        room.show(60, unknown(1))
        await room.recorder.settle()
        room.show(5, unknown(1))
        room.recorder._watched.clear()  # what was in memory is gone
    async with opened(path, clock) as room:
        (row,) = await room.rows()
        assert row.ended - row.began >= timedelta(seconds=60) - MOVED_ON
        room.show(10, unknown(1), session="another")
        assert len(await room.rows()) == 2


@only_sqlite
async def test_forgetting_reaches_sightings_events_and_what_goes_on(path: Path) -> None:
    async with opened(path) as room:
        ada, bob = await room.enrol(1, "Ada"), await room.enrol(2, "Bob")
        room.show(10, known(1, ada), known(2, bob))
        await room.rows()
        await room.people.forget(ada)
        room.show(10, known(1, ada), known(2, bob))  # a session that has not heard of it yet
        room.show(LEFT)
        assert [row.name for row in await room.rows()] == ["Bob"]
        events = await room.people.run(lambda store: events_after(store.engine, 0, 100))
        assert {event.name for event in events} == {"Bob"}
        raw = await asyncio.to_thread(path.read_bytes)
        assert ada.encode() not in raw
        assert bob.encode() in raw


async def test_who_is_removed_is_not_shown_until_it_is_undone(path: Path) -> None:
    async with opened(path) as room:
        ada = await room.enrol(1, "Ada")
        room.show(10, known(1, ada))
        assert len(await room.rows()) == 1
        change = await room.people.remove_person(ada)
        assert await room.rows() == []
        await room.people.undo(change.id)
        assert len(await room.rows()) == 1


async def test_merged_people_keep_their_sightings_and_undoing_it_gives_them_back(path: Path) -> None:
    async with opened(path) as room:
        ada, bob = await room.enrol(1, "Ada"), await room.enrol(2, "Bob")
        room.show(10, known(1, ada))
        room.show(LEFT)
        room.show(10, known(2, bob))
        room.show(LEFT)
        ids = {row.name: row.id for row in await room.rows()}
        change = await room.people.merge(bob, ada)
        assert [row.name for row in await room.rows()] == ["Ada", "Ada"]
        await room.recorder.erase(ids["Ada"])
        await room.people.undo(change.id)
        assert [row.name for row in await room.rows()] == ["Bob"]
        change = await room.people.merge(bob, ada)
        await room.recorder.erase(ids["Bob"])  # as age would do
        await room.people.undo(change.id)  # the merge can be undone all the same
        assert await room.rows() == []


async def test_what_is_old_is_erased(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock, days=2) as room:
        room.show(10, unknown(1))
        room.show(LEFT)
        assert len(await room.rows()) == 1
    clock.later(days=3)
    async with opened(path, clock, days=2, enabled=False) as room:  # also when it is switched off by then
        assert await room.rows() == []
        assert await room.people.run(lambda store: events_after(store.engine, 0, 100)) == []


async def test_erased_sightings_come_back_only_as_new_ones(path: Path) -> None:
    async with opened(path) as room:
        room.show(10, unknown(1))
        (row,) = await room.rows()
        assert await room.recorder.erase(row.id)
        assert not await room.recorder.erase(row.id)
        assert await room.rows() == []
        room.show(10, unknown(1))
        (again,) = await room.rows()
        assert again.id != row.id
        assert again.began >= row.ended
        await room.recorder.erase()
        assert await room.rows() == []


async def test_a_store_that_cannot_be_written_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(path) as room:
        real = table.write

        def full(*_: object) -> None:
            raise sa.exc.OperationalError("insert", {}, Exception("disk is full"))

        monkeypatch.setattr(table, "write", full)
        room.show(10, unknown(1))
        with pytest.raises(sa.exc.OperationalError):
            await room.recorder.settle()
        room.show(LEFT)
        with pytest.raises(sa.exc.OperationalError):
            await room.recorder.settle()
        monkeypatch.setattr(table, "write", real)
        assert len(await room.rows()) == 1
        assert [event.said.kind for event in room.told] == ["unknown", "left"]
        await room.recorder.settle()
        assert len(room.told) == 2


async def test_pictures_are_kept_only_where_they_are_allowed(path: Path) -> None:
    picture = Portrait(b"\xff\xd8 good", embedding(1, 10).reshape(5, 2), 0.8)
    for crops in (False, True):
        async with opened(path, crops=crops) as room:
            await room.recorder.erase()
            room.show(1, unknown(1))  # before it is sure that it is a stranger
            room.recorder.pictured("s", None, [(1, picture)])
            room.show(5, unknown(1))
            (row,) = await room.rows()
            assert row.crop is crops
            kept = await room.people.run(lambda store, id=row.id: table.get_crop(store.engine, id))  # type: ignore[misc]
            assert kept == (picture.jpeg if crops else None)


def test_portraits_of_real_faces_get_better() -> None:
    nobody = Gallery.build([], DIMENSION, DIGEST)
    pipeline, watch, best = FramePipeline(MODELS, lambda: nobody), PortraitWatch(), {}
    for index in range(45):
        picture, _ = camera_frame(group_photo(), index)
        frame = Frame.from_image(picture, index / 15)
        if pipeline.advance(frame).keyframe:
            for track, portrait in watch.look(pipeline, frame, pipeline.look(frame)):
                assert portrait.jpeg.startswith(b"\xff\xd8")
                assert portrait.quality > best.get(track, 0.0)
                best[track] = portrait.quality
    assert len(best) >= 4
