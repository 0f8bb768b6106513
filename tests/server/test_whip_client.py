"""A sender that is no browser publishes, and its results arrive as events: the short version of tests.load."""

from __future__ import annotations

import pytest

from tests.load.whip_client import publish, unavailable


@pytest.mark.timeout(180)
@pytest.mark.skipif(unavailable() is not None, reason=unavailable() or "")
@pytest.mark.parametrize(("codec", "tls"), [("vp8", False), ("h264", True)])
def test_debian_s_whip_client_publishes_and_its_events_arrive(codec: str, tls: bool) -> None:
    published = publish(2.0, codec, tls)
    assert published.size == "640×480"
    assert published.rate > 5
    assert published.deleted
