"""What the two kinds of WebRTC connection have in common: an offer that is answered, and candidates that trickle in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription

from server.sdp import MAX_CANDIDATES, Fragment, OfferError, advertise, offered_ufrags
from server.transport import TransportOptions, take_rsa_certificates

Choose = Callable[[Sequence[RTCRtpTransceiver]], None]


class Negotiation:
    """One connection's offer and candidates; :attr:`pc` is closed by whoever made this."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._candidates = 0
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=_ice_servers(options)))
        take_rsa_certificates(self.pc)
        self.ufrags: set[str] = set()
        self.generation = secrets.token_hex(4)  # names its ICE session

    async def answer(self, checked: str, choose: Choose) -> str:
        """Answer a checked SDP offer, after ``choose`` has set the direction of each of its media sections.

        Raises :class:`server.sdp.OfferError`; the connection must then be closed.
        """
        self.ufrags = offered_ufrags(checked)
        try:
            await self.pc.setRemoteDescription(RTCSessionDescription(checked, "offer"))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # aiortc's parser raises nearly anything on a broken description
            if "audio description send parameters" in str(error):
                raise OfferError(406, "no audio codec in common; sound is not needed, so offer video alone") from error
            if "send parameters" in str(error):
                raise OfferError(406, "no video codec in common: VP8 or H.264 is needed") from error
            raise OfferError(400, f"the offer cannot be read ({type(error).__name__})") from error
        choose(self.pc.getTransceivers())
        try:
            await self.pc.setLocalDescription(await self.pc.createAnswer())
        except ConnectionError as error:
            raise OfferError(503, str(error)) from error
        except asyncio.CancelledError:
            raise
        except Exception as error:
            raise OfferError(400, f"the offer cannot be answered ({type(error).__name__})") from error
        return advertise(self.pc.localDescription.sdp, self._options.advertised_addresses)

    async def add_candidates(self, fragment: Fragment) -> None:
        """Take in trickled candidates. The end of candidates is not passed on: see :func:`server.sdp.check_offer`.

        Raises :class:`server.sdp.OfferError`: every candidate makes the server send checks to its address.
        """
        self._candidates += len(fragment.candidates)
        if self._candidates > 2 * MAX_CANDIDATES:
            raise OfferError(400, f"more than {2 * MAX_CANDIDATES} candidates in one session")
        for candidate in fragment.candidates:
            if self.pc.connectionState != "closed":
                await self.pc.addIceCandidate(candidate)


def _ice_servers(options: TransportOptions) -> list[RTCIceServer]:
    # Always a list: aiortc's default is a public STUN server.
    return [RTCIceServer(list(s.urls), s.username, s.credential) for s in options.ice_servers]
