"""What kinds of value a setting can have: how each is read from text or TOML, checked, and shown.

``read`` takes what a flag, an environment variable (always text) or a TOML file (a value of its own type) says, and
raises :class:`ValueError` with what would be right.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII
)
_ICE_SERVER = re.compile(r"(stun|turn|turns):([a-z0-9.-]+)(:(\d{1,5}))?(\?transport=(udp|tcp))?", re.ASCII | re.I)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value. ``label`` names it in the documentation."""

    label: str
    read: Callable[[object], Any]
    show: Callable[[Any], str] = str


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError("write it as text, in quotes")
    return raw.strip()


def _switch(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if word not in _TRUE | _FALSE:
        raise ValueError("say true or false")
    return word in _TRUE


def whole(low: int, high: int, label: str = "whole number") -> Kind:
    """A whole number from ``low`` to ``high``."""

    def read(raw: object) -> int:
        try:
            value = raw if isinstance(raw, int) and not isinstance(raw, bool) else int(_text(raw))
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return value

    return Kind(label, read)


def number(low: float, high: float) -> Kind:
    """A number from ``low`` to ``high``."""

    def read(raw: object) -> float:
        try:
            value = float(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else float(_text(raw))
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"give a number from {low:g} to {high:g}")
        return value

    return Kind("number", read, lambda value: f"{value:g}")


def detector_size() -> Kind:
    """A size the detector can work at: its strides divide it."""
    sizes = whole(160, 1920, "multiple of 32")

    def read(raw: object) -> int:
        value: int = sizes.read(raw)
        if value % 32:
            raise ValueError("give a multiple of 32 from 160 to 1920")
        return value

    return Kind(sizes.label, read)


def choice(*words: str) -> Kind:
    """One of a few words."""

    def read(raw: object) -> str:
        word = _text(raw).lower()
        if word not in words:
            raise ValueError(f"say one of {', '.join(words)}")
        return word

    return Kind(" \\| ".join(words), read)


def _word(raw: object) -> str:
    word = _text(raw)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", word):
        raise ValueError("give a name of letters, digits, '.', '_' and '-'")
    return word


def _node_name(raw: object) -> str:
    name = _text(raw)
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", name, re.ASCII):
        raise ValueError("give a name of 32 letters, digits, '.', '_' and '-' at most")
    return name


def _node_url(raw: object) -> str:
    text = _text(raw).rstrip("/")
    if not text:
        return ""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError("give an address such as http://10.0.0.5:8000") from None
    bare = not (url.path or url.query or url.fragment or url.username or url.password)
    if url.scheme not in ("http", "https") or not url.hostname or not bare or port == 0 or len(text) > 255:
        raise ValueError("give an address such as http://10.0.0.5:8000, with no path and no password")
    return text


def _folder(raw: object) -> Path:
    text = str(raw) if isinstance(raw, Path) else _text(raw)
    if not text:
        raise ValueError("name a folder")
    path = Path(text).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError("that is a file, not a folder")
    return path


def _file(raw: object) -> Path | None:
    text = str(raw) if isinstance(raw, Path) else _text(raw)
    path = Path(text).expanduser().absolute() if text else None
    if path is not None and path.is_dir():
        raise ValueError("that is a folder, not a file")
    return path


def _list(label: str, read_one: Callable[[str], str]) -> Kind:
    """Several values: a TOML list, or text with commas between."""

    def read(raw: object) -> tuple[str, ...]:
        if isinstance(raw, str):
            raw = [part for part in raw.split(",") if part.strip()]
        if not isinstance(raw, list | tuple):
            raise ValueError("give a list")
        return tuple(dict.fromkeys(read_one(_text(part)) for part in raw))

    return Kind(label, read, ",".join)


def _host_name(text: str) -> str:
    name = text.lower().rstrip(".")
    if not _HOST_NAME.fullmatch(name):
        raise ValueError(f"{text!r} is no host name")
    return name


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None


def _one_address(raw: object) -> str:
    text = _text(raw)
    return _address(text) if text else ""


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        why = (
            "has bits set behind its prefix" if "host bits" in str(error) else "is neither an IP address nor a network"
        )
        raise ValueError(f"{text!r} {why}; write 192.0.2.7 or 10.0.0.0/24") from None
    return str(network)


def _proxy(text: str) -> str:
    network = ipaddress.ip_network(_network(text))
    if network.prefixlen < (8 if network.version == 4 else 16):
        raise ValueError(f"{text!r} is half the world: name the proxies' own network")
    return str(network)


def _collector(raw: object) -> str:
    """An address of a collector of traces; one without a path gets the usual one."""
    text = _text(raw)
    if not text:
        return ""
    try:
        url = urlsplit(text)
        named = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        named = False
    if not named or url.query or url.fragment or any(sign.isspace() for sign in text):
        raise ValueError("give an address such as http://collector:4318/v1/traces")
    if url.username is not None or url.password is not None:
        raise ValueError("leave user and password out; OTEL_EXPORTER_OTLP_HEADERS takes what lets in")
    return text if url.path.strip("/") else f"{url.scheme}://{url.netloc}/v1/traces"


def _ice_server(text: str) -> str:
    match = _ICE_SERVER.fullmatch(text)
    if not match and "[" in text:
        raise ValueError(f"{text!r}: name the server by a host name, its IPv6 address cannot be read")
    if not match or (match[4] and not 1 <= int(match[4]) <= 65535):
        raise ValueError(f"{text!r} is not of the form stun:HOST:PORT or turn:HOST:PORT")
    if match[1].lower() == "turns" and (match[6] or "tcp").lower() == "udp":
        raise ValueError(f"{text!r}: turns goes over TCP")
    return text.lower()


def _ice_servers(raw: object) -> tuple[str, ...]:
    urls: tuple[str, ...] = _list("", _ice_server).read(raw)
    for scheme in ("stun", "turn"):
        if sum(url.lower().startswith(scheme) for url in urls) > 1:
            raise ValueError(f"name one {scheme.upper()} server at most")
    return urls


def _database(raw: object) -> str:
    """The address of a PostgreSQL database. No error shows it, as there is a password in it."""
    text = _text(raw)
    if not text:
        return ""
    form = "postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError(f"give an address such as {form}, with what is special in the password as %XX") from None
    if parts.scheme != "postgresql+psycopg":
        raise ValueError(f"only PostgreSQL is known, as {form}; leave it empty for SQLite in data_dir")
    if not parts.path.strip("/") or "/" in parts.path.strip("/"):
        raise ValueError(f"name the database at the end, as in {form}")
    return text


def _port_range(raw: object) -> tuple[int, int] | None:
    text = _text(raw)
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,5})\s*-\s*(\d{1,5})", text, re.ASCII)
    if not match or not 1024 <= int(match[1]) <= int(match[2]) <= 65535:
        raise ValueError("give a range such as 10000-10100, within 1024 to 65535")
    return int(match[1]), int(match[2])


SWITCH = Kind("true \\| false", _switch, lambda value: "true" if value else "false")
PORT = whole(0, 65535, "port")
TEXT = Kind("text", _text)
DATABASE = Kind("URL", _database)
WORD = Kind("name", _word)
NODE_NAME = Kind("name", _node_name)
NODE_URL = Kind("URL", _node_url)
FOLDER = Kind("folder", _folder)
FILE = Kind("file", _file, lambda path: str(path or ""))
HOST_NAMES = _list("host names", _host_name)
ADDRESS = Kind("IP address", _one_address)
ADDRESSES = _list("IP addresses", _address)
NETWORKS = _list("networks", _network)
PROXIES = _list("networks", _proxy)
COLLECTOR = Kind("URL", _collector)
ICE_SERVERS = Kind("URLs", _ice_servers, ",".join)
PORT_RANGE = Kind("FROM-TO", _port_range, lambda ports: f"{ports[0]}-{ports[1]}" if ports else "")
