"""Strangers grouped as people would group them, and forgotten as promised."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from pipeline.face_models import main_face, read_photo
from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline
from server.live.strangers import Noticed, StrangerSighting, StrangerWatch, cut_portrait
from server.people import People
from server.people.inbox import MAX_STRANGERS, DifferentPerson, NoSuchStranger, erase_inbox
from server.storage import BadName, NewSample
from server.storage import inbox as inbox_table
from server.storage.inbox import sightings_of
from tests.packs import open_models
from tests.pictures import camera_frame, group_photo
from tests.server.strangers import DIGEST, RATE, Clock, faces, noticed, opened, session, stills
from tests.server.test_storage import embedding
from tests.stores import only_sqlite

pytestmark = pytest.mark.usefixtures("either_store")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite3"


async def test_six_people_seen_alone_in_three_sessions_are_six_entries(path: Path) -> None:
    async with opened(path) as (inbox, _):
        for light, blur, scale in ((1.0, 1, 0.9), (0.6, 3, 0.7), (1.2, 5, 1.0)):
            pictures = stills(light, blur, scale)
            assert len(pictures) == 6
            for number, vector in pictures:
                seen = StrangerSighting(1, vector, 3, 0.7, None)
                inbox.observe(f"{light} {number}", None, Noticed(DIGEST, (seen,), (), frozenset({1})))
        await inbox.settle()
        entries = inbox.strangers()
        whose = [{s.session.split()[1] for s in entry.sightings} for entry in entries]
        assert all(len(one) == 1 for one in whose)  # nobody is in somebody else's entry
        assert [entry.seen for entry in entries] == [3] * 6


async def test_everybody_in_three_live_sessions_is_one_entry_seen_three_times(path: Path) -> None:
    """Five of the six: the one who looks away from the camera cannot be told apart, and is not noticed."""
    clock = Clock()
    async with opened(path, clock) as (inbox, _):
        for number, (start, light) in enumerate([(0, 0), (23, -25), (41, 20)]):
            for told in session(start, light=light):
                inbox.observe(f"session {number}", None, told)
                clock.later(seconds=1)
            inbox.left(f"session {number}")
            await inbox.settle()
            clock.later(hours=1)
        entries = inbox.strangers()
        assert [entry.seen for entry in entries] == [3] * 5
        for entry in entries:
            assert [s.session for s in entry.sightings] == ["session 0", "session 1", "session 2"]
            assert all(s.began <= s.ended for s in entry.sightings)
            # Every sample is of one and the same face of the photo.
            nearest = {int(np.argmax([f.embedding @ vector for f in faces()])) for vector in entry.embeddings}
            assert len(nearest) == 1
        whose = {int(np.argmax([f.embedding @ entry.embeddings[0] for f in faces()])) for entry in entries}
        assert whose == {0, 1, 2, 3, 5}


async def test_the_picture_kept_is_small_and_shows_the_face(path: Path) -> None:
    async with opened(path) as (inbox, _):
        for told in session(0):
            inbox.observe("s", None, told)
        await inbox.settle()
        for entry in inbox.strangers():
            assert entry.crop is not None
            picture = cv2.imdecode(np.frombuffer(entry.crop, np.uint8), cv2.IMREAD_COLOR)
            assert picture.shape == (160, 160, 3)
            assert len(entry.crop) < 20_000
            big = cv2.resize(np.ascontiguousarray(picture[..., ::-1]), (480, 480))
            found = main_face(read_photo(open_models(), big), 480, 480)
            assert found is not None
            nearest = int(np.argmax([f.embedding @ found.embedding for f in faces()]))
            assert nearest == int(np.argmax([f.embedding @ entry.embeddings[0] for f in faces()]))
            points = entry.crop_landmarks
            assert points is not None
            np.testing.assert_allclose(points * 3, found.landmarks, atol=30)


async def test_nobody_is_noticed_before_there_is_evidence_or_once_known() -> None:
    assert session(0, seconds=0.9) == ()
    told = session(0)
    assert all(s.votes >= 3 and s.quality >= 0.4 for n in told for s in n.strangers)
    assert len({s.track for n in told for s in n.strangers}) == 5
    assert all(not n.named for n in told)


async def test_a_known_person_is_not_noticed_and_one_named_on_the_way_is_told() -> None:
    from pipeline.gallery import Gallery, Person

    gallery = Gallery.build([(Person("ada", "Ada"), faces()[0].embedding, None)], 128, DIGEST, 1)
    current = [gallery]
    pipeline, watch = FramePipeline(open_models(), lambda: current[0]), StrangerWatch()
    told = []
    for index in range(6 * RATE):
        if index == 4 * RATE:
            both = [(Person(n, n), faces()[i].embedding, None) for i, n in enumerate(["ada", "bob"])]
            current[0] = Gallery.build(both, 128, DIGEST, 2)
        frame = Frame.from_image(camera_frame(group_photo(), index)[0], index / RATE)
        if pipeline.advance(frame).keyframe:
            told.append(watch.look(pipeline, frame, pipeline.look(frame)))
    strangers = {s.track for n in told for s in n.strangers}
    assert len(strangers) == 4
    named = [pair for n in told for pair in n.named]
    assert [person for _, person in named] == ["bob"]
    assert named[0][0] in strangers


async def test_entries_survive_a_restart(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock) as (inbox, _):
        inbox.observe("one", "hall", noticed(1))
        await inbox.settle()
        before = inbox.strangers()
    async with opened(path, clock) as (inbox, _):
        (entry,) = inbox.strangers()
        np.testing.assert_array_equal(entry.embeddings[0], before[0].embeddings[0])
        assert replace(entry, embeddings=(), crop_landmarks=None) == replace(
            before[0], embeddings=(), crop_landmarks=None, qualities=entry.qualities
        )
        clock.later(minutes=5)
        inbox.observe("two", "hall", noticed(2, near=1))
        await inbox.settle()
        assert [e.seen for e in inbox.strangers()] == [2]


async def test_what_waits_when_the_server_ends_is_kept(path: Path) -> None:
    async with opened(path) as (inbox, _):
        inbox.observe("one", None, noticed(1))
    async with opened(path) as (inbox, _):
        assert len(inbox.strangers()) == 1


async def test_a_short_absence_is_no_new_sighting(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock) as (inbox, _):
        inbox.observe("one", None, noticed(1, track=1))
        await inbox.settle()
        clock.later(seconds=40)
        inbox.observe("one", None, noticed(1, track=2))
        await inbox.settle()
        (entry,) = inbox.strangers()
        assert (entry.seen, len(entry.sightings)) == (1, 1)
        assert entry.sightings[0].ended - entry.sightings[0].began == timedelta(seconds=40)
        clock.later(seconds=90)
        inbox.observe("one", None, noticed(1, track=3))
        await inbox.settle()
        assert inbox.strangers()[0].seen == 2


async def test_two_in_one_picture_are_never_one_however_alike(path: Path) -> None:
    async with opened(path) as (inbox, _):
        inbox.observe("one", None, noticed(1, track=1))
        inbox.observe("one", None, noticed(2, track=2, near=1, visible=frozenset({1})))
        await inbox.settle()
        assert len(inbox.strangers()) == 2


async def test_an_entry_joins_an_older_one_once_the_face_is_clear(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock) as (inbox, _):
        inbox.observe("one", None, noticed(1))
        clock.later(hours=1)
        inbox.observe("two", None, noticed(5, track=9))
        await inbox.settle()
        assert len(inbox.strangers()) == 2
        inbox.observe("two", None, noticed(6, track=9, near=1))
        await inbox.settle()
        (entry,) = inbox.strangers()
        assert entry.seen == 2


async def test_rooms_do_not_share_strangers(path: Path) -> None:
    async with opened(path) as (inbox, _):
        inbox.observe("one", "hall", noticed(1))
        inbox.observe("two", "yard", noticed(1))
        inbox.observe("three", None, noticed(1))
        await inbox.settle()
        assert {e.room for e in inbox.strangers()} == {"hall", "yard", None}


async def test_a_name_makes_a_person_of_the_samples_and_the_sightings_take_it(path: Path) -> None:
    async with opened(path, keep_crops=True) as (inbox, people):
        for number, start in enumerate((0, 23)):
            for told in session(start):
                inbox.observe(str(number), None, told)
            await inbox.settle()
        entry = next(e for e in inbox.strangers() if _who(e.embeddings[0]) == 2)
        person, seen = await inbox.name(entry.id, " Cleo ")
        assert (person.name, seen) == ("Cleo", 2)
        assert len(inbox.strangers()) == 4
        template = people.gallery.template(person.id)
        assert template is not None
        assert _who(template) == 2
        stored = await people.embeddings(DIGEST)
        assert {row.source for row in stored} == {"inbox"}
        assert sum(row.crop for row in stored) == 1
        found = await people.run(lambda store: sightings_of(store.engine, person.id))
        assert {s.session for s in found} == {"0", "1"}
        with pytest.raises(NoSuchStranger):
            await inbox.name(entry.id, "Cleo")
        await people.forget(person.id)
        assert await people.run(lambda store: sightings_of(store.engine, person.id)) == []


async def test_the_name_of_somebody_who_looks_different_is_refused(path: Path) -> None:
    async with opened(path) as (inbox, people):
        known = await people.add_person("Ada", [NewSample(embedding(1), 0.8, "live")])
        inbox.observe("one", None, noticed(2))
        inbox.observe("two", None, noticed(3, near=1))
        await inbox.settle()
        other, same = (next(e for e in inbox.strangers() if e.sightings[0].session == s) for s in ("one", "two"))
        with pytest.raises(DifferentPerson, match="Ada"):
            await inbox.name(other.id, "ada")
        with pytest.raises(BadName):
            await inbox.name(other.id, "\n")
        assert len(inbox.strangers()) == 2
        person, _ = await inbox.name(same.id, "ADA")
        assert person.id == known.id
        assert len(await people.embeddings(DIGEST)) == 2


async def test_a_stranger_named_on_the_page_leaves_the_inbox(path: Path) -> None:
    async with opened(path) as (inbox, people):
        inbox.observe("one", None, noticed(1))
        inbox.observe("two", None, noticed(2))
        await inbox.settle()
        ada = await people.add_person("Ada", [NewSample(embedding(1), 0.8, "live")])
        inbox.observe("one", None, Noticed(DIGEST, (), ((1, ada.id),), frozenset({1})))
        inbox.observe("two", None, Noticed(DIGEST, (), ((1, "f" * 32),), frozenset({1})))  # a guest's person
        inbox.observe("one", None, Noticed(DIGEST, (), ((77, ada.id),), frozenset({77})))
        await inbox.settle()
        assert inbox.strangers() == []
        assert len(await people.run(lambda store: sightings_of(store.engine, ada.id))) == 1
    async with opened(path) as (inbox, _):
        assert inbox.strangers() == []


def _who(vector: np.ndarray) -> int:
    return int(np.argmax([face.embedding @ vector for face in faces()]))


def _bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file())


def _sealed(path: Path) -> list[bytes]:
    """What is kept of strangers, as it lies in the file."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        return [blob for row in database.execute("SELECT embeddings, crop FROM stranger") for blob in row if blob]


def _keys(path: Path) -> int:
    """Keys of strangers that are not destroyed."""
    with contextlib.closing(sqlite3.connect(path.parent / "keyring.sqlite3")) as database:
        query = "SELECT count(*) FROM key WHERE kind = 'stranger' AND wrapped IS NOT NULL"
        return int(database.execute(query).fetchone()[0])


@only_sqlite
async def test_forgetting_leaves_no_trace_in_the_files(path: Path) -> None:
    async with opened(path) as (inbox, _):
        inbox.observe("a very long name of a session", None, noticed(1))
        inbox.observe("another", None, noticed(2))
        await inbox.settle()
        entry = next(e for e in inbox.strangers() if e.sightings[0].session != "another")
        secrets = [vector.tobytes()[:64] for one in inbox.strangers() for vector in one.embeddings] + [b"picture"]
        assert not any(secret in _bytes_of(path.parent) for secret in secrets)
        before = set(_sealed(path))
        await inbox.forget(entry.id)
        traces = [*before - set(_sealed(path)), b"a very long name of a session"]
        assert len(traces) == 3
        assert not any(trace in _bytes_of(path.parent) for trace in traces)
        assert _keys(path) == 1
        with pytest.raises(NoSuchStranger):
            await inbox.forget(entry.id)
        await inbox.forget_all()
        assert not any(trace in _bytes_of(path.parent) for trace in before)
        assert _keys(path) == 0
        assert inbox.strangers() == []


async def test_a_face_forgotten_is_not_noticed_again_while_it_stays(path: Path) -> None:
    async with opened(path) as (inbox, _):
        inbox.observe("one", None, noticed(1))
        inbox.observe("two", None, noticed(2))
        await inbox.settle()
        entry = next(e for e in inbox.strangers() if e.sightings[0].session == "one")
        await inbox.forget(entry.id)
        inbox.observe("one", None, noticed(1))
        await inbox.settle()
        assert len(inbox.strangers()) == 1
        await inbox.forget_all()
        inbox.observe("two", None, noticed(2))
        await inbox.settle()
        assert inbox.strangers() == []
        inbox.left("one")
        inbox.observe("one", None, noticed(1))  # another visit
        await inbox.settle()
        assert len(inbox.strangers()) == 1


async def test_what_could_not_be_written_is_written_next_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sa.exc.OperationalError("", {}, Exception("disk full"))

    async with opened(path) as (inbox, _):
        with monkeypatch.context() as patch:
            patch.setattr("server.storage.inbox.save", full)
            inbox.observe("one", None, noticed(1))
            async with asyncio.timeout(5):
                while not inbox.strangers():  # noqa: ASYNC110 – the inbox tells nobody
                    await asyncio.sleep(0.01)
        inbox.observe("two", None, noticed(2))
        await inbox.settle()
    async with opened(path) as (inbox, _):
        assert len(inbox.strangers()) == 2


@only_sqlite
async def test_entries_expire(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock, days=2) as (inbox, _):
        inbox.observe("one", None, noticed(1))
        await inbox.settle()
        (entry,) = inbox.strangers()
        clock.later(days=2, seconds=1)
        assert inbox.strangers() == []
        with pytest.raises(NoSuchStranger):
            inbox.get(entry.id)
        inbox.observe("two", None, noticed(2))
        await inbox.settle()
        assert len(inbox.strangers()) == 1
        assert entry.embeddings[0].tobytes() not in _bytes_of(path.parent)
    before = _sealed(path)
    assert before
    clock.later(days=3)
    async with opened(path, clock, days=2) as (inbox, _):
        assert inbox.strangers() == []
        assert not any(trace in _bytes_of(path.parent) for trace in before)
        assert _keys(path) == 0


async def test_the_number_of_strangers_is_bounded_and_the_oldest_go(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock) as (inbox, _):
        for seed in range(MAX_STRANGERS + 5):
            inbox.observe(f"session {seed}", None, noticed(seed))
            clock.later(seconds=1)
            if seed % 200 == 0:
                await inbox.settle()
        await inbox.settle()
        entries = inbox.strangers()
        assert len(entries) <= MAX_STRANGERS
        assert entries[0].sightings[0].session == f"session {MAX_STRANGERS + 4}"
        assert all(e.sightings[0].session != "session 0" for e in entries)


@only_sqlite
async def test_numbers_of_another_pack_are_neither_taken_in_nor_kept(path: Path) -> None:
    async with opened(path) as (inbox, _):
        inbox.observe("one", None, replace(noticed(1), digest="e" * 64))
        await inbox.settle()
        assert inbox.strangers() == []
        inbox.observe("one", None, noticed(1))
        await inbox.settle()
        before = _sealed(path)
        assert before
        await inbox.change_models(open_models().matcher, "e" * 64)
        assert inbox.strangers() == []
        assert not any(trace in _bytes_of(path.parent) for trace in before)
        assert _keys(path) == 0


@only_sqlite
async def test_switched_off_nothing_is_kept(path: Path) -> None:
    async with opened(path) as (inbox, _):
        inbox.observe("one", None, noticed(1))
    before = _sealed(path)
    assert before
    people = await People.open(path, DIGEST, 128)
    await erase_inbox(people)
    assert not any(trace in _bytes_of(path.parent) for trace in before)
    assert _keys(path) == 0
    await people.close()


def test_a_face_whose_landmarks_coincide_gives_no_picture() -> None:
    assert cut_portrait(group_photo(), np.full((5, 2), 9, np.float32), 0.5) is None


async def test_an_entry_that_another_node_erased_is_not_written_again(path: Path) -> None:
    (_, vector), *_ = stills(1.0, 1, 0.9)
    async with opened(path) as (inbox, people):
        seen = StrangerSighting(1, vector, 3, 0.7, None)
        inbox.observe("here", None, Noticed(DIGEST, (seen,), (), frozenset({1})))
        await inbox.settle()
        (entry,) = inbox.strangers()
        # … as another node does, and before this one has heard of it the face is seen once more.
        await people.run(lambda store: inbox_table.save(store.engine, [], [entry.id]))
        inbox.observe("here", None, Noticed(DIGEST, (seen,), (), frozenset({1})))
        await inbox.settle()
        assert inbox.strangers() == []
        assert await people.run(lambda store: inbox_table.read(store.engine, DIGEST)) == []


async def test_what_another_node_noticed_is_taken_up(path: Path) -> None:
    (_, vector), *_ = stills(1.0, 1, 0.9)
    clock = Clock()
    async with opened(path, clock) as (inbox, people):
        now = clock()
        sighting = inbox_table.Sighting("s" * 32, "there", now, now)
        stranger = inbox_table.Stranger(
            "e" * 32, None, DIGEST, 1, now, now, (vector,), (0.7,), None, None, 0.0, (sighting,)
        )
        await people.run(lambda store: inbox_table.save(store.engine, [stranger]))
        await inbox.written_elsewhere(frozenset({"person"}))
        await inbox.settle()
        assert inbox.strangers() == []
        await inbox.written_elsewhere(frozenset({"stranger"}))
        await inbox.settle()
        assert [entry.id for entry in inbox.strangers()] == [stranger.id]
        # The same face seen here is the same entry.
        seen = StrangerSighting(1, vector, 3, 0.7, None)
        inbox.observe("here", None, Noticed(DIGEST, (seen,), (), frozenset({1})))
        await inbox.settle()
        (entry,) = inbox.strangers()
        assert (entry.id, entry.seen) == (stranger.id, 2)
