"""What aiortc and aioice need for live video, and the only place that touches their private names.

Four things are mended (docs/transport.md): a frame is complete on its marker bit, the bit rate is announced early, a
stall is broken instead
of waited out, and only the newest frame is worked on (:mod:`server.recognition_track`). Beside them: where UDP is
bound, which addresses are
offered, which certificates a sender may have, how soon a dead peer is noticed, and which capture time a frame has.
"""

from server.transport.assembly import EncodedFrame, is_key_frame
from server.transport.ciphers import take_rsa_certificates
from server.transport.identity import why_not_encrypted
from server.transport.install import TransportReport, install, uninstall
from server.transport.options import IceServer, TransportOptions
from server.transport.receiver import CLOCK_RATE, FrameClock, tune_receiver
from server.transport.sender import Forwarder, Packed, forget_sent, forwarder, payloads_of, sent_timestamp, tune_sender

__all__ = [
    "CLOCK_RATE",
    "EncodedFrame",
    "Forwarder",
    "FrameClock",
    "IceServer",
    "Packed",
    "TransportOptions",
    "TransportReport",
    "forget_sent",
    "forwarder",
    "install",
    "is_key_frame",
    "payloads_of",
    "sent_timestamp",
    "take_rsa_certificates",
    "tune_receiver",
    "tune_sender",
    "uninstall",
    "why_not_encrypted",
]
