"""Bad lines, a firewall that blocks UDP, and an address that changes, in network namespaces: the short version of
tests.load."""

from __future__ import annotations

import json

import pytest

from tests.load.addresses import NETWORKS
from tests.load.addresses import measure as measure_addresses
from tests.load.addresses import missing as missing_for
from tests.load.namespaces import inside, unavailable
from tests.load.networks import CONDITIONS, measure
from tests.load.turn import measure as measure_turn
from tests.load.turn import no_turn
from tests.load.two_sides import no_sides

pytestmark = [
    pytest.mark.browser,
    pytest.mark.alone,
    pytest.mark.timeout(180),
    pytest.mark.skipif(unavailable() is not None, reason=unavailable() or ""),
]


@pytest.mark.usefixtures("chromium")
def test_results_come_though_a_firewall_blocks_udp() -> None:
    run = json.loads(inside("tests.load.fallback", "--inside", "--seconds", "3", "--block"))
    assert run["way"] == "WebSocket"
    assert run["first"] < 8  # 3 on a machine with nothing else to do
    assert run["rate"] > 3


@pytest.mark.long
@pytest.mark.usefixtures("chromium")
def test_results_go_on_after_the_address_changed() -> None:
    (change,) = json.loads(inside("tests.load.address_change", "--inside", "--rounds", "1"))
    assert change["session"]
    assert change["tracks"]
    assert change["seconds"] < 10  # 3 on a machine with nothing else to do


@pytest.mark.long
@pytest.mark.usefixtures("chromium")
@pytest.mark.skipif(no_sides() is not None, reason=no_sides() or "")
def test_results_flow_over_a_lossy_line_and_over_a_slow_one() -> None:
    wanted = [one for one in CONDITIONS if one.name in ("10 % loss", "500 kbit/s")]
    runs = measure(wanted, 2.0, 1, [False])
    assert [run.condition for run in runs] == [one.name for one in wanted]
    for run in runs:  # 24 and 29 a second, ages of 110 and 95 ms, on a machine with nothing else to do
        assert run.rate > 6
        assert run.age95 < 1500


@pytest.mark.usefixtures("chromium")
@pytest.mark.skipif(no_turn() is not None, reason=no_turn() or "")
def test_video_goes_through_a_turn_server_where_a_firewall_blocks_udp() -> None:
    run = measure_turn("tls", 2.0)
    assert run.rate > 6
    assert run.webrtc < 15  # about 1 on a machine with nothing else to do


@pytest.mark.long
@pytest.mark.usefixtures("chromium")
@pytest.mark.parametrize("network", NETWORKS)
def test_video_finds_its_way_where_addresses_are_not_the_usual_ones(network: str) -> None:
    if why := missing_for(network):
        pytest.skip(why)
    found = measure_addresses(network, 1.0)
    assert found.way == "WebRTC"
    assert found.results > 6
