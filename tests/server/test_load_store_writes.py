"""A short version of tests.load.store_writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.storage import PeopleStore
from tests.load import store_writes
from tests.stores import postgres


def test_nodes_that_write_at_the_same_time_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgres().database()
    PeopleStore(tmp_path / "people.sqlite3", database=database).close()
    monkeypatch.setattr(store_writes, "KINDS", {"sightings": store_writes.still_there})
    lines = store_writes.measure(tmp_path, database, [2], 0.5)
    assert [(one.store, one.what, one.nodes) for one in lines] == [("PostgreSQL", "sightings", 2)]
    assert lines[0].per_second > 2
    assert 0 < lines[0].p50 <= lines[0].p95
    assert "sightings" in store_writes.table(lines)
