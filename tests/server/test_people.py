from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.gallery import Gallery
from server.people import People
from server.storage import BadName, NameTaken, NewSample, PeopleStore, StorageError
from tests.server.test_storage import DIGEST, OTHER, embedding, sample
from tests.stores import only_sqlite

pytestmark = pytest.mark.usefixtures("either_store")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite3"


@contextlib.asynccontextmanager
async def opened(path: Path, digest: str = DIGEST) -> AsyncIterator[People]:
    people = await People.open(path, digest, 128)
    try:
        yield people
    finally:
        await people.close()


def template(gallery: Gallery, person_id: str) -> np.ndarray:  # type: ignore[type-arg]
    found = gallery.template(person_id)
    assert found is not None
    return found


async def test_the_gallery_follows_every_change(path: Path) -> None:
    async with opened(path) as people:
        empty = people.gallery
        assert (len(empty), empty.digest) == (0, DIGEST)
        ada = await people.add_person("Ada", [sample(1)])
        one = people.gallery
        assert list(one.people()) == [ada]
        assert one.version > empty.version
        first = template(one, ada.id)
        np.testing.assert_allclose(first, embedding(1), atol=1e-6)
        assert await people.add_samples(ada.id, [sample(2)])
        assert float(template(people.gallery, ada.id) @ embedding(2)) > float(first @ embedding(2))
        assert await people.rename(ada.id, "Augusta")
        (augusta,) = people.gallery.people()
        assert augusta.name == "Augusta"
        assert await people.find("augusta") == augusta
        last = people.gallery
        assert await people.forget(ada.id)
        assert len(people.gallery) == 0
        assert len(empty) == 0
        assert [person.name for person in one.people()] == ["Ada"]  # a snapshot stays what it was …
        assert not template(last, ada.id).any()  # … but for the numbers of who is forgotten


async def test_people_are_there_after_a_restart_and_for_their_own_pack_only(path: Path) -> None:
    async with opened(path) as people:
        await people.add_person("Ada", [sample(1)])
    async with opened(path) as people:
        assert [p.name for p in people.gallery.people()] == ["Ada"]
    async with opened(path, OTHER) as people:
        assert len(people.gallery) == 0
        assert [row.name for row in await people.list()] == ["Ada"]


async def test_who_listens_is_told_the_number(path: Path) -> None:
    async with opened(path) as people:
        heard: list[int] = []
        unsubscribe = people.subscribe(heard.append)
        ada = await people.add_person("Ada", [sample(1)])
        await people.add_person("Bob", [sample(2)])
        with pytest.raises(NameTaken):
            await people.add_person("bob", [sample(3)])
        with pytest.raises(BadName):
            await people.rename(ada.id, "\n")
        await people.forget(ada.id)
        unsubscribe()
        unsubscribe()
        await people.add_person("Cleo", [sample(4)])
        assert heard == [1, 2, 1]


async def test_changes_at_once_all_count(path: Path) -> None:
    async with opened(path) as people:
        added = await asyncio.gather(*(people.add_person(f"P{n}", [sample(n)]) for n in range(20)))
        await asyncio.gather(*(people.forget(person.id) for person in added[:5]))
        assert {p.name for p in people.gallery.people()} == {f"P{n}" for n in range(5, 20)}
        taken = await asyncio.gather(*(people.add_person("Ada", [sample(n)]) for n in range(5)), return_exceptions=True)
        assert sum(isinstance(result, NameTaken) for result in taken) == 4


async def test_a_change_whose_asker_has_gone_is_still_seen(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol = PeopleStore.enrol

    def slowly(*given: object) -> object:
        time.sleep(0.1)
        return enrol(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(PeopleStore, "enrol", slowly)
    async with opened(path) as people:
        heard: list[int] = []
        people.subscribe(heard.append)
        asking = asyncio.create_task(people.add_person("Ada", [sample(1)]))
        await asyncio.sleep(0.02)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()
        bob = await people.add_person("Bob", [sample(2)])
        assert {p.name for p in people.gallery.people()} == {"Ada", "Bob"}
        assert heard == [1, 2]
        leaving = asyncio.create_task(people.forget(bob.id))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    async with opened(path) as people:  # closing waited for what was being written
        assert [p.name for p in people.gallery.people()] == ["Ada"]


@only_sqlite
async def test_a_store_that_cannot_be_read_leaves_no_thread(path: Path) -> None:
    await asyncio.to_thread(path.write_bytes, b"nonsense" * 200)
    with pytest.raises(StorageError):
        await People.open(path, DIGEST, 128)
    await asyncio.sleep(0.05)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("people")]


# -- rooms, targets, other processes, other packs ----------------------------------------------------------------------


async def test_a_room_knows_its_own_people_and_everyone_s(path: Path) -> None:
    async with opened(path) as people:
        ada = await people.add_person("Ada", [sample(1)])
        bob = await people.add_person("Bob", [sample(2)], "attic")
        assert set(people.gallery.people()) == {ada}
        attic = people.gallery_of("attic")
        assert set(attic.people()) == {ada, bob}
        assert people.gallery_of("attic") is attic  # the same until something changes
        assert people.gallery_of("cellar") is people.gallery
        await people.rename(ada.id, "Augusta")
        assert {p.name for p in people.gallery_of("attic").people()} == {"Augusta", "Bob"}
        assert people.gallery_of("attic").version > attic.version
        change = await people.set_room(bob.id, None)
        assert {p.name for p in people.gallery.people()} == {"Augusta", "Bob"}
        await people.undo(change.id)
        assert {p.name for p in people.gallery.people()} == {"Augusta"}
        assert {p.name for p in people.gallery_of("attic").people()} == {"Augusta", "Bob"}
    async with opened(path) as people:
        assert {p.name for p in people.gallery_of("attic").people()} == {"Augusta", "Bob"}


async def test_each_gallery_is_as_sure_as_was_chosen(path: Path) -> None:
    async with opened(path) as people:
        await people.add_person("Ada", [sample(1)])
        assert people.gallery.target_fpir is None
        await people.set_target("attic", 50)
        assert people.gallery.target_fpir is None
        assert people.gallery_of("attic").target_fpir == pytest.approx(0.02)
        await people.set_target(None, 1000)
        assert people.gallery.target_fpir == pytest.approx(0.001)
        await people.add_person("Bob", [sample(2)])
        assert people.gallery.target_fpir == pytest.approx(0.001)
        assert people.gallery_of("attic").target_fpir == pytest.approx(0.02)
        await people.set_target("attic", None)
        assert people.gallery_of("attic").target_fpir == pytest.approx(0.001)


@only_sqlite
async def test_what_another_process_writes_is_seen_soon(path: Path) -> None:
    async with opened(path) as people:
        heard = asyncio.Event()
        people.subscribe(lambda _count: heard.set())
        await asyncio.to_thread(enrol_elsewhere, path)
        async with asyncio.timeout(5):
            await heard.wait()
        assert [person.name for person in people.gallery.people()] == ["Ada"]


def enrol_elsewhere(path: Path) -> None:
    store = PeopleStore(path)
    store.add_person("Ada", [sample(1)], DIGEST)
    store.close()


async def test_another_pack_takes_over_at_once(path: Path) -> None:
    async with opened(path) as people:
        await people.add_person("Ada", [sample(1)])
        await people.change_pack(OTHER, 64)
        assert (people.gallery.digest, people.gallery.dimension, len(people.gallery)) == (OTHER, 64, 0)
        await people.add_person("Bob", [NewSample(embedding(2, 64), 0.5, "live")])
        assert [person.name for person in people.gallery.people()] == ["Bob"]
        await people.change_pack(DIGEST, 128)
        assert [person.name for person in people.gallery.people()] == ["Ada"]


async def test_many_changes_are_folded_in_aside(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.gallery.PENDING", 8)
    monkeypatch.setattr("pipeline.gallery.SMALL", 0)
    async with opened(path) as people:
        for number in range(40):
            await people.add_person(f"P{number}", [sample(number)])
        await people.forget((await people.list())[0].id)
        for _ in range(100):
            if not people.gallery.wants_compaction:
                break
            await asyncio.sleep(0.02)
        assert not people.gallery.wants_compaction
        assert len(people.gallery) == len({p.id for p in people.gallery.people()}) == 39
        for number in range(1, 40):
            assert float(people.gallery.search(embedding(number), 1).similarities[0]) == pytest.approx(1, abs=1e-5)
