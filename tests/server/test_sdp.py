from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.sdp import MAX_CANDIDATES, OfferError, advertise, check_offer, offered_ufrags, parse_fragment
from tests.server.offers import CAMERA, MICROPHONE_AND_CAMERA

MDNS = "a=candidate:1 1 udp 2113937151 0b3e2c4a-8a3e-4d1c-9d0a-000000000000.local 50000 typ host"
HOST = "a=candidate:2 1 udp 2113937151 192.0.2.7 50001 typ host"
FRAGMENT = f"a=ice-ufrag:SX8x\r\na=ice-pwd:PUVEYZTtg1CParoTXv6j/BD8\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n{HOST}\r\n"


@pytest.mark.parametrize("offer", [CAMERA, MICROPHONE_AND_CAMERA])
def test_a_browser_s_offer_passes_unchanged(offer: str) -> None:
    assert check_offer(offer) == offer
    assert check_offer(offer.replace("\r\n", "\n")) == offer


def test_what_would_hold_up_the_connection_is_dropped() -> None:
    offer = CAMERA.replace("a=mid:0\r\n", f"a=mid:0\r\n{MDNS}\r\na=end-of-candidates\r\n")
    assert check_offer(offer) == CAMERA


@pytest.mark.parametrize("offer", ["", " \r\n", "hello", "{}", "V=0\r\n", "\0" * 100, "m=video 9 x\r\n"])
def test_what_is_no_description_is_refused(offer: str) -> None:
    with pytest.raises(OfferError, match="must begin with v=0") as caught:
        check_offer(offer)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("offer", "says"),
    [
        ("v=0\r\n", "no video"),
        (CAMERA.replace("m=video", "m=audio"), "no video"),
        (CAMERA.replace("a=sendonly", "a=recvonly"), "does not send"),
        (CAMERA.replace("a=sendonly", "a=inactive"), "does not send"),
        (CAMERA.replace("m=video 56669", "m=video 0"), "does not send"),
    ],
)
def test_an_offer_that_sends_no_video_is_refused(offer: str, says: str) -> None:
    assert offer != CAMERA
    with pytest.raises(OfferError, match=says) as caught:
        check_offer(offer)
    assert caught.value.status == 422


def test_one_fingerprint_for_all_sections_will_do() -> None:
    fingerprint = next(line for line in CAMERA.split("\r\n") if line.startswith("a=fingerprint:"))
    once = CAMERA.replace(fingerprint + "\r\n", "").replace("t=0 0", f"t=0 0\r\n{fingerprint}")
    assert check_offer(once) == once


def test_one_of_two_videos_is_enough() -> None:
    section = CAMERA[CAMERA.index("m=video") : CAMERA.index("m=application")].replace("a=mid:0\r\n", "")
    data = CAMERA[CAMERA.index("m=application") :]
    for first, second in (("sendonly", "recvonly"), ("inactive", "sendonly")):
        twice = CAMERA.replace("sendonly", first).replace(data, section.replace("sendonly", second) + data)
        assert check_offer(twice) == twice


@pytest.mark.parametrize(
    ("offer", "says"),
    [
        (CAMERA.replace("a=fingerprint:", "a=finger:"), "no fingerprint"),
        (CAMERA.replace("a=fingerprint:", "a=finger:", 1), "no fingerprint"),
        (CAMERA.replace("a=mid:0", "a=mid:7"), "bundles a media section that is not there"),
        (CAMERA.replace("a=mid:0", "a=mid:1"), "the same mid"),
        (CAMERA + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 7, "more than 8 media sections"),
        (CAMERA + "a=candidate:1 1 udp 1 host.example 5000 typ host\r\n", "candidate cannot be read"),
        (CAMERA + f"{HOST}\r\n" * (8 * MAX_CANDIDATES + 1), "too many candidates"),
    ],
)
def test_an_offer_beyond_reason_is_refused(offer: str, says: str) -> None:
    with pytest.raises(OfferError, match=says) as caught:
        check_offer(offer)
    assert caught.value.status == 400


def test_the_ice_user_names_are_found() -> None:
    assert offered_ufrags(CAMERA) == {"SX8x"}
    assert offered_ufrags("v=0\r\n") == set()


def test_a_fragment() -> None:
    fragment = parse_fragment(FRAGMENT + "a=end-of-candidates\r\n")
    (candidate,) = fragment.candidates
    assert (fragment.ufrag, fragment.complete) == ("SX8x", True)
    assert (candidate.ip, candidate.port, candidate.sdpMid, candidate.sdpMLineIndex) == ("192.0.2.7", 50001, "0", 0)


def test_candidates_belong_to_the_section_before_them() -> None:
    second = HOST.replace("50001", "50002").replace("192.0.2.7", "fd00::7")
    fragment = parse_fragment(FRAGMENT + f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n{second}\r\n")
    assert [(c.ip, c.port, c.sdpMid, c.sdpMLineIndex) for c in fragment.candidates] == [
        ("192.0.2.7", 50001, "0", 0),
        ("fd00::7", 50002, "1", 1),
    ]


def test_an_empty_fragment_and_mdns_candidates_mean_nothing() -> None:
    assert parse_fragment("").candidates == ()
    assert parse_fragment(f"a=mid:0\r\n{MDNS}\r\n").candidates == ()


@pytest.mark.parametrize(
    "line",
    [
        "a=candidate:",
        "a=candidate:1 1 udp",
        "a=candidate:1 one udp 1 192.0.2.1 5000 typ host",
        HOST.replace("50001", "0"),
        HOST.replace("50001", "65536"),
        HOST.replace("50001", "-1"),
        HOST.replace("192.0.2.7", "example.com"),
        HOST.replace("192.0.2.7", "300.1.1.1"),
        HOST.replace("typ host", "typ moon"),
        "hello",
        "{}",
    ],
)
def test_a_fragment_that_cannot_be_read_is_refused(line: str) -> None:
    with pytest.raises(OfferError) as caught:
        parse_fragment(f"a=mid:0\r\n{line}\r\n")
    assert caught.value.status == 400


def test_too_many_candidates_are_refused() -> None:
    assert len(parse_fragment(f"{HOST}\r\n" * MAX_CANDIDATES).candidates) == MAX_CANDIDATES
    with pytest.raises(OfferError, match="more than"):
        parse_fragment(f"{HOST}\r\n" * (MAX_CANDIDATES + 1))


ANSWER = (
    "v=0\r\na=candidate:aa 1 udp 2130706431 172.17.0.2 40000 typ host\r\n"
    "a=candidate:bb 1 udp 2130706431 127.0.0.1 40001 typ host\r\n"
    "a=candidate:cc 1 udp 1694498815 203.0.113.5 40000 typ srflx raddr 172.17.0.2 rport 40000\r\n"
    "a=end-of-candidates\r\n"
)


def test_without_advertised_addresses_an_answer_is_left_alone() -> None:
    assert advertise(ANSWER, ()) == ANSWER


def test_advertised_addresses_take_the_place_of_the_bound_ones() -> None:
    lines = advertise(ANSWER, ("198.51.100.1", "fd00::9")).split("\r\n")
    assert lines == [
        "v=0",
        "a=candidate:aa0 1 udp 2130706431 198.51.100.1 40000 typ host",
        "a=candidate:aa1 1 udp 2130706431 fd00::9 40000 typ host",
        "a=candidate:bb0 1 udp 2130706431 198.51.100.1 40001 typ host",
        "a=candidate:bb1 1 udp 2130706431 fd00::9 40001 typ host",
        "a=candidate:cc 1 udp 1694498815 203.0.113.5 40000 typ srflx raddr 172.17.0.2 rport 40000",
        "a=end-of-candidates",
        "",
    ]


def test_one_port_on_two_interfaces_is_offered_once() -> None:
    answer = ANSWER.replace("40001", "40000")
    assert advertise(answer, ("198.51.100.1",)).count("198.51.100.1 40000 typ host") == 1


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """A text with a few lines dropped, doubled, moved, cut or overwritten."""
    lines = text.split("\r\n")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "move", "cut", "overwrite", "number"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines[at])
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, 20))]
            case "overwrite":
                lines[at] = lines[at][:3] + draw(st.text(max_size=30))
            case "number":
                lines[at] = "".join(draw(st.sampled_from([c, "9", "-", "é"])) if c.isdigit() else c for c in lines[at])
    return "\r\n".join(lines)


@settings(max_examples=200, deadline=None)
@given(mutated(CAMERA))
def test_a_broken_offer_raises_nothing_else(offer: str) -> None:
    with contextlib.suppress(OfferError):
        assert check_offer(offer).startswith("v=0\r\n")


@settings(max_examples=300, deadline=None)
@given(mutated(FRAGMENT) | st.text(max_size=200) | st.text(max_size=80).map("a=candidate:".__add__))
def test_a_broken_fragment_raises_nothing_else(text: str) -> None:
    with contextlib.suppress(OfferError):
        for candidate in parse_fragment(text).candidates:
            assert 0 < candidate.port < 65536
