"""How FFmpeg opens a source: with which patience, over what, and what it may be led to from there."""

from __future__ import annotations

import stat
from pathlib import Path

import av
from av.container import InputContainer

from server import __version__
from server.sources.address import Address
from server.sources.reasons import NO_FILE, SourceDown, opening_failed

OPEN_WITHIN = 10.0  # seconds until a source must have been opened and understood
STALL = 5.0  # seconds without a packet, or without a picture in them, that end it
MOST_PIXELS = 4096 * 3072
_MICROSECONDS = str(round(STALL * 1e6))
_HIDDEN_TLS = {"tls_verify": "0"}  # cameras sign their certificates themselves
_RECORDED = "mov,matroska,avi,mpegts,mpeg,flv,ivf,ogg,asf,h264,hevc,m4v,mjpeg,mpjpeg,gif,nut"
_PARTS = "hls,aac,mp3,ac3,eac3,webvtt"  # of a playlist
_BASIC = {"max_pixels": str(MOST_PIXELS)}
OPTIONS: dict[str, dict[str, str]] = {
    # Over TCP no packet is lost; what is read to find out about the stream is kept, for it holds the first key frame.
    "rtsp": {
        **_HIDDEN_TLS, "rtsp_transport": "tcp", "allowed_media_types": "video", "timeout": _MICROSECONDS,
        "user_agent": f"Visavis/{__version__}", "analyzeduration": "1000000", "fpsprobesize": "0",
        "protocol_whitelist": "rtsp,rtsps,rtp,tcp,udp,tls,crypto,srtp", "format_whitelist": "rtsp,sdp,rtp,mpegts,asf",
    },
    # A playlist must not lead to files of this computer.
    "http": {
        **_HIDDEN_TLS, "timeout": _MICROSECONDS, "rw_timeout": _MICROSECONDS, "user_agent": f"Visavis/{__version__}",
        "analyzeduration": "1000000", "live_start_index": "-1", "icy": "0",
        "protocol_whitelist": "http,https,httpproxy,tcp,tls,crypto,data", "format_whitelist": f"{_RECORDED},{_PARTS}",
    },
    "file": {"protocol_whitelist": "file", "format_whitelist": _RECORDED},
    "v4l2": {},
}  # fmt: skip
FORMATS = {"rtsp": "rtsp", "v4l2": "v4l2"}


def open_container(address: Address) -> InputContainer:
    """Open it; blocking. Raises :class:`server.sources.reasons.SourceDown`."""
    kind = {"rtsps": "rtsp", "https": "http"}.get(address.scheme, address.scheme)
    if address.scheme == "file":
        _check_file(Path(address.target.removeprefix("file:")))
    try:
        return av.open(
            address.target,
            mode="r",
            format=FORMATS.get(kind),
            options={**_BASIC, **OPTIONS[kind]},
            metadata_errors="replace",
            timeout=(OPEN_WITHIN, STALL),
        )
    except av.FFmpegError as error:
        down = opening_failed(error, address.scheme)
    except ValueError:  # PyAV, where this FFmpeg knows no such format
        down = SourceDown("This computer cannot read such a source.")
    raise down  # here, so that the error with the address in it is no part of it


def _check_file(path: Path) -> None:
    """A pipe or a device would be waited for without end."""
    try:
        kind = path.stat().st_mode
    except PermissionError:
        raise SourceDown("Visavis may not read it.") from None
    except (OSError, ValueError):
        raise SourceDown(NO_FILE) from None
    if not stat.S_ISREG(kind):
        raise SourceDown("It is no file.")
