"""Recognition never extends a template: the short version of ``python -m tests.load.poisoning``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.load.poisoning import digest_rows, poison


async def test_a_stranger_changes_nobody(tmp_path: Path) -> None:
    report = await poison(0.25, tmp_path)
    assert report.clean
    assert (report.templates, report.frames) == (2, 150)
    assert report.embedded >= 8
    assert "known" not in report.identities


def test_a_changed_row_would_be_noticed(tmp_path: Path) -> None:
    path = tmp_path / "p.sqlite3"
    database = sqlite3.connect(path)
    database.execute("create table sample (id text, embedding blob)")
    database.execute("insert into sample values ('a', x'00')")
    database.commit()
    before = digest_rows(path)
    database.execute("update sample set embedding = x'01'")
    database.commit()
    database.close()
    assert digest_rows(path) != before
