"""Forgetting on a whole server: with somebody before a camera, among strangers, in sightings, films, drafts and albums,
nothing of them is left anywhere, and the receipt says so. Interrupted at any step, it is finished at the next start."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.face_models import read_photo
from server.audit import AuditLog, SigningKey
from server.commands.people import people as people_command
from server.commands.receipt import receipt as receipt_command
from server.people import People
from server.people.forgetting import Forgetting, Holders
from server.people.gone import Found, Gone, remains
from server.people.receipts import BadReceipt, read_receipt, verify_receipt
from server.storage import NewSample, NoSuchPerson, PeopleStore
from server.storage import forgetting as table
from server.storage.audit import Asked, find
from server.storage.inbox import Sighting, Stranger, save
from server.storage.sightings import Seen, write
from server.vault.seal import keys_of
from server.videos.files import BOXES, PICTURES, TRACKS, Pick, ResultWriter, TrackRecord, read_tracks
from server.videos.sealing import VideoSeal, new_seal
from server.videos.videos import FILM, STATE
from tests.packs import models_folder, open_models
from tests.pictures import group_photo
from tests.server.loopback import Camera, Page
from tests.server.test_live_session import RATE, portrait
from tests.server.test_rooms_routes import Joined, until
from tests.server.test_storage import DIGEST, sample
from tests.server.whole import Whole, serving_all
from tests.stores import only_sqlite

pytestmark = pytest.mark.usefixtures("either_store")

NAME = "Augusta Ada King-Noel"
OTHER = "Grace Brewster Hopper"
CROP = b"\xff\xd8 a picture of Ada \xff\xd9" * 8
PACK = open_models().manifest.digest
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def face_of(picture: np.ndarray) -> np.ndarray:
    """The embedding of the most prominent face."""
    found = read_photo(open_models(), picture)
    return max(found, key=lambda face: float(face.box[2])).embedding


def like(embedding: np.ndarray, seed: int) -> np.ndarray:
    """The same face in another picture, as numbers."""
    noise = np.random.default_rng(seed).normal(0, 1, embedding.shape)
    mixed = embedding + 0.15 * noise / np.linalg.norm(noise)
    return (mixed / np.linalg.norm(mixed)).astype(np.float32)


@functools.cache
def ada_face() -> np.ndarray:
    return face_of(portrait(0)[0])


@functools.cache
def grace_face() -> np.ndarray:
    """Somebody else of the photo."""
    return face_of(portrait(3)[0])


def chip(picture: np.ndarray) -> bytes:
    """A picture of a sighting, cut as the recorder cuts it."""
    from server.live.strangers import cut_portrait

    face = max(read_photo(open_models(), picture), key=lambda one: float(one.box[2]))
    made = cut_portrait(picture, face.landmarks, 0.9)
    assert made is not None
    return made.jpeg


def seed(folder: Path) -> tuple[str, str]:
    """Two people, and the first among strangers, in sightings named and unnamed, and in a film beside the other."""
    ada, grace = ada_face(), grace_face()
    with contextlib.closing(PeopleStore(folder / "people.sqlite3")) as store:
        samples = [NewSample(like(ada, n), 0.8, "live", crop=CROP) for n in range(3)]
        one = store.add_person(NAME, samples, PACK)
        two = store.add_person(OTHER, [NewSample(like(grace, n), 0.8, "live") for n in range(3)], PACK)
        store.add_negative(one.id, like(grace, 9), PACK)
        store.rename(one.id, NAME + " II")
        store.rename(one.id, NAME)
        spans = [(LATER - timedelta(hours=n), LATER - timedelta(hours=n) + timedelta(minutes=5)) for n in range(4)]
        crops = [CROP, None, chip(portrait(0)[5]), chip(portrait(3)[5])]
        who = [one.id, two.id, None, None]
        seen = [
            Seen(uuid4().hex, person, "hall", "session", *span, 0.9, crop, 0.5)
            for person, span, crop in zip(who, spans, crops, strict=True)
        ]
        write(store.engine, seen, [], [])
        for number, face in enumerate((ada, grace)):
            stranger = Stranger(
                uuid4().hex, None, PACK, 1, LATER, LATER, (like(face, 20 + number),), (0.8,),
                None if number else CROP, None, 0.8, (Sighting(uuid4().hex, "session", LATER, LATER),),
            )  # fmt: skip
            save(store.engine, [stranger])
        id = uuid4().hex
        film(folder, new_seal(store.vault, id), like(ada, 30), like(grace, 31))
    return one.id, two.id


def film(folder: Path, seal: VideoSeal, *faces: np.ndarray) -> Path:
    """A film that is looked through: its tracks are these faces, all in the picture at the same time; its result."""
    place = folder / "videos" / seal.video
    result = place / "result"
    result.mkdir(parents=True)
    with (place / FILM).open("wb") as plain:
        film = seal.writer(plain)
        film.write(b"a film")
        film.close()
    said = {
        "id": seal.video, "file": "party.mp4", "bytes": 6, "created": LATER.isoformat(), "state": "done",
        "seconds": 9.0, "width": 64, "height": 48, "digest": PACK,
    }  # fmt: skip
    (place / STATE).write_bytes(seal.seal(json.dumps(said).encode(), STATE))
    with ResultWriter(result, seal) as writer:
        for number, face in enumerate(faces, 1):
            look = CROP if number == 1 else b"a look at somebody else"
            pick = Pick(writer.picture(f"{number}-0.jpg", look), 2.0, 0.9, 0, 0, 40, (0.0,) * 10)
            writer.picture(f"{number}.jpg", b"a whole picture of track %d" % number)
            writer.box(number, 2.0, np.array([0.1, 0.1, 0.2, 0.2], np.float32))
            writer.track(TrackRecord(number, ((1.0, 5.0),), 4, face, (pick,), f"{number}.jpg"))
    return result


def traces(folder: Path, *needles: bytes) -> list[str]:
    """Where in the data folder any of these bytes lie."""
    return [
        f"{path.relative_to(folder)}: {needle[:24]!r}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for needle in needles
        if needle in path.read_bytes()
    ]


def cells(folder: Path, person: str) -> list[bytes]:
    """A piece of everything that is sealed of somebody in tables."""
    asked = (
        "SELECT name FROM person WHERE id = ?",
        "SELECT embedding FROM sample WHERE person_id = ?",
        "SELECT crop FROM sample WHERE person_id = ?",
        "SELECT embedding FROM negative WHERE person_id = ?",
        "SELECT crop FROM seen WHERE person_id = ?",
    )
    with contextlib.closing(sqlite3.connect(folder / "people.sqlite3")) as database:
        return [blob[-40:] for query in asked for (blob,) in database.execute(query, [person]) if blob is not None]


class PeopleKeys:
    """The key of somebody, as the keyring has it."""

    def __init__(self, folder: Path, person: str) -> None:
        self._ring = folder / "keyring.sqlite3"
        with contextlib.closing(sqlite3.connect(folder / "people.sqlite3")) as database:
            (name,) = database.execute("SELECT name FROM person WHERE id = ?", [person]).fetchone()
        (id,) = keys_of(name)
        self.key = id.hex()
        assert not self.destroyed()

    def destroyed(self) -> bool:
        """Whether there is nothing left of it but its id."""
        with contextlib.closing(sqlite3.connect(self._ring)) as database:
            found = database.execute("SELECT wrapped FROM key WHERE id = ?", [bytes.fromhex(self.key)]).fetchall()
            return not [wrapped for (wrapped,) in found if wrapped is not None]


def needles() -> list[bytes]:
    """What must lie nowhere in the open."""
    ada = ada_face()
    vectors = [like(ada, seed) for seed in (0, 1, 2, 20, 30)]
    raw = [vector.astype("<f4").tobytes() for vector in vectors]
    return [NAME.encode(), NAME.lower().encode(), CROP[:24], *raw, *(base64.b64encode(numbers) for numbers in raw)]


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[tuple[Whole, str, str]]:
    ada, grace = seed(tmp_path)
    with serving_all(
        tmp_path,
        sightings=True,
        sightings_days=3650,
        sightings_crops=True,
        inbox_days=365,
        video_days=0,
        keep_crops=True,
    ) as whole:
        yield whole, ada, grace


def put(whole: Whole, path: str, name: str, data: bytes) -> Any:
    answer = whole.ask("POST", f"{path}?file={name}", data, Content_Type="image/jpeg")
    assert answer.status == 200, answer.body
    return answer.json


@only_sqlite
async def test_nothing_of_somebody_is_left_anywhere(whole: tuple[Whole, str, str]) -> None:
    server, ada, grace = whole

    def ask(path: str) -> Any:
        answer = server.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    assert traces(server.data, *needles()) == []  # it is sealed
    sealed = cells(server.data, ada)
    assert len(sealed) == 1 + 3 + 3 + 1 + 1
    assert len(traces(server.data, *sealed)) > 6  # some lie on two pages
    kept = PeopleKeys(server.data, ada)
    # drafts that hold her: a photo of hers under another name, and the whole group in an album
    ok, jpeg = cv2.imencode(".jpg", portrait(0)[0][..., ::-1])
    ok2, group = cv2.imencode(".jpg", group_photo()[..., ::-1])
    assert ok
    assert ok2
    draft = server.ask("POST", "/imports", {"review": "off"}).json["id"]
    put(server, f"/imports/{draft}/files", "holiday.jpg", jpeg.tobytes())
    put(server, f"/imports/{draft}/files", "group.jpg", group.tobytes())
    album = server.ask("POST", "/albums", {}).json["id"]
    assert put(server, f"/albums/{album}/files", "group.jpg", group.tobytes())
    server.ask("POST", f"/albums/{album}/arrange")
    faces_before = server.ask("GET", f"/albums/{album}").json["faces"]
    assert len(ask("/inbox")["strangers"]) == 2
    videos = ask("/videos")["items"]
    shown = ask(f"/videos/{videos[0]['id']}/result")["people"]
    assert {one["label"] for one in shown} == {NAME, OTHER}

    page = Page(Camera(portrait(0), RATE))
    joined = Joined(server, page)
    try:
        assert (await joined.begin("/whip")).status == 201
        session = joined.location.rpartition("/")[2]

        def named() -> Any:
            faces = server.ask("GET", f"/sessions/{session}").json["faces"]
            return [face["name"] for face in faces if face["identity"] == "known"]

        await until(lambda: named() == [NAME], 30)

        receipt = (await asyncio.to_thread(server.ask, "DELETE", f"/people/{ada}")).json["receipt"]

        assert await asyncio.to_thread(named) == []  # at once
        await asyncio.sleep(2.0)  # long enough to have been noted as a stranger again
        faces = (await asyncio.to_thread(server.ask, "GET", f"/sessions/{session}")).json["faces"]
        assert all(face["name"] is None and face["person"] is None for face in faces)
        assert len(ask("/inbox")["strangers"]) == 1
    finally:
        await page.close()

    counts = {one["what"]: one["count"] for one in receipt["erased"]}
    assert (counts["samples"], counts["crops"], counts["negatives"], counts["strangers"]) == (3, 3, 1, 1)
    assert counts["video tracks"] == 1
    assert counts["video pictures"] == 3  # a look, her frame, and the other's, in which she stands beside
    assert counts["unnamed sightings"] >= 1
    assert counts["sightings"] >= 1
    assert counts["changes"] >= 3
    assert counts["live tracks"] >= 1
    assert counts["faces in imports"] >= 1
    assert counts["faces in albums"] == 1
    assert counts["consents"] == 1
    assert NAME not in json.dumps(receipt)
    assert receipt["keys"] == {"count": 1, "ids": [kept.key]}
    assert kept.destroyed()
    assert [one["what"] for one in receipt["remains"]] == ["backups", "exports", "pages", "film"]
    assert verify_receipt(receipt) == SigningKey.open(server.data).fingerprint

    # every door
    for path in (
        "/people",
        "/changes",
        "/sightings",
        "/inbox",
        f"/videos/{videos[0]['id']}/result",
        f"/imports/{draft}",
    ):
        assert NAME not in server.ask("GET", path).body.decode()
    assert server.ask("GET", f"/people/{ada}").status == 404
    assert [one["label"] for one in ask(f"/videos/{videos[0]['id']}/result")["people"]] == [OTHER]
    assert ask(f"/albums/{album}")["faces"] == faces_before - 1
    assert all(row["person"] is None or row["person"]["id"] == grace for row in ask("/sightings")["items"])
    assert ask("/receipts")["items"] == [receipt]
    assert ask(f"/receipts/{receipt['id']}") == receipt
    assert ask("/audit/chain")["holds"]
    about = ask(f"/audit?subject={ada}")["items"]
    assert about[0]["action"] == "person.forgotten"
    assert (about[0]["actor"], about[0]["detail"]) == ("local", "asked")
    # every byte
    assert traces(server.data, *needles()) == []
    assert traces(server.data, *sealed) == []
    assert traces(server.data, *cells(server.data, grace)) != []
    assert server.ask("DELETE", f"/people/{ada}").status == 404
    assert server.ask("DELETE", f"/people/{grace}?films=2").status == 400
    films = server.ask("DELETE", f"/people/{grace}?films=1").json["receipt"]
    assert {"what": "films", "count": 1} in films["erased"]
    assert ask("/videos")["items"] == []
    assert list((server.data / "videos").iterdir()) == []


def test_everything_about_one_person_is_one_file(whole: tuple[Whole, str, str]) -> None:
    server, ada, _ = whole
    server.ask("GET", f"/people/{ada}")
    answer = server.ask("GET", f"/people/{ada}/export")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        said, numbers = (json.loads(archive.read(name)) for name in ("person.json", "numbers.json"))
        names = set(archive.namelist()) - {"person.json", "numbers.json"}
        pictures = {archive.read(name)[:24] for name in names if name.startswith("pictures/")}
    assert said["person"]["held"]["name"] == NAME
    assert len(said["samples"]["held"]) == len(numbers["samples"]) == 3
    stored = np.array(numbers["samples"][said["samples"]["held"][0]["id"]], np.float32)
    assert any(np.allclose(stored, like(ada_face(), n), atol=1e-6) for n in range(3))
    assert pictures == {CROP[:24]}
    assert len(said["sightings"]["held"]) == 1
    assert [entry["intervals"] for entry in said["videos"]["held"]] == [[[1.0, 5.0]]]
    assert {row["action"] for row in said["audit"]["held"]} >= {"person.viewed"}
    assert any("renamed" in change["words"] for change in said["changes"]["held"])
    told = {entry["picture"] for part in ("samples", "sightings") for entry in said[part]["held"]} - {None}
    assert names == told | {name for entry in said["videos"]["held"] for name in entry["pictures"]}
    (consent,) = said["consents"]["held"]
    assert (consent["basis"], consent["state"]) == ("not_recorded", "not_recorded")
    for part in ("samples", "consents", "sightings", "changes", "audit", "videos"):
        assert all(set(entry) <= set(said[part]["fields"]) for entry in said[part]["held"]), part
    assert OTHER not in json.dumps(said)
    assert server.ask("GET", f"/people/{'0' * 32}/export").status == 404
    assert server.ask("GET", "/people/x/export").status == 404
    assert server.ask("GET", f"/audit?subject={ada}").json["items"][0]["action"] == "person.exported"


# -- receipts ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def small(tmp_path: Path) -> Any:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, 128)
    key = SigningKey.open(tmp_path)
    audit = await AuditLog.open(people, key, 730)
    yield people, key, audit
    await audit.close()
    await people.close()


def forgetting(small: Any, *kept: Any, memory: tuple[Any, ...] = ()) -> Forgetting:
    people, key, audit = small
    return Forgetting(people, lambda: open_models().matcher, key, audit, Holders(kept, memory))


async def test_a_receipt_that_was_changed_in_anything_does_not_hold(small: Any, tmp_path: Path) -> None:
    person = await small[0].add_person("Ada", [sample(1), sample(2)])
    receipt = await forgetting(small).forget(person.id, "account:1", reason="withdrawn")
    text = json.dumps(receipt)
    assert verify_receipt(read_receipt(text)) == small[1].fingerprint
    changes: list[Callable[[Any], Any]] = [
        lambda r: r | {"person": "0" * 32},
        lambda r: r | {"at": "2020-01-01T00:00:00+00:00"},
        lambda r: r | {"erased": [*r["erased"], {"what": "films", "count": 9}]},
        lambda r: r | {"remains": []},
        lambda r: r | {"by": "local"},
        lambda r: r | {"keys": {"count": 1, "ids": ["x"]}},
        lambda r: r | {"signature": r["signature"][:-4] + "AAA="},
        lambda r: r | {"signature": ""},
        lambda r: r | {"signature": None},
        lambda r: r | {"key": r["key"] | {"fingerprint": "0" * 64}},
        lambda r: r | {"key": r["key"] | {"public": "AAAA"}},
        lambda r: r | {"key": "x"},
        lambda r: r | {"version": 2},
        lambda r: r | {"more": 1},
        lambda r: {name: value for name, value in r.items() if name != "remains"},
        lambda r: [r],
        lambda r: None,
    ]
    for change in changes:
        with pytest.raises(BadReceipt):
            verify_receipt(change(json.loads(text)))
    for nonsense in (
        "",
        "{",
        "NaN",
        "[" * 100_000,
        text.replace('"by"', '"by": "x", "by"'),
        "\ud800".encode("utf-8", "surrogatepass"),
    ):
        with pytest.raises(BadReceipt):
            verify_receipt(read_receipt(nonsense))

    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(receipt, indent=2))

    def verify(*more: str) -> Any:
        return CliRunner().invoke(receipt_command, ["verify", str(file), *more])

    assert verify("--data-dir", str(tmp_path)).exit_code == 0
    assert json.loads(verify("--data-dir", str(tmp_path), "--json").output)["person"] == person.id
    assert verify("--data-dir", str(tmp_path / "elsewhere")).exit_code == 1  # whose key it is cannot be told
    assert verify("--data-dir", str(tmp_path / "elsewhere"), "--key", small[1].fingerprint).exit_code == 0
    assert "signed by another key" in verify("--key", "0" * 64).output
    file.write_text(text.replace('"samples"', '"crops"'))
    assert "was changed" in verify("--data-dir", str(tmp_path)).output


async def test_somebody_forged_a_receipt_with_a_key_of_their_own(small: Any, tmp_path: Path) -> None:
    person = await small[0].add_person("Ada", [sample(1)])
    other = tmp_path / "other"
    other.mkdir()
    people, _, audit = small
    forged = await Forgetting(people, lambda: open_models().matcher, SigningKey.open(other), audit).forget(
        person.id, "x"
    )
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(forged))
    said = CliRunner().invoke(receipt_command, ["verify", str(file), "--data-dir", str(tmp_path)])
    assert (said.exit_code, "another key" in said.output) == (1, True)


# -- interruptions -----------------------------------------------------------------------------------------------------


class Killed(Exception):
    """As if the process had ended here."""


class Shelf:
    """A place that holds three things of somebody until it is emptied."""

    def __init__(self, fails: str = "") -> None:
        self.things = 3
        self.fails = fails

    async def find(self, gone: Gone) -> Found:
        async def erase() -> dict[str, int]:
            if self.fails == "before":
                raise Killed
            self.things = 0
            if self.fails == "after":
                raise Killed
            return {}

        if self.fails == "looking":
            raise Killed
        left = [remains("film", "somewhere", "later")] if self.things else []
        return Found({"things": self.things}, erase, left)


@pytest.mark.parametrize("stage", ["looking", "before", "after", "rows", "memory", "receipt"])
async def test_what_was_interrupted_is_finished_at_the_next_start(
    small: Any, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, _, _ = small
    person = await people.add_person("Ada", [sample(1), sample(2)])
    await people.add_person("Grace", [sample(3)])
    shelf, memory = Shelf(stage if stage in ("looking", "before", "after") else ""), Shelf("before")
    first = forgetting(small, shelf, memory=(memory,) if stage == "memory" else ())
    if stage in ("rows", "receipt"):

        async def fails(*_: Any) -> Any:
            raise Killed

        monkeypatch.setattr(*((People, "forget", fails) if stage == "rows" else (first, "_finish", fails)))
    with pytest.raises(Killed):
        await first.forget(person.id, "local")
    monkeypatch.undo()
    assert await people.run(lambda store: table.receipts(store.engine, 5)) == []
    shelf.fails = ""
    (receipt,) = await forgetting(small, shelf).resume()
    assert (receipt["person"], receipt["by"], shelf.things) == (person.id, "local", 0)
    assert {"what": "things", "count": 3} in receipt["erased"]  # counted before it was erased, once
    assert {"what": "samples", "count": 2} in receipt["erased"]
    assert remains("film", "somewhere", "later") in receipt["remains"]
    assert [row.name for row in await people.list()] == ["Grace"]
    assert await people.run(lambda store: table.intentions(store.engine)) == []
    assert await forgetting(small, shelf).resume() == []
    rows = await people.run(lambda store: find(store.engine, Asked(action="person.forgotten"), 5))
    assert [row.said.subject for row in rows] == [person.id]


async def test_what_another_node_may_be_about_is_left_to_it(small: Any) -> None:
    person = await small[0].add_person("Ada", [sample(1)])
    with pytest.raises(Killed):
        await forgetting(small, Shelf("before")).forget(person.id, "local")
    now = datetime.now(UTC)
    assert await forgetting(small, Shelf()).resume(now - timedelta(minutes=10)) == []
    assert len(await forgetting(small, Shelf()).resume(now + timedelta(minutes=1))) == 1


async def test_what_cannot_be_finished_keeps_no_server_from_starting(
    small: Any, caplog: pytest.LogCaptureFixture
) -> None:
    person = await small[0].add_person("Ada", [sample(1)])
    with pytest.raises(Killed):
        await forgetting(small, Shelf("before")).forget(person.id, "local")
    assert await forgetting(small, Shelf("before")).resume() == []
    assert "somebody could not be forgotten yet: Killed" in caplog.text
    assert len(await forgetting(small, Shelf()).resume()) == 1


async def test_whoever_asks_may_leave_and_it_is_done(small: Any) -> None:
    person = await small[0].add_person("Ada", [sample(1)])
    asked = asyncio.create_task(forgetting(small).forget(person.id, "local"))
    await asyncio.sleep(0)
    asked.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asked
    async with asyncio.timeout(10):
        while not await small[0].run(lambda store: table.receipts(store.engine, 5)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_two_who_ask_at_once_get_one_receipt_and_a_refusal(small: Any) -> None:
    person = await small[0].add_person("Ada", [sample(1)])
    both = forgetting(small)
    done = await asyncio.gather(*(both.forget(person.id, "local") for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["NoSuchPerson", "dict"]
    with pytest.raises(NoSuchPerson):
        await both.forget("0" * 32, "local")


async def test_who_was_removed_before_is_compared_all_the_same(small: Any) -> None:
    people = small[0]
    person = await people.add_person("Ada", [sample(1), sample(2)])
    await people.remove_person(person.id)
    seen: list[Gone] = []

    class Watching:
        async def find(self, gone: Gone) -> Found:
            seen.append(gone)
            return await Shelf().find(gone)

    await forgetting(small, Watching()).forget(person.id, "server", reason="expired")
    assert seen[0].template is not None
    assert seen[0].alike(sample(1).embedding) == (
        seen[0].matcher.similarity(seen[0].template, sample(1).embedding) >= seen[0].matcher.threshold(1)
    )


# -- films -------------------------------------------------------------------------------------------------------------


def test_a_film_keeps_what_is_not_theirs(tmp_path: Path) -> None:
    from server.videos.letting_go import erase_tracks

    seal = VideoSeal.passing()
    result = film(tmp_path, seal, ada_face(), grace_face())
    erase_tracks(result, seal, {1}, {"1-0.jpg", "1.jpg", "2.jpg"})
    (left,) = read_tracks(result, seal)
    assert (left.number, left.frame, len(left.picks)) == (2, None, 1)
    assert sorted(path.name for path in (result / PICTURES).iterdir()) == ["2-0.jpg"]
    assert {path.name for path in result.iterdir()} == {TRACKS, BOXES, PICTURES}
    erase_tracks(result, seal, {1}, {"1-0.jpg"})  # a second time does no harm
    assert len(read_tracks(result, seal)) == 1


# -- the command line --------------------------------------------------------------------------------------------------


@only_sqlite
def test_the_command_line_forgets_and_collects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    ada, _ = seed(data)
    sealed = cells(data, ada)
    assert len(traces(data, *sealed)) > 6
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(data))
    monkeypatch.setenv("VISAVIS_INBOX_DAYS", "365")

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(people_command, [*arguments, "--models-dir", str(models_folder())])

    zipped = tmp_path / "ada.zip"
    assert run("data", NAME, str(zipped)).exit_code == 0
    assert zipped.stat().st_mode & 0o777 == 0o600
    assert "there already" in run("data", NAME, str(zipped)).output
    assert "nobody of this name" in run("data", "Zoe", str(tmp_path / "z.zip")).output
    asked = CliRunner().invoke(people_command, ["forget", NAME, "--models-dir", str(models_folder())], input="n\n")
    assert asked.exit_code == 1
    target = tmp_path / "receipt.json"
    done = run("forget", NAME, "--yes", "--receipt", str(target))
    assert done.exit_code == 0, done.output
    receipt = json.loads(target.read_text())
    assert (receipt["person"], receipt["by"]) == (ada, "command line")
    counts = {one["what"]: one["count"] for one in receipt["erased"]}
    assert (counts["strangers"], counts["video tracks"]) == (1, 1)
    assert "a running server's memory" in [one["what"] for one in receipt["remains"]]
    assert traces(data, *needles(), *sealed) == []
    assert CliRunner().invoke(receipt_command, ["verify", str(target)]).exit_code == 0
    assert run("forget", NAME, "--yes").exit_code == 1
