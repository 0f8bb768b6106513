"""A firewall that blocks UDP, and an address that changes, in network namespaces: the short version of tests.load."""

from __future__ import annotations

import json

import pytest

from tests.load.namespaces import inside, unavailable

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.skipif(unavailable() is not None, reason=unavailable() or ""),
]


@pytest.mark.usefixtures("chromium")
def test_results_come_though_a_firewall_blocks_udp() -> None:
    run = json.loads(inside("tests.load.fallback", "--inside", "--seconds", "3", "--block"))
    assert run["way"] == "WebSocket"
    assert run["first"] < 8  # 3 on a machine with nothing else to do
    assert run["rate"] > 3


@pytest.mark.usefixtures("chromium")
def test_results_go_on_after_the_address_changed() -> None:
    (change,) = json.loads(inside("tests.load.address_change", "--inside", "--rounds", "1"))
    assert change["session"]
    assert change["tracks"]
    assert change["seconds"] < 10  # 3 on a machine with nothing else to do
