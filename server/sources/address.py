"""Addresses of sources: what may be one, and how it is shown without what is secret in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal, get_args
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import url2pathname

from server.storage.sources import MAX_URL

Scheme = Literal["rtsp", "rtsps", "http", "https", "file", "v4l2"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
HIDDEN = "…"
_URL = re.compile(r"[!-~]+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII)
_DEVICE = re.compile(r"/dev/(video\d{1,3}|v4l/by-(id|path)/[\w.:+-]{1,200})", re.ASCII)
_TELLING = re.compile(
    r"pass|pwd|psw|paw|secret|token|key|auth|sig|user|usr|login|name=|account|cred|session|sid|code|jwt|ticket|hash|uuid",
    re.ASCII | re.IGNORECASE,
)
_KINDS = re.compile(r"[a-z]+|[A-Z]+|[0-9]+", re.ASCII)


class BadAddress(ValueError):
    """Not an address of a source. The message says why, and nothing of the address."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a source is. ``target`` is what FFmpeg opens; neither it nor ``url`` shows in an error or a log."""

    scheme: Scheme
    url: str = field(repr=False)
    target: str = field(repr=False)
    shown: str
    """The URL without user, password, and what looks like a secret in path and query."""

    @property
    def place(self) -> str:
        """A host, a file's name or a device: what a source is called that has no name."""
        split = urlsplit(self.url)
        if self.scheme in ("file", "v4l2"):
            return PurePath(unquote(split.path)).name
        return split.hostname or self.scheme


def parse_address(text: object) -> Address:
    """An address from what somebody wrote. Raises :class:`BadAddress`."""
    if not isinstance(text, str) or not text:
        raise BadAddress("the URL of a source is text, such as rtsp://camera/stream")
    if len(text) > MAX_URL:
        raise BadAddress(f"the URL of a source may have {MAX_URL} characters")
    if not _URL.fullmatch(text) or "\\" in text:
        raise BadAddress("a URL has only visible ASCII characters and no backslash; write others percent-encoded")
    try:
        split = urlsplit(text)
        port = split.port
    except ValueError:
        raise BadAddress(
            "the host or port of the URL cannot be read; in a user name or password, write : / ? # @ [ ] as %3A %2F …"
        ) from None
    scheme = next((known for known in SCHEMES if known == split.scheme), None)
    if scheme is None:
        raise BadAddress(f"the URL of a source begins with one of {', '.join(f'{known}://' for known in SCHEMES)}")
    if scheme == "file":
        target = f"file:{_file(split)}"
    elif scheme == "v4l2":
        target = _device(split)
    else:
        _check_host(split, port)
        target = text.partition("#")[0]
    return Address(scheme, text, target, _shown(scheme, split))


def _check_host(split: SplitResult, port: int | None) -> None:
    authority = split.netloc.rpartition("@")[2]
    host = authority if port is None else authority.rpartition(":")[0]
    if not _HOST.fullmatch(host.removesuffix(":")) or port == 0:
        raise BadAddress("the URL names no host, or one that cannot be")
    # FFmpeg and Python would agree on where a password ends; whoever wrote such a URL may not.
    if "@" in split.netloc.rpartition("@")[0] or "@" in split.path + split.query + split.fragment:
        raise BadAddress("an @ that does not stand before the host is written as %40")


def _file(split: SplitResult) -> str:
    if split.netloc not in ("", "localhost") or not split.path.startswith("/"):
        raise BadAddress("a file is named by its whole path, as in file:///home/ada/door.mp4")
    if split.query or split.fragment:
        raise BadAddress("in the path of a file, write ? as %3F and # as %23")
    path = url2pathname(split.path)
    if "\0" in path or not PurePath(path).name:
        raise BadAddress("the URL names no file")
    return path


def _device(split: SplitResult) -> str:
    if split.netloc or split.query or split.fragment or not _DEVICE.fullmatch(split.path):
        raise BadAddress("a camera of this computer is named as in v4l2:///dev/video0")
    return split.path


def _shown(scheme: Scheme, split: SplitResult) -> str:
    if scheme in ("file", "v4l2"):
        return f"{scheme}://{split.path}"
    path = "/".join(_masked(part) for part in split.path.split("/"))
    query = re.sub(r"[^&;]+", lambda found: _masked(found[0]), split.query)
    return f"{scheme}://{split.netloc.rpartition('@')[2]}{path}{'?' if query else ''}{query}"


def _masked(part: str) -> str:
    """A piece of a path or of a query; some cameras take the password in either: ``user=ada_password=x_channel=1``."""
    name, equals, value = unquote(part).partition("=")
    if equals and (_TELLING.search(unquote(part)) or _random(value)):
        return f"{part.partition('=')[0]}={HIDDEN}" if equals in part else HIDDEN
    return HIDDEN if not equals and _random(name) else part


def _random(text: str) -> bool:
    """Whether letters and digits alternate as nobody would write them."""
    return len(text) >= 12 and len(_KINDS.findall(text)) >= 0.35 * len(text)
