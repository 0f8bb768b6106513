"""docs/asvs.md names files that are there, says why where something is not met, and leaves no chapter out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "asvs.md").read_text("utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split(" | "))
    for line in TEXT.splitlines()
    if re.match(r"\| \d", line)
]
STATES = ("met", "in part", "not met", "–")
NUMBER = re.compile(r"\d{1,2}\.\d{1,2}\.\d{1,2}")


def named(where: str) -> list[str]:
    """The files that a cell names."""
    return re.findall(r"`((?:server|tests|docs|static|models)/[^`\s]*)`", where)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_where_or_why_not(row: tuple[str, ...]) -> None:
    number, level, asks, state, where = row
    assert NUMBER.match(number)
    assert level in ("1", "2", "3")
    assert asks
    assert state in STATES
    for path in named(where):
        assert (ROOT / path).is_file(), path  # a folder says nothing
    if state == "met":
        assert named(where) or "test_" in where or "docs" in where or "Trusted Types" in where, "names no file"
    else:
        assert len(where) > 10, "says no reason"


def test_every_chapter_is_there_and_no_number_twice() -> None:
    numbers = [found for row in ROWS for found in NUMBER.findall(row[0])]
    assert len(numbers) == len(set(numbers))
    assert {int(number.split(".")[0]) for number in numbers} == set(range(1, 18))
    assert len(ROWS) > 130
    order = [tuple(map(int, NUMBER.findall(row[0])[0].split("."))) for row in ROWS]
    assert order == sorted(order)


def test_most_that_is_met_is_shown_by_a_test() -> None:
    met = [row for row in ROWS if row[3] == "met"]
    shown = [row for row in met if any(path.startswith("tests/") for path in named(row[4]))]
    assert len(shown) >= 0.85 * len(met)
    assert [row[0] for row in ROWS if row[3] == "not met"], "a table in which all is met has not been looked at"


def test_the_numbers_in_the_text_are_those_of_the_table() -> None:
    met, in_part, not_met, none = (sum(row[3] == state for row in ROWS) for state in STATES)
    words = f"Of {len(ROWS)} lines {met} are met, {in_part} in part, {not_met} not met, and {none} do not apply."
    assert words in TEXT
