"""What is held: every table and every file belongs to a kind, and each is counted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from server.people import People
from server.retention.held import Held, Retention, counted, in_files
from server.retention.kinds import KINDS, RULES, STORE
from server.settings import ROWS, Settings
from server.storage import PeopleStore
from server.storage.sightings import Seen, write
from server.vault.seal import OVERHEAD
from tests.server.test_storage import DIGEST
from tests.server.whole import JPEG, Whole, seed, serving_all

STATIC = Path(__file__).resolve().parents[2] / "static" / "data" / "words.js"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("whole")
    (ada,) = seed(folder, "Ada")
    with contextlib.closing(PeopleStore(folder / "people.sqlite3")) as store:
        old = datetime.now(UTC) - timedelta(days=40)
        now = datetime.now(UTC)
        rows = [Seen(uuid4().hex, ada, None, "s", at, at, 0.9, crop, 0.5) for at, crop in ((old, None), (now, JPEG))]
        write(store.engine, rows, [], [])
    with serving_all(folder, sightings=True, sightings_days=30) as whole:
        yield whole


def test_every_table_belongs_to_a_kind(whole: Whole) -> None:
    with contextlib.closing(PeopleStore(whole.data / "people.sqlite3")) as store:
        tables = set(sa.inspect(store.engine).get_table_names())
    known = {table for kind in KINDS for table in kind.tables}
    assert tables - known == set(), "server/retention/kinds.py says how long each is kept"
    assert known - tables == set()


def test_every_file_of_the_data_folder_belongs_to_a_kind(whole: Whole) -> None:
    known = {name for kind in KINDS for name in kind.files} | set(STORE)
    assert {path.name for path in whole.data.iterdir()} - known == set()


def test_kinds_name_settings_there_are_and_the_page_has_words_for_each() -> None:
    words = STATIC.read_text("utf-8")
    assert len({kind.id for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert {kind.setting, kind.switch} - {None} <= ROWS.keys()
        assert kind.rule in RULES
        assert f"      {kind.id}: [" in words, kind.id
        assert f'case "{kind.rule}":' in words or kind.rule == "none"
        assert (kind.rule in ("days", "minutes")) == (kind.setting is not None or kind.amount is not None)


def test_what_is_held_is_counted(whole: Whole) -> None:
    answer = whole.ask("GET", "/data")
    assert answer.status == 200
    kinds = {kind["id"]: kind for kind in answer.json["kinds"]}
    assert answer.json["folder"] == str(whole.data)
    assert (kinds["people"]["count"], kinds["samples"]["count"], kinds["crops"]["count"]) == (1, 3, 1)
    assert kinds["samples"]["bytes"] >= 3 * 128 * 4
    assert kinds["crops"]["bytes"] == len(JPEG) + OVERHEAD
    assert kinds["sightings"]["count"] == 1  # the old one was erased as the server started
    assert (kinds["sighting_crops"]["count"], kinds["sighting_crops"]["on"]) == (1, False)
    assert (kinds["audit"]["setting"], kinds["audit"]["amount"]) == ("audit_days", 730)
    assert kinds["logs"]["count"] is None
    assert kinds["secrets"]["count"] >= 2
    (erased,) = whole.ask("GET", "/audit?action=retention.erased").json["items"]
    assert (erased["actor"], erased["detail"], erased["count"]) == ("server", "sightings", 1)


def test_only_who_may_manage_the_server_sees_it(whole: Whole) -> None:
    reader, admin = whole.make_key("read", "people"), whole.make_key("admin")
    for path in ("/data", "/audit", "/audit/chain", "/receipts"):
        assert whole.ask("GET", path, lan=True, key=reader).status == 403
        assert whole.ask("GET", path, lan=True, key=admin).status == 200


async def test_a_kind_that_is_not_there_is_refused(tmp_path: Path) -> None:
    people = await People.open(tmp_path / "people.sqlite3", DIGEST, 128)

    async def held() -> Held:
        return Held(1, 2, None)

    with pytest.raises(ValueError, match="no kind 'ghosts'"):
        Retention(people, Settings(data_dir=tmp_path), {"ghosts": held})
    shown = await Retention(people, Settings(data_dir=tmp_path), {"live": held}).today()
    assert next(kind for kind in shown if kind["id"] == "live")["count"] == 1
    kind = next(kind for kind in KINDS if kind.id == "samples")
    assert await people.run(lambda store: counted(store, replace(kind, only=("embedding",)))) == Held(0, 0, None)
    await people.close()


def test_files_are_counted(tmp_path: Path) -> None:
    assert in_files([tmp_path / "nothing"]) == Held(0, 0, None)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"123")
    held = in_files([tmp_path / "a", tmp_path / "a" / "b"])
    assert (held.count, held.bytes) == (2, 6)
