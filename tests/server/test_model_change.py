from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp
import cv2
import numpy as np
import pytest
import sqlalchemy as sa
from aiohttp import web

from models import EmbedderSpec, PackNotInstalled, load_pack
from pipeline.crop import cut_crop
from pipeline.face_models import FaceModels, PhotoFace, read_photo
from pipeline.frame import Frame
from pipeline.frame_pipeline import FramePipeline
from pipeline.matcher import Matcher
from server.people import People
from server.people.model_change import ChangeRefused, ModelChange, compare, embed_again
from server.people.model_change_routes import setup_model_change
from server.problems import problem_middleware
from server.storage import NewSample
from server.storage import model_change as table
from server.storage.model_change import BothWays, CroppedSample, read_choice
from tests.packs import models_folder, open_models
from tests.pictures import camera_frame, group_photo
from tests.server.test_storage import embedding
from tests.serving import on_free_port
from tests.stores import only_sqlite
from tracking import IdentityState

pytestmark = pytest.mark.usefixtures("either_store")

OLD = open_models().manifest.digest
PLAIN = Matcher(replace(open_models().manifest.matching, population=None))  # plain cosines


@functools.cache
def other_models() -> FaceModels:
    """A second pack under the name of one that exists: the open one's networks, with tighter chips."""
    pack = load_pack("open", models_folder(), "cpu", lambda line: None)
    spec = pack.manifest.embedder
    middle = spec.template.mean(0)
    template = ((spec.template - middle) * 1.06 + middle).astype(np.float32)
    manifest = replace(pack.manifest, name="buffalo_s", embedder=replace(spec, template=template))
    return FaceModels.from_pack(replace(pack, manifest=manifest))


NEW = other_models().manifest.digest


@functools.cache
def faces() -> list[PhotoFace]:
    return sorted(read_photo(open_models(), group_photo()), key=lambda face: float(face.box[0]))


@functools.cache
def samples(who: int, crops: bool = True) -> tuple[NewSample, ...]:
    """Two samples of somebody in the photo, the second from a darker picture."""
    made = []
    for light in (1.0, 0.7):
        picture = (group_photo() * light).astype(np.uint8)
        face = sorted(read_photo(open_models(), picture), key=lambda face: float(face.box[0]))[who]
        crop = cut_crop(picture, face.landmarks) if crops else None
        made.append(
            NewSample(
                face.embedding,
                0.8,
                "live",
                crop=crop.jpeg if crop else None,
                crop_landmarks=crop.landmarks if crop else None,
            )
        )
    return tuple(made)


class House:
    """People, and a change of models."""

    def __init__(self, people: People, load: Callable[[str], FaceModels] | None = None) -> None:
        self.people = people
        self.loaded: list[str] = []
        self.adopted: list[str] = []
        self.load = load or (lambda name: other_models())
        self.change = ModelChange(people, open_models(), self._load, self._adopt, 16)

    def _load(self, name: str) -> FaceModels:
        self.loaded.append(name)
        return self.load(name)

    async def _adopt(self, models: FaceModels) -> None:
        self.adopted.append(models.manifest.name)

    async def until(self, *states: str) -> None:
        async with asyncio.timeout(20):
            while (await self.change.status()).state not in states:  # noqa: ASYNC110 – as the page asks
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def house(path: Path, load: Callable[[str], FaceModels] | None = None) -> AsyncIterator[House]:
    people = await People.open(path, OLD, 128)
    opened = House(people, load)
    try:
        yield opened
    finally:
        await opened.change.close()
        await people.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite3"


def _asides(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return len(connection.execute(sa.select(table.OTHER.c.sample_id)).all())


def installed(_pack: object) -> None:
    return None


def test_a_kept_crop_gives_nearly_the_embedding_of_the_photo() -> None:
    for who in range(6):
        sample = samples(who)[0]
        assert sample.crop is not None
        assert sample.crop_landmarks is not None
        ((id, vector),) = embed_again(open_models(), [CroppedSample("x", sample.crop, sample.crop_landmarks)])
        assert id == "x"
        assert float(vector @ sample.embedding) > 0.985


def test_crops_that_cannot_be_read_are_left_out() -> None:
    good = samples(0)[0]
    assert good.crop is not None
    assert good.crop_landmarks is not None
    bad = [
        CroppedSample("empty", b"", good.crop_landmarks),
        CroppedSample("noise", b"\xff\xd8 no picture", good.crop_landmarks),
        CroppedSample("nan", good.crop, np.full((5, 2), np.nan, np.float32)),
        CroppedSample("point", good.crop, np.full((5, 2), 9, np.float32)),
    ]
    assert embed_again(open_models(), bad) == []


@only_sqlite
async def test_everything_is_embedded_anew_compared_and_switched(path: Path) -> None:
    async with house(path) as h:
        ada = await h.people.add_person("Ada", samples(0))
        bob = await h.people.add_person("Bob", samples(2))
        cleo = await h.people.add_person("Cleo", [NewSample(embedding(3), 0.8, "live")])
        await h.change.resume()
        assert (await h.change.status()).state == "none"
        await h.change.begin("buffalo_s", installed)
        await h.until("ready")
        status = await h.change.status()
        assert (status.done, status.total) == (4, 4)
        assert [(one.person, one.name, one.samples) for one in status.without_crop] == [(cleo.id, "Cleo", 1)]
        assert status.comparison is not None
        assert (status.comparison.samples, status.comparison.people) == (4, 2)
        assert status.comparison.new.rank1 == 1.0
        assert h.people.gallery.digest == OLD
        assert read_choice(path) is None

        late = await h.people.add_person("Dan", samples(5))  # enrolled between ready and switch
        await h.change.switch()
        assert h.adopted == ["buffalo_s"]
        gallery = h.people.gallery
        assert gallery.digest == NEW
        assert {p.id for p in gallery.people()} == {ada.id, bob.id, late.id}
        probe = sorted(read_photo(other_models(), group_photo()), key=lambda face: float(face.box[0]))
        for person, who in ((ada, 0), (bob, 2), (late, 5)):
            assert gallery.search(probe[who].embedding, 1).people[0].id == person.id
        assert read_choice(path) == "buffalo_s"
        assert h.change.models is other_models()
        assert (await h.change.status()).state == "switched"
        with pytest.raises(ChangeRefused):
            await h.change.switch()


async def test_the_way_back_finds_the_old_embeddings_as_they_were_without_crops_too(path: Path) -> None:
    async with house(path) as h:
        await h.people.add_person("Ada", samples(0))
        await h.people.add_person("Cleo", samples(2, crops=False))
        before = {row.id: row.embedding for row in await h.people.embeddings(OLD)}
        await h.change.begin("buffalo_s", installed)
        await h.until("ready")
        await h.change.switch()
        h.load = lambda name: open_models()
        await h.change.begin("open", installed)
        await h.until("ready")
        await h.change.switch()
        after = {row.id: row.embedding for row in await h.people.embeddings(OLD)}
        assert after.keys() == before.keys()
        for id, vector in before.items():
            np.testing.assert_array_equal(after[id], vector)
        assert len(h.people.gallery) == 2


async def test_a_restart_with_the_chosen_pack_or_another_uses_what_there_is(path: Path) -> None:
    async with house(path) as h:
        await h.people.add_person("Ada", samples(0))
        await h.change.begin("buffalo_s", installed)
        await h.until("ready")
        await h.change.switch()
    people = await People.open(path, NEW, 128)
    assert len(people.gallery) == 1
    await people.close()
    async with house(path) as h:  # started with the old pack after all
        await h.change.resume()
        assert len(h.people.gallery) == 1
        assert h.people.gallery.digest == OLD


async def test_a_change_goes_on_after_a_restart(path: Path) -> None:
    async with house(path) as h:
        await h.people.add_person("Ada", samples(0))
        await h.people.add_person("Bob", samples(2))
        first = await h.people.run(lambda store: table.waiting(store.engine, NEW, 1))
        found = embed_again(other_models(), first)
        await h.people.run(lambda store: table.keep(store.engine, NEW, found))
        await h.people.run(lambda store: table.set_next(store.engine, "buffalo_s"))
    async with house(path) as h:
        await h.change.resume()
        await h.until("ready")
        assert (await h.change.status()).done == 4
        await h.change.switch()
    async with house(path) as h:
        await h.change.resume()
        assert (await h.change.status()).state == "none"


async def test_cancelled_or_forgotten_on_the_way(path: Path) -> None:
    async with house(path) as h:
        ada = await h.people.add_person("Ada", samples(0))
        with pytest.raises(ChangeRefused):
            await h.change.cancel()
        await h.change.begin("buffalo_s", installed)
        with pytest.raises(ChangeRefused, match="going on"):
            await h.change.begin("buffalo_m", installed)
        await h.until("ready")
        assert await h.people.run(lambda store: _asides(store.engine)) == 2
        await h.people.forget(ada.id)
        assert await h.people.run(lambda store: _asides(store.engine)) == 0
        await h.change.cancel()
        assert (await h.change.status()).state == "cancelled"
        assert h.people.gallery.digest == OLD
        with pytest.raises(ChangeRefused):
            await h.change.switch()
    async with house(path) as h:
        await h.change.resume()
        assert (await h.change.status()).state == "none"
        assert h.loaded == []


async def test_what_cannot_be_had_says_what_to_do(path: Path) -> None:
    def absent(name: str) -> FaceModels:
        raise PackNotInstalled(f"pack {name!r} is not installed; get it with: visavis models pull {name}")

    async with house(path, absent) as h:
        for name, said in (("nothing", "known are"), ("open", "in use already")):
            with pytest.raises(ChangeRefused, match=said):
                await h.change.begin(name, installed)
        with pytest.raises(ChangeRefused, match="type this"):
            await h.change.begin("buffalo_s", lambda pack: "type this")
        await h.change.begin("buffalo_s", installed)
        await h.until("failed")
        assert "visavis models pull buffalo_s" in (await h.change.status()).words
        h.load = lambda name: other_models()
        await h.change.begin("buffalo_s", installed)
        await h.until("ready")


async def test_a_damaged_crop_is_counted_and_does_not_stand_in_the_way(path: Path) -> None:
    async with house(path) as h:
        await h.people.add_person("Ada", [*samples(0), replace(samples(0)[0], crop=b"broken")])
        await h.change.begin("buffalo_s", installed)
        await h.until("ready")
        status = await h.change.status()
        assert (status.done, status.total, status.unreadable) == (2, 3, 1)
        await h.change.switch()
        assert len(h.people.gallery) == 1


def test_the_comparison_says_which_is_better() -> None:
    random = np.random.default_rng(3)
    centres = random.normal(size=(12, 128))
    owners = np.repeat(np.arange(12), 4)

    def vectors(noise: float) -> np.ndarray:
        found = centres[owners] + noise * random.normal(size=(48, 128))
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    quality = np.full(48, 0.8, np.float32)
    found = compare(BothWays(owners, quality, vectors(0.8), vectors(0.4)), 16, PLAIN, PLAIN)
    assert "better than the old" in found.words
    assert found.new.d_prime > found.old.d_prime > 0  # type: ignore[operator]
    worse = compare(BothWays(owners, quality, vectors(0.4), vectors(0.8)), 16, PLAIN, PLAIN)
    assert "worse than the old" in worse.words
    empty = np.zeros((0, 1), np.float32)
    assert compare(BothWays(np.zeros(0, np.int64), quality[:0], empty, empty), 16, PLAIN, PLAIN).samples == 0


async def test_a_running_camera_keeps_numbers_and_names_through_the_switch(path: Path) -> None:
    async with house(path) as h:
        await h.people.add_person("Ada", samples(0))
        await h.people.add_person("Cleo", samples(2))
        pipeline = FramePipeline(open_models(), lambda: h.people.gallery)
        results, changed = [], 60
        await h.change.begin("buffalo_s", installed)
        await h.until("ready")
        for index in range(120):
            frame = Frame.from_image(camera_frame(group_photo(), index)[0], index / 30)
            result = pipeline.advance(frame)
            if index == changed:
                pipeline.change_models(other_models())
                await h.change.switch()  # between advance and look of one frame
            results.append(pipeline.look(frame) if result.keyframe else result)
        assert pipeline.models is other_models()
        before = {f.track: f.name for f in results[changed - 1].faces if f.identity is IdentityState.KNOWN}
        assert sorted(n for n in before.values() if n) == ["Ada", "Cleo"]
        for result in results[changed:]:
            said = {f.track: f.name for f in result.faces if f.identity is IdentityState.KNOWN}
            assert said == before
            assert {f.track for f in result.faces} == {f.track for f in results[changed - 1].faces}
        assert all(f.votes >= 1 for f in results[-1].faces if f.track in before)  # of the new models


class Thumbnails:
    """An embedder of another dimension: the chip in eight by eight grey values."""

    def __init__(self, spec: EmbedderSpec) -> None:
        self.spec = spec

    def embed(self, chips: Sequence[np.ndarray]) -> np.ndarray:
        small = [cv2.resize(chip.mean(2).astype(np.float32), (8, 8)).ravel() - 128 for chip in chips]
        return np.stack([v / np.linalg.norm(v) for v in small]).astype(np.float32)


async def test_packs_may_differ_in_dimension_also_while_a_camera_runs(path: Path) -> None:
    manifest = other_models().manifest
    manifest = replace(manifest, embedder=replace(manifest.embedder, dimension=64))
    manifest = replace(manifest, matching=replace(manifest.matching, population=None))
    thumbnails, plain = Thumbnails(manifest.embedder), Matcher(manifest.matching)
    models = replace(other_models(), manifest=manifest, embedder=thumbnails, matcher=plain)
    async with house(path, lambda name: models) as h:
        await h.people.add_person("Ada", samples(0))
        await h.people.add_person("Cleo", samples(2))
        pipeline = FramePipeline(open_models(), lambda: h.people.gallery)
        await h.change.begin("buffalo_s", installed)
        await h.until("ready")
        for index in range(60):
            if index == 30:
                pipeline.change_models(models)
                await h.change.switch()
                assert (h.people.gallery.dimension, len(h.people.gallery)) == (64, 2)
            result = pipeline.process(Frame.from_image(camera_frame(group_photo(), index)[0], index / 30))
        assert max(face.votes for face in result.faces) >= 1  # of the new models


# -- over HTTP -----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def served(change: ModelChange, folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application(middlewares=[problem_middleware])
    setup_model_change(app, change, folder)
    async with on_free_port(app) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        yield client


async def test_changing_over_http(path: Path) -> None:
    async with house(path) as h, served(h.change, models_folder()) as client:
        await h.people.add_person("Ada", samples(0))
        async with client.get("/api/v1/packs") as response:
            packs = await response.json()
        assert packs["current"] == "open"
        by_name = {pack["name"]: pack for pack in packs["packs"]}
        assert by_name["open"]["installed"]
        assert not by_name["buffalo_s"]["installed"]
        assert set(by_name["open"]) == {"name", "summary", "licence", "installed"}
        for bad in (b"{", b"[]", b'{"pack": 3}', b"\xff"):
            async with client.post("/api/v1/model-change", data=bad) as response:
                assert response.status == 400
        async with client.post("/api/v1/model-change", json={"pack": "buffalo_s"}) as response:
            assert response.status == 409
            assert "visavis models pull buffalo_s --accept-license" in (await response.json())["detail"]
        for request in (client.post("/api/v1/model-change/switch"), client.delete("/api/v1/model-change")):
            async with request as response:
                assert response.status == 409
        await h.change.begin("buffalo_s", installed)
        await h.until("ready")
        async with client.get("/api/v1/model-change") as response:
            body = await response.json()
        assert (body["state"], body["pack"], body["done"], body["total"]) == ("ready", "buffalo_s", 2, 2)
        assert body["without_crop"] == []
        assert set(body["comparison"]) == {"samples", "people", "old", "new", "words"}
        async with client.post("/api/v1/model-change/switch") as response:
            assert (await response.json())["state"] == "switched"
        async with client.get("/api/v1/packs") as response:
            assert (await response.json())["current"] == "buffalo_s"


def test_the_choice_is_read_without_a_store_too(tmp_path: Path) -> None:
    assert read_choice(tmp_path / "absent.sqlite3") is None
    (tmp_path / "broken.sqlite3").write_bytes(b"no database at all" * 100)
    assert read_choice(tmp_path / "broken.sqlite3") is None
