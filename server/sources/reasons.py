"""Why a source sends nothing, in words for a person; FFmpeg's own words may hold the address, and stay here."""

from __future__ import annotations

import errno

import av

from server.sources.address import Scheme


class SourceDown(Exception):
    """The source sends no more pictures. The message is a sentence, and holds nothing of the address."""


UNREACHABLE = "It cannot be reached."
UNANSWERED = "It did not answer in time."
SILENT = "It stopped sending."
REFUSED = "It refused the user name or the password."
NO_VIDEO = "What is there is no video that can be read."
NO_FILE = "There is no such file."
NO_CAMERA = "There is no such camera at this computer."
NO_DECODER = "Its kind of video cannot be read."
ENDED = "It ended."

_AWAY = {
    errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EIO, errno.ENETDOWN,
    errno.EHOSTDOWN, errno.EADDRNOTAVAIL,
}  # fmt: skip


def opening_failed(error: av.FFmpegError, scheme: Scheme) -> SourceDown:
    """Why a source could not be opened."""
    return SourceDown(_why(error, scheme))


def _why(error: av.FFmpegError, scheme: Scheme) -> str:
    local = scheme in ("file", "v4l2")
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return REFUSED
    if isinstance(error, av.error.HTTPNotFoundError):
        return "There is nothing at this address (404)."
    if isinstance(error, av.error.HTTPClientError | av.error.HTTPError):
        return "It answered with an error."
    if isinstance(error, av.error.ExitError):
        return UNANSWERED
    if isinstance(error, av.error.ProtocolNotFoundError | av.error.DecoderNotFoundError | av.error.PatchWelcomeError):
        return NO_DECODER
    if error.errno == errno.ENOENT:
        return NO_CAMERA if scheme == "v4l2" else NO_FILE
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return NO_CAMERA
    if error.errno == errno.EACCES:
        return "Visavis may not read it."
    if error.errno == errno.EBUSY:
        return "Another program is using it."
    if error.errno in _AWAY and not local:
        return UNREACHABLE
    if error.errno == errno.EINVAL or isinstance(
        error, av.error.EOFError | av.error.InvalidDataError | av.error.DemuxerNotFoundError
    ):  # EINVAL: of a kind that is not among those read here
        return NO_VIDEO
    if error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED):
        return "It broke the connection."
    return f"It could not be opened ({type(error).__name__})."


def reading_failed(error: av.FFmpegError) -> SourceDown:
    """Why it broke off."""
    if isinstance(error, av.error.ExitError) or error.errno in (errno.ETIMEDOUT, errno.EAGAIN):
        return SourceDown(SILENT)
    if isinstance(error, av.error.InvalidDataError):
        return SourceDown("What it sends can no longer be read.")
    return SourceDown("The connection broke.")
