"""Checks offers and trickled candidates before aiortc sees them (RFC 8866, RFC 8840, RFC 9725)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

MAX_SDP = 64 * 1024
MAX_CANDIDATES = 64
# Hashes that still tell certificates apart, and the bytes of each (RFC 8122 §5): to an MD5 or SHA-1 another certificate
# could be made to fit.
FINGERPRINTS = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
CANDIDATE_TYPES = ("host", "srflx", "prflx", "relay")  # RFC 8839 §5.1


class OfferError(ValueError):
    """An offer that cannot be answered; ``status`` is the HTTP status for it, the text says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Fragment:
    """A trickled piece of session description: the sender's ICE user name and its candidates."""

    ufrag: str | None
    candidates: tuple[RTCIceCandidate, ...]
    complete: bool


def check_offer(text: str, *, receives: bool = False) -> str:
    """Check an offer to send video, or one that ``receives`` it, and return what aiortc may see of it. Raises
    :class:`OfferError`.

    Dropped are mDNS candidates, whose resolution needs multicast that many networks lack (the browser's own checks
    reveal its address anyway), and the end of candidates, as aioice would then give up before those checks come.
    """
    lines = [line.strip("\r") for line in text.strip().split("\n")]
    if not lines or lines[0] != "v=0":
        raise OfferError(400, "the body is not a session description: it must begin with v=0")
    videos = [line for line in lines if line.startswith("m=video ")]
    if not videos:
        raise OfferError(422, "the offer has no video")
    if len([line for line in lines if line.startswith("m=")]) > 8:
        raise OfferError(400, "the offer has more than 8 media sections")
    if not _has_video(lines, unlike="a=sendonly" if receives else "a=recvonly"):
        raise OfferError(422, f"the offer does not {'receive' if receives else 'send'} video")
    _check_sections(lines)
    kept = [line for line in lines if not _is_mdns(line) and line != "a=end-of-candidates"]
    candidates = [line for line in kept if line.startswith("a=candidate:")]
    if len(candidates) > 8 * MAX_CANDIDATES:
        raise OfferError(400, "the offer has too many candidates")
    for line in candidates:
        _candidate(line, None, 0)
    return "\r\n".join(kept) + "\r\n"


def _check_sections(lines: list[str]) -> None:
    """Refuse what would make aiortc fail halfway, after sockets are bound: a bundle of sections that are not there
    (RFC 9143 §7.2), and a section that nothing tells how to encrypt (RFC 8842 §5.1)."""
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    session, sections = lines[: starts[0]], [lines[a:b] for a, b in pairwise([*starts, len(lines)])]
    mids = [_values("a=mid:", section) for section in sections]
    names = [name for found in mids for name in found]
    if len(names) != len(set(names)) or any(len(found) > 1 for found in mids):
        raise OfferError(400, "two media sections of the offer have the same mid")
    bundled = {name for group in _values("a=group:BUNDLE", session) for name in group.split()}
    if not bundled <= set(names):
        raise OfferError(400, "the offer bundles a media section that is not there")
    _check_fingerprints(session, sections)


def _check_fingerprints(session: list[str], sections: list[list[str]]) -> None:
    """Refuse an offer that does not say, or not well enough, whose certificate its encryption has to show."""
    for_all = _values("a=fingerprint:", session)
    for value in (*for_all, *(value for part in sections for value in _values("a=fingerprint:", part))):
        name, _, digest = value.partition(" ")
        size = FINGERPRINTS.get(name.lower())
        if size is not None and not re.fullmatch(rf"[0-9A-Fa-f]{{2}}(:[0-9A-Fa-f]{{2}}){{{size - 1}}}", digest):
            raise OfferError(400, f"a fingerprint of the offer is no {name.lower()} in hexadecimal")
    for part in sections:
        named = [*for_all, *_values("a=fingerprint:", part)]
        if not named:
            raise OfferError(400, "a media section of the offer has no fingerprint, so it cannot be encrypted")
        if not any(value.partition(" ")[0].lower() in FINGERPRINTS for value in named):
            raise OfferError(422, "a fingerprint of the offer is too weak: it takes sha-256, sha-384 or sha-512")


def _values(prefix: str, lines: list[str]) -> list[str]:
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]


def _has_video(lines: list[str], unlike: str) -> bool:
    """Whether some video section is neither rejected nor of this direction."""
    inside = usable = found = False
    for line in [*lines, "m=end"]:
        if line.startswith("m="):
            found = found or (inside and usable)
            parts = line.split()
            inside = line.startswith("m=video ")
            usable = len(parts) > 1 and parts[1] != "0"
        elif inside and line in (unlike, "a=inactive"):
            usable = False
    return found


def _is_mdns(line: str) -> bool:
    return line.startswith("a=candidate:") and ".local" in line


def parse_fragment(text: str) -> Fragment:
    """Parse ``application/trickle-ice-sdpfrag``. Raises :class:`OfferError` with status 400."""
    ufrag: str | None = None
    mid: str | None = None
    index = -1
    complete = False
    candidates: list[RTCIceCandidate] = []
    for line in (raw.strip() for raw in text.split("\n")):
        if line.startswith("a=ice-ufrag:"):
            ufrag = line.removeprefix("a=ice-ufrag:")
        elif line.startswith("m="):
            index, mid = index + 1, None
        elif line.startswith("a=mid:"):
            mid = line.removeprefix("a=mid:")
        elif line == "a=end-of-candidates":
            complete = True
        elif line.startswith("a=candidate:") and not _is_mdns(line):
            if len(candidates) == MAX_CANDIDATES:
                raise OfferError(400, f"more than {MAX_CANDIDATES} candidates in one fragment")
            candidates.append(_candidate(line, mid, max(index, 0)))
        elif line and not line.startswith(("a=", "v=", "o=", "s=", "t=", "c=")):
            raise OfferError(400, "the body is not a fragment of a session description")
    return Fragment(ufrag, tuple(candidates), complete)


def _candidate(line: str, mid: str | None, index: int) -> RTCIceCandidate:
    try:
        candidate = candidate_from_sdp(line.removeprefix("a=candidate:"))
        ip_address(candidate.ip)
    except (ValueError, AssertionError, IndexError, KeyError) as error:
        raise OfferError(400, "a candidate cannot be read") from error
    if candidate.type not in CANDIDATE_TYPES:
        raise OfferError(400, "a candidate is of no known type")
    if not 0 < candidate.port < 65536:
        raise OfferError(400, "a candidate's port is outside 1–65535")
    candidate.sdpMid = mid
    candidate.sdpMLineIndex = index
    return candidate


def offered_ufrags(offer: str) -> set[str]:
    """The ICE user names of an offer."""
    return set(_values("a=ice-ufrag:", [line.strip() for line in offer.split("\n")]))


def advertise(answer: str, addresses: tuple[str, ...]) -> str:
    """Replace the addresses of an answer's host candidates by others, as a container or a NAT needs it."""
    if not addresses:
        return answer
    out: list[str] = []
    seen: set[tuple[str, str]] = set()
    for line in answer.split("\r\n"):
        parts = line.split(" ")
        if not (line.startswith("a=candidate:") and len(parts) > 7 and parts[7] == "host"):
            out.append(line)
            continue
        for number, address in enumerate(addresses):
            if (address, parts[5]) not in seen:
                seen.add((address, parts[5]))
                out.append(" ".join([f"{parts[0]}{number}", *parts[1:4], address, *parts[5:]]))
    return "\r\n".join(out)
