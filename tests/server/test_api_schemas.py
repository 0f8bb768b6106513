"""The running server keeps to its document, whatever is sent; at length: ``python -m tests.load.schemas``."""

from __future__ import annotations

from pathlib import Path

from tests.load.schemas import run
from tests.server.whole import seed, serving_all


def test_nothing_that_is_sent_is_answered_otherwise_than_said(tmp_path: Path) -> None:
    seed(tmp_path / "data", "Ada", "Bob")
    with serving_all(tmp_path / "data") as whole:
        phases = ("--phases", "coverage,fuzzing")
        code, said = run(whole.local, seconds=25, examples=4, seed=5, folder=tmp_path, more=phases)
        assert code == 0, said
        assert whole.ask("GET", "/people").status == 200
