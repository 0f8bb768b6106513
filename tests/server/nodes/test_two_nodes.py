"""Two nodes as processes on one PostgreSQL, for a short while; ``python -m tests.load.two_nodes`` takes longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import postgres
from tests.load.two_nodes import measure, table


@pytest.mark.alone
async def test_what_holds_on_one_node_holds_on_the_other(tmp_path: Path) -> None:
    if isinstance(why := postgres.server(), str):
        pytest.skip(why)
    found = await measure(tmp_path, away=4.0, rounds=1)
    assert all(one.held for one in found), table(found)
