"""A sender that is no browser publishes, and its results arrive as events: the short version of tests.load."""

from __future__ import annotations

import pytest

from tests.load.whip_client import publish, unavailable


@pytest.mark.timeout(120)
@pytest.mark.skipif(unavailable() is not None, reason=unavailable() or "")
def test_debian_s_whip_client_publishes_and_its_events_arrive() -> None:
    published = publish(2.0, "vp8")
    assert published.size == "640×480"
    assert published.rate > 5
    assert published.first < 15
