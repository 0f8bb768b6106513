"""Cursors: every entry once, whatever is added or removed meanwhile, and no cursor made up elsewhere."""

from __future__ import annotations

import base64

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from server.api.paging import MOST, Asked, BadPage, asked, page_of, read_cursor, write_cursor


def key(entry: int) -> tuple[int]:
    return (entry,)


@given(st.sets(st.integers(0, 10_000), max_size=60), st.integers(1, 7))
def test_pages_hold_every_entry_once(entries: set[int], limit: int) -> None:
    ordered, seen, cursor = sorted(entries), [], None
    while True:
        after = None if cursor is None else read_cursor(cursor, (int,))
        found, cursor = page_of(ordered, Asked(limit, after), key)
        seen += found
        if cursor is None:
            break
        assert len(found) == limit
    assert seen == ordered


def test_what_changes_between_two_pages_hides_nothing() -> None:
    entries = [10, 20, 30, 40]
    first, cursor = page_of(entries, Asked(2, None), key)
    assert cursor is not None
    entries = [5, 10, 30, 35, 40]  # 20, where the page ended, is gone
    rest, _ = page_of(entries, Asked(9, read_cursor(cursor, (int,))), key)
    assert first + rest == [10, 20, 30, 35, 40]


@given(st.text(max_size=40), st.floats(allow_nan=False, allow_infinity=False))
def test_a_cursor_comes_back_as_it_went(text: str, number: float) -> None:
    assert read_cursor(write_cursor((text, number)), (str, float)) == (text, number)


def _encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "é", "!!!!", "A" * 600, _encoded(b"[]"), _encoded(b'["a"]'), _encoded(b"[1,2]"), _encoded(b"{}"),
     _encoded(b"[true]"), _encoded(b"\xff"), _encoded(b"[" * 300), _encoded(b"1")],
)  # fmt: skip
def test_a_cursor_made_up_elsewhere_is_refused(cursor: str) -> None:
    with pytest.raises(BadPage, match="begin anew"):
        read_cursor(cursor, (int,))


@given(st.text(max_size=80))
def test_no_text_is_more_than_refused(cursor: str) -> None:
    try:
        values = read_cursor(cursor, (str,))
    except BadPage:
        return
    assert [type(value) for value in values] == [str]


def test_a_request_says_how_much() -> None:
    assert asked(make_mocked_request("GET", "/x")) == Asked(50, None)
    cursor = write_cursor(("Ada",))
    assert asked(make_mocked_request("GET", f"/x?limit=7&cursor={cursor}")) == Asked(7, ("Ada",))


@pytest.mark.parametrize("limit", ["0", str(MOST + 1), "-1", "two", "", "1.5", "٣", "9" * 5000])
def test_a_limit_that_cannot_be_is_refused(limit: str) -> None:
    with pytest.raises(BadPage, match="limit is a number from 1 to 200"):
        asked(make_mocked_request("GET", f"/x?limit={limit}"))
