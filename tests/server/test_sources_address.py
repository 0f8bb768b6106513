"""What may be the address of a source, and that nothing secret of it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.sources.address import HIDDEN, MAX_URL, SCHEMES, BadAddress, parse_address


@pytest.mark.parametrize(
    ("url", "shown", "place"),
    [
        ("rtsp://camera/stream", "rtsp://camera/stream", "camera"),
        ("rtsp://ada:S3cret@10.0.0.7:8554/live/main?channel=1", "rtsp://10.0.0.7:8554/live/main?channel=1", "10.0.0.7"),
        ("rtsps://ada@[fd00::7]:322/1", "rtsps://[fd00::7]:322/1", "fd00::7"),
        ("http://ada:p%40ss%2Fw@cam/video.mjpg", "http://cam/video.mjpg", "cam"),
        ("https://cam/live.m3u8?quality=high&token=abc", f"https://cam/live.m3u8?quality=high&token={HIDDEN}", "cam"),
        ("http://cam/cgi?loginuse=ada&loginpas=x", f"http://cam/cgi?loginuse={HIDDEN}&loginpas={HIDDEN}", "cam"),
        ("http://cam/cgi?USR=ada;Pwd=x;n=2", f"http://cam/cgi?USR={HIDDEN};Pwd={HIDDEN};n=2", "cam"),
        ("rtsp://cam/user=ada_password=x_channel=1.sdp", f"rtsp://cam/user={HIDDEN}", "cam"),
        ("rtsp://cam/user%3Dada%26pw", f"rtsp://cam/{HIDDEN}", "cam"),
        ("rtsps://cam:7441/Qf3bX9aLw0Zk2VtM?enableSrtp", f"rtsps://cam:7441/{HIDDEN}?enableSrtp", "cam"),
        ("http://cam/v?s=3f9a8b7c6d5e4f3a", f"http://cam/v?s={HIDDEN}", "cam"),
        ("rtsp://cam/h264Preview_01_main", "rtsp://cam/h264Preview_01_main", "cam"),
        ("rtsp://cam/Streaming/Channels/101", "rtsp://cam/Streaming/Channels/101", "cam"),
        ("http://cam/live#part", "http://cam/live", "cam"),
        ("FILE:///home/ada/the%20door.mp4", "file:///home/ada/the%20door.mp4", "the door.mp4"),
        ("file://localhost/door.mp4", "file:///door.mp4", "door.mp4"),
        ("v4l2:///dev/video0", "v4l2:///dev/video0", "video0"),
        ("v4l2:///dev/v4l/by-id/usb-Cam_0-index0", "v4l2:///dev/v4l/by-id/usb-Cam_0-index0", "usb-Cam_0-index0"),
    ],
)
def test_addresses_and_how_they_are_shown(url: str, shown: str, place: str) -> None:
    address = parse_address(url)
    assert (address.shown, address.place) == (shown, place)
    assert url not in repr(address) or url == shown
    assert "S3cret" not in repr(address)


def test_what_ffmpeg_opens() -> None:
    assert parse_address("file:///a/the%20door.mp4").target == "file:/a/the door.mp4"
    assert parse_address("v4l2:///dev/video3").target == "/dev/video3"
    assert parse_address("rtsp://a:b@c/d#e").target == "rtsp://a:b@c/d"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "is text"),
        (7, "is text"),
        ("", "is text"),
        ("camera", "begins with one of rtsp://"),
        ("ftp://h/S3cret", "begins with one of"),
        ("concat:/etc/S3cret", "begins with one of"),
        ("rtsp:///S3cret", "names no host"),
        ("rtsp://ada:S3cret@/x", "names no host"),
        ("rtsp://h:0/S3cret", "names no host"),
        ("rtsp://h:99999/S3cret", "host or port"),
        ("rtsp://ada:S3cret/word@h/x", "host or port"),
        ("rtsp://ada:1?S3cret@h/x", "%40"),
        ("rtsp://ada:1/S3cret@h/x", "%40"),
        ("rtsp://ada:1#S3cret@h/x", "%40"),
        ("rtsp://ada:S3@cret@h/x", "%40"),
        ("rtsp://[S3cret/x", "host or port"),
        ("rtsp://a|b/S3cret", "names no host"),
        ("rtsp://h/S3 cret", "visible ASCII"),
        ("rtsp://h/S3\ncret", "visible ASCII"),
        ("rtsp://h/S3\0cret", "visible ASCII"),
        ("rtsp://h\\S3cret@x/", "visible ASCII"),
        ("rtsp://kamera.日本/S3cret", "visible ASCII"),
        (f"rtsp://h/{'S3cret' * MAX_URL}", f"{MAX_URL} characters"),
        ("file://other/S3cret.mp4", "whole path"),
        ("file:S3cret.mp4", "whole path"),
        ("file:///", "names no file"),
        ("file:///S3cret%00.mp4", "names no file"),
        ("file:///S3cret.mp4?x", "%3F"),
        ("v4l2:///dev/sda", "v4l2:///dev/video0"),
        ("v4l2:///dev/video0/../S3cret", "v4l2:///dev/video0"),
        ("v4l2://h/dev/video0", "v4l2:///dev/video0"),
    ],
)
def test_what_is_none_is_refused_in_words_that_give_nothing_away(url: object, words: str) -> None:
    with pytest.raises(BadAddress) as refused:
        parse_address(url)
    assert words in str(refused.value)
    assert "S3cret" not in str(refused.value)
    assert refused.value.__cause__ is None


USER = st.text("abcdefghijkXYZ0123456789-._~!$&'()*+,;=%", min_size=1, max_size=12).map("QQ{}WW".format)


@given(st.sampled_from(["rtsp", "http", "https", "rtsps"]), USER, USER)
def test_no_password_is_ever_shown(scheme: str, user: str, password: str) -> None:
    address = parse_address(f"{scheme}://{user}:{password}@camera.lan/live?x=1&password={password}")
    assert "QQ" not in f"{address} {address.shown} {address.place}"


@given(
    st.text(max_size=60) | st.sampled_from(SCHEMES).flatmap(lambda s: st.text(max_size=40).map(f"{s}://{{}}".format))
)
def test_nothing_else_than_a_refusal_comes_of_nonsense(text: str) -> None:
    try:
        address = parse_address(text)
    except BadAddress:
        return
    assert address.shown.startswith(f"{address.scheme}://")
    assert address.place
