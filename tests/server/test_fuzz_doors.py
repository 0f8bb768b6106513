"""A short round of ``tests.load.fuzz_doors`` at every door; the same each time."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.load.fuzz_doors import DOORS, Asker, Beside, Budget, Tally, listening, run, sessions, table
from tests.load.mangling import mangled_json, mangled_lines
from tests.server.offers import CAMERA
from tests.server.whole import Whole, seed, serving_all


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("data")
    seed(folder, "Ada", "Bob")
    with serving_all(folder, sightings=True, max_sessions=32) as whole:
        yield whole


def test_no_door_answers_damage_with_an_error_of_ours(whole: Whole) -> None:
    tallies = run(whole, Budget(120, None), 20_261_128)
    said = table(tallies)
    assert set(tallies) == set(DOORS)
    for name, tally in tallies.items():
        assert tally.tried >= 100, name
        assert tally.answers["4xx"] >= 10, said  # it was damage that the doors saw …
        assert tally.wrong == [], said
    assert sum(tally.answers["2xx"] for tally in tallies.values()) >= 50, said  # … and not nothing but noise


def test_the_same_seed_makes_the_same_damage() -> None:
    def made() -> list[bytes]:
        rng = random.Random(5)
        return [mangled_lines(CAMERA, rng) for _ in range(20)] + [mangled_json({"a": 1}, rng) for _ in range(20)]

    assert made() == made()
    assert len(set(made())) > 30


def test_what_is_wrong_is_noticed(whole: Whole) -> None:
    """An error, an answer that never comes, a line in the log and a session that stays: each is seen."""
    import logging

    tally = Tally()
    Asker("http://127.0.0.1:1").ask(tally, "GET", "/")
    assert tally.answers["crash"] == 1
    tally.note("5xx", "x")
    tally.note("4xx", "x")
    assert len(tally.wrong) == 2
    with listening() as errors:
        logging.getLogger("server.test").error("this failed")
    assert errors.lines == ["server.test: this failed "]
    beside = Beside(whole)
    try:
        assert sessions(beside) == 0
        other, path = beside.run(beside.begin())
        assert sessions(beside) == 1
        whole.ask("DELETE", path)
        beside.run(other.close())
        assert sessions(beside) == 0
    finally:
        beside.close()
