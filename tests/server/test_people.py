from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from server.people import People
from server.people_routes import setup_people
from server.storage import BadName, NameTaken, PeopleStore, StorageError
from tests.server.test_storage import DIGEST, OTHER, embedding, sample


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


async def test_the_gallery_follows_every_change(path: Path) -> None:
    async with opened(path) as people:
        empty = people.gallery
        assert (len(empty), empty.digest) == (0, DIGEST)
        ada = await people.add_person("Ada", [sample(1)])
        one = people.gallery
        assert one.people == (ada,)
        assert one.version > empty.version
        np.testing.assert_allclose(one.templates[0], embedding(1), atol=1e-6)
        assert await people.add_samples(ada.id, [sample(2)])
        assert float(people.gallery.templates[0] @ embedding(2)) > float(one.templates[0] @ embedding(2))
        assert await people.rename(ada.id, "Augusta")
        assert people.gallery.people[0].name == "Augusta"
        assert await people.find("augusta") == people.gallery.people[0]
        assert await people.forget(ada.id)
        assert len(people.gallery) == 0
        assert len(empty) == 0
        assert one.people[0].name == "Ada"  # a snapshot stays what it was


async def test_people_are_there_after_a_restart_and_for_their_own_pack_only(path: Path) -> None:
    async with opened(path) as people:
        await people.add_person("Ada", [sample(1)])
    async with opened(path) as people:
        assert [p.name for p in people.gallery.people] == ["Ada"]
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
        assert {p.name for p in people.gallery.people} == {f"P{n}" for n in range(5, 20)}
        taken = await asyncio.gather(*(people.add_person("Ada", [sample(n)]) for n in range(5)), return_exceptions=True)
        assert sum(isinstance(result, NameTaken) for result in taken) == 4


async def test_a_change_whose_asker_has_gone_is_still_seen(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = PeopleStore.add_person

    def slowly(*given: object) -> object:
        time.sleep(0.1)
        return add(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(PeopleStore, "add_person", slowly)
    async with opened(path) as people:
        heard: list[int] = []
        people.subscribe(heard.append)
        asking = asyncio.create_task(people.add_person("Ada", [sample(1)]))
        await asyncio.sleep(0.02)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()
        bob = await people.add_person("Bob", [sample(2)])
        assert {p.name for p in people.gallery.people} == {"Ada", "Bob"}
        assert heard == [1, 2]
        leaving = asyncio.create_task(people.forget(bob.id))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    async with opened(path) as people:  # closing waited for what was being written
        assert [p.name for p in people.gallery.people] == ["Ada"]


async def test_a_store_that_cannot_be_read_leaves_no_thread(path: Path) -> None:
    await asyncio.to_thread(path.write_bytes, b"nonsense" * 200)
    with pytest.raises(StorageError):
        await People.open(path, DIGEST, 128)
    await asyncio.sleep(0.05)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("people")]


async def test_over_http_people_are_listed_and_forgotten(serving, path: Path) -> None:  # type: ignore[no-untyped-def]
    async with opened(path) as people:
        ada = await people.add_person("Ada Ω", [sample(1), sample(2)])
        async with (
            serving(parts=(lambda app: setup_people(app, people),)) as served,
            aiohttp.ClientSession(served.local) as client,
        ):
            async with client.get("/api/v1/people") as response:
                (row,) = (await response.json())["people"]
            assert set(row) == {"id", "name", "samples", "created"}
            assert (row["id"], row["name"], row["samples"]) == (ada.id, "Ada Ω", 2)
            age = datetime.now(UTC) - datetime.fromisoformat(row["created"])
            assert timedelta() < age < timedelta(minutes=1)
            for status in (204, 404):
                async with client.delete(f"/api/v1/people/{ada.id}") as response:
                    assert response.status == status
            assert response.content_type == "application/problem+json"
            async with client.get("/api/v1/people") as response:
                assert await response.json() == {"people": []}
            assert len(people.gallery) == 0
