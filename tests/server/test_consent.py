"""Why somebody may be recognised: what is taken for it, when it ends, and that nobody is named a moment longer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from server.commands.people import people as people_command
from server.people import People, PeopleOptions, records
from server.people.consent import BadConsent, Terms, end_of, ends_soon
from server.people.grace import STEADY, Grace
from server.storage import ConsentMissing, NewConsent, NewPerson, PeopleStore, Recording, consents
from server.storage.engine import writing
from tests.server.test_storage import DIGEST, embedding, sample
from tests.stores import only_sqlite

pytestmark = pytest.mark.usefixtures("either_store")

START = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def agreed(expires: datetime | None = None, basis: Any = "consent") -> NewConsent:
    return NewConsent("At the door", basis, START.date(), expires)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[PeopleStore]:
    with contextlib.closing(PeopleStore(path)) as opened:
        yield opened


@contextlib.asynccontextmanager
async def opened(path: Path, clock: Clock, *, require: bool = False) -> AsyncIterator[People]:
    people = await People.open(path, DIGEST, 128, PeopleOptions(terms=Terms(require), clock=clock))
    try:
        yield people
    finally:
        await people.close()


async def until(question: Any, what: str, seconds: float = 2.0) -> float:
    """Wait for something; how long it took."""
    began = time.monotonic()
    while not question():
        assert time.monotonic() - began < seconds, what
        await asyncio.sleep(0.005)
    return time.monotonic() - began


# -- what is taken -----------------------------------------------------------------------------------------------------


def test_a_reason_is_read_and_what_is_missing_is_filled_in() -> None:
    said = Terms(days=10).read({"purpose": "  At  the\tdoor ", "basis": "contract"}, START)
    today = START.astimezone().date()
    assert said == NewConsent("At the door", "contract", today, end_of(today + 10 * DAY))
    assert Terms(days=0).read({"purpose": "x", "basis": "consent"}, START).expires is None
    assert Terms().read({"purpose": "x", "basis": "consent", "expires": None}, START).expires is None
    timed = Terms().read({"purpose": "x", "basis": "consent", "expires": "2027-01-01T01:00:00+01:00"}, START)
    assert timed.expires == datetime(2027, 1, 1, tzinfo=UTC)
    daily = Terms().read({"purpose": "x", "basis": "consent", "given": "2026-11-01", "expires": "2026-12-24"}, START)
    assert (daily.given, daily.expires) == (date(2026, 11, 1), end_of(date(2026, 12, 24)))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "object"), ([], "object"), ("consent", "object"), (True, "object"),
        ({"purpose": "x"}, "basis"), ({"purpose": "x", "basis": "not_recorded"}, "basis"),
        ({"purpose": "x", "basis": ["consent"]}, "basis"), ({"purpose": "x", "basis": "Consent"}, "basis"),
        ({"basis": "consent"}, "purpose"), ({"purpose": 7, "basis": "consent"}, "purpose"),
        ({"purpose": " \t", "basis": "consent"}, "1 to 200"), ({"purpose": "x" * 201, "basis": "consent"}, "1 to 200"),
        ({"purpose": "a\x00b", "basis": "consent"}, "control"),
        ({"purpose": "a\u202eb", "basis": "consent"}, "control"),
        ({"purpose": "a\ud800", "basis": "consent"}, "control"),
        ({"purpose": "x", "basis": "consent", "given": "2026-11-30"}, "to come"),
        ({"purpose": "x", "basis": "consent", "given": "1899-12-31"}, "1900"),
        ({"purpose": "x", "basis": "consent", "given": "2026-02-30"}, "a day"),
        ({"purpose": "x", "basis": "consent", "given": "20261128"}, "a day"),
        ({"purpose": "x", "basis": "consent", "given": 20261128}, "a day"),
        ({"purpose": "x", "basis": "consent", "expires": "2026-11-27"}, "later than"),
        ({"purpose": "x", "basis": "consent", "given": "2026-11-01", "expires": "2026-11-27"}, "over already"),
        ({"purpose": "x", "basis": "consent", "given": "2020-01-01"}, "over already"),
        ({"purpose": "x", "basis": "consent", "expires": "2037-01-01"}, "ten years"),
        ({"purpose": "x", "basis": "consent", "expires": "9999-12-31"}, "9998"),
        ({"purpose": "x", "basis": "consent", "expires": "2027-01-01T00:00:00"}, "zone"),
        ({"purpose": "x", "basis": "consent", "expires": "soon"}, "null for never"),
        ({"purpose": "x", "basis": "consent", "expires": 0}, "null for never"),
        ({"purpose": "x", "basis": "consent", "expires": "0001-01-01T00:00:00+14:00"}, "null for never"),
        ({"purpose": "x", "basis": "consent", "until": "2027-01-01"}, "no field 'until'"),
    ],
)  # fmt: skip
def test_what_is_no_reason_is_refused_in_words(said: Any, words: str) -> None:
    with pytest.raises(BadConsent, match=words):
        Terms().read(said, START)


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_enrolment_and_its_reason_are_kept_together_or_not_at_all(store: PeopleStore) -> None:
    how = Recording(True, "account:7", START)
    with pytest.raises(ConsentMissing, match="Bob"):
        store.enrol([NewPerson("Ada", (sample(1),), consent=agreed()), NewPerson("Bob", (sample(2),))], DIGEST, how)
    assert store.people() == []
    added = store.enrol([NewPerson("Ada", (sample(1),), consent=agreed(START + DAY))], DIGEST, how)
    (row,) = store.people()
    assert row.consent is not None
    kept = (row.consent.purpose, row.consent.basis, row.consent.given, row.consent.expires, row.consent.recorded_by)
    assert kept == ("At the door", "consent", START.date(), START + DAY, "account:7")
    more = [NewPerson("", (sample(3),), id=added.people[0].id)]
    store.enrol(more, DIGEST, how)  # there is a reason already
    late = Recording(False, "account:7", START + 2 * DAY)
    with pytest.raises(ConsentMissing, match="any more"):
        store.enrol(more, DIGEST, late)
    assert store.people()[0].samples == 2


def test_where_it_is_only_asked_for_nothing_said_is_written_down(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1)], DIGEST)
    (record,) = store.read(consents.history, ada.id)
    assert (record.basis, record.purpose, record.expires, record.recorded_by) == (
        "not_recorded", "recognition", None, "server",
    )  # fmt: skip
    assert (record.allows(START), record.holds(START)) == (True, False)
    with pytest.raises(ConsentMissing):  # once it has to be said, it has to be said of her, too
        store.enrol([NewPerson("", (sample(2),), id=ada.id)], DIGEST, Recording(True))


def test_records_are_followed_never_changed(store: PeopleStore) -> None:
    ada = store.add_person("Ada", [sample(1)], DIGEST)
    consents.record(store.engine, ada.id, agreed(), Recording(by="one", at=START))
    consents.withdraw(store.engine, ada.id, Recording(by="two", at=START - DAY))  # the clock was set back
    with pytest.raises(ValueError, match="already"):
        consents.withdraw(store.engine, ada.id)
    history = store.read(consents.history, ada.id)
    assert [record.recorded_by for record in history] == ["two", "one", "server"]
    assert [record.state(START) for record in history] == ["withdrawn", "holds", "not_recorded"]
    assert store.read(consents.newest)[ada.id] == history[0]
    with pytest.raises(sa.exc.IntegrityError, match="never changed"), writing(store.engine) as connection:
        connection.execute(consents.CONSENT.update().values(basis="consent"))
    store.forget(ada.id)
    assert store.read(consents.history, ada.id) == []


@only_sqlite
def test_people_of_before_have_a_record_that_says_nobody_said_it(path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(consents.__file__).parents[1] / "migrations"))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
        row = {"id": "a" * 32, "name": "Ada", "key": "ada", "created": "2026-01-02 03:04:05.000000"}
        connection.execute(
            sa.text("INSERT INTO person (id, name, name_key, created) VALUES (:id, :name, :key, :created)"), row
        )
    engine.dispose()
    with contextlib.closing(PeopleStore(path)) as store:
        (row_of,) = store.people()
        record = row_of.consent
        assert record is not None
        assert (record.basis, record.given, record.expires) == ("not_recorded", date(2026, 1, 2), None)
        assert record.recorded_by == "migration"
        assert record.allows(START)


# -- time --------------------------------------------------------------------------------------------------------------


async def test_somebody_whose_time_is_over_is_left_out_at_once_and_back_when_renewed(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock, require=True) as people:
        ada = await people.add_person("Ada", [sample(1)], None, agreed(START + DAY))
        bob = await people.add_person("Bob", [sample(2)], "attic", agreed(basis="contract"))
        told: list[int] = []
        people.subscribe(told.append)
        assert (people.lawful(ada.id), people.consented(ada.id)) == (True, True)
        assert (people.lawful(bob.id), people.consented(bob.id)) == (True, False)
        assert (people.lawful("0" * 32), people.consented("0" * 32)) == (False, False)
        # The store is busy with something long: nobody is named for that.
        go = threading.Event()
        busy = asyncio.create_task(people.run(lambda _store: go.wait(10)))
        clock.now = START + DAY
        took = await until(lambda: people.gallery.person(ada.id) is None, "Ada is still recognised")
        assert took < 1
        go.set()
        await busy
        assert told == [0]
        assert (people.lawful(ada.id), people.consented(ada.id)) == (False, False)
        (row, _) = await people.list()
        assert (row.name, row.consent is not None and row.consent.state(clock.now)) == ("Ada", "over")
        assert people.gallery_of("attic").person(bob.id) is not None
        with pytest.raises(ConsentMissing):
            await people.add_samples(ada.id, [sample(3)])
        with pytest.raises(ValueError, match="before merging"):
            await people.merge(ada.id, bob.id)
        await records.record(people, ada.id, agreed(clock.now + DAY), "account:1")
        assert people.gallery.person(ada.id) is not None
        assert people.consented(ada.id)
        await records.withdraw(people, ada.id, "account:1")
        assert people.gallery.person(ada.id) is None
        clock.now = START  # what was withdrawn stays so, whatever the clock says
        await asyncio.sleep(0.05)
        assert not people.lawful(ada.id)
        await people.add_samples(ada.id, [sample(3)], agreed())  # saying it anew with more pictures renews, too
        assert people.gallery.person(ada.id) is not None


async def test_a_clock_that_goes_back_and_forth_is_followed(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock) as people:
        ids = [(await people.add_person(f"P{n}", [sample(n)], None, agreed(START + n * DAY))).id for n in range(1, 4)]

        async def named_at(now: datetime, *wanted: int) -> None:
            clock.now = now
            want = {ids[n - 1] for n in wanted}
            await until(lambda: {p.id for p in people.gallery.people()} == want, f"at {now}: {wanted}", 3)

        await named_at(START + 1.5 * DAY, 2, 3)
        await named_at(START + 9 * DAY)
        await named_at(START + 2 * DAY, 3)  # the very moment it ends
        await named_at(START - 300 * DAY, 1, 2, 3)
        await named_at(START + 3 * DAY - timedelta(microseconds=1), 3)
        # Set back while somebody is written who is judged by the time before.
        clock.now = START
        await people.add_person("P4", [sample(4)], None, agreed(START + DAY / 2))
        await until(lambda: len(people.gallery) == 4, "all are back", 3)
        vectors = people.gallery.template(ids[0])
        assert vectors is not None
        assert float(vectors @ embedding(1)) > 0.99  # and are themselves


async def test_the_end_is_met_to_the_moment(path: Path) -> None:
    async with opened(path, lambda: datetime.now(UTC)) as people:  # type: ignore[arg-type]
        ends = datetime.now(UTC) + timedelta(seconds=0.7)
        ada = await people.add_person("Ada", [sample(1)], None, agreed(ends))
        assert people.gallery.person(ada.id) is not None
        await until(lambda: people.gallery.person(ada.id) is None, "over")
        assert 0 <= (datetime.now(UTC) - ends).total_seconds() < 0.25


@only_sqlite
async def test_who_withdrew_in_another_process_is_not_named_two_seconds_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(path.parent))
    async with opened(path, Clock()) as people:
        ada = await people.add_person("Ada", [sample(1)], None, agreed())
        done = await asyncio.to_thread(CliRunner().invoke, people_command, ["withdraw", "ada"])
        assert (done.exit_code, done.output.startswith("ada is not recognised any more")) == (0, True), done.output
        await until(lambda: people.gallery.person(ada.id) is None, "Ada is still recognised", 2)
        assert not people.lawful(ada.id)
        again = await asyncio.to_thread(CliRunner().invoke, people_command, ["withdraw", "Ada"])
        assert (again.exit_code, "already" in again.output) == (1, True)
        renewed = await asyncio.to_thread(
            CliRunner().invoke, people_command, ["renew", "Ada", "--purpose", "Door", "--expires", "never"]
        )
        assert renewed.exit_code == 0, renewed.output
        await until(lambda: people.gallery.person(ada.id) is not None, "Ada is not back", 2)
        shown = await asyncio.to_thread(CliRunner().invoke, people_command, ["consents", "Ada", "--json"])
        assert [one["state"] for one in json.loads(shown.output)["consents"]] == ["holds", "withdrawn", "holds"]


@only_sqlite
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["withdraw", "Nobody"], "nobody called Nobody"),
        (["consents", "Ada", "--room", "a b"], "room"),
        (["renew", "Ada", "--expires", "yesterday"], "null for never"),
        (["renew", "Ada", "--basis", "because"], "because"),
        (["renew", "Ada", "--purpose", " "], "1 to 200"),
        (["import", ".", "--purpose", "x"], "need --basis"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_said(
    store: PeopleStore, path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(path.parent))
    store.add_person("Ada", [sample(1)], DIGEST)
    done = CliRunner().invoke(people_command, arguments)
    assert done.exit_code != 0
    assert words in done.output


@only_sqlite
async def test_days_later_they_are_erased_unless_renewed_and_never_by_a_clock_that_was_set(path: Path) -> None:
    clock, counted = Clock(), [0.0]
    erased: list[tuple[str, str]] = []

    def passes(time: timedelta) -> None:
        clock.now += time
        counted[0] += time.total_seconds()

    async with opened(path, clock) as people:
        ada = await people.add_person("Ada", [sample(1)], None, agreed(START + DAY))
        bob = await people.add_person("Bob", [sample(2)], None, agreed(START + DAY))
        cleo = await people.add_person("Cleo", [sample(3)], None, agreed())
        await people.add_person("Dan", [sample(4)])  # not recorded

        async def erase(person_id: str, reason: str) -> None:
            erased.append((person_id, reason))
            await people.forget(person_id)

        grace = Grace(people, 30, erase, lambda: counted[0])
        try:
            await grace.look()
            clock.now += 4000 * DAY  # set wrong: time has not passed
            await until(lambda: people.gallery.person(ada.id) is None, "over")
            assert await grace.look() == 0
            passes(timedelta(seconds=STEADY - 1))
            assert await grace.look() == 0
            clock.now -= 4000 * DAY  # and put right
            assert await grace.look() == 0
            await until(lambda: people.gallery.person(ada.id) is not None, "back")
            await records.withdraw(people, cleo.id, "server")
            passes(30 * DAY)
            await until(lambda: people.gallery.person(ada.id) is None, "over")
            assert await grace.look() == 1  # Cleo's thirty days are over, Ada's and Bob's are not
            assert erased == [(cleo.id, "withdrawn")]
            await records.record(people, bob.id, agreed(), "server")
            passes(DAY)
            assert await grace.look() == 1
            assert erased == [(cleo.id, "withdrawn"), (ada.id, "expired")]
            assert [row.name for row in await people.list()] == ["Bob", "Dan"]
        finally:
            await grace.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM consent WHERE person_id = ?", [ada.id]).fetchone() == (0,)
    connection.close()


async def test_without_days_of_grace_they_are_erased_when_the_clock_is_sure(path: Path) -> None:
    clock, counted = Clock(), [0.0]
    async with opened(path, clock) as people:
        ada = await people.add_person("Ada", [sample(1)], None, agreed())
        grace = Grace(people, 0, lambda id, _why: people.forget(id), lambda: counted[0])
        await records.withdraw(people, ada.id, "server")
        assert await grace.look() == 0
        counted[0] += STEADY
        clock.now += timedelta(seconds=STEADY)
        assert await grace.look() == 1
        assert await people.list() == []
        await grace.close()


def test_soon_is_within_thirty_days(store: PeopleStore) -> None:
    for days, soon in ((30, True), (31, False), (-1, False)):
        ada = store.add_person(f"P{days}", [sample(40 + days)], DIGEST)
        record = consents.record(store.engine, ada.id, agreed(START + days * DAY))
        assert ends_soon(record, START) is soon
    never = consents.record(store.engine, ada.id, agreed())
    assert not ends_soon(never, START)
