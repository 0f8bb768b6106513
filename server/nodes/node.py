"""What one node is called, and where the others reach it."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path

from server.nodes.tags import TAG, new_tag
from server.private_files import write_private_once
from server.settings import Settings, StartError

TAG_FILE = "node-tag"
NAME_FILE = "node-name"
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)
MAX_NAME = 32


@dataclass(frozen=True, slots=True)
class Node:
    """One of several: ``tag`` is in the ids of what lives on it, ``url`` where the other nodes reach it."""

    name: str
    tag: str
    url: str


def open_node(settings: Settings) -> Node | None:
    """What this server is among others; ``None`` where it is the only one (no ``node_url``).

    The tag stays with the data folder, since what lies there bears it; so does a name that nobody chose. Raises
    :class:`server.settings.StartError`.
    """
    if not settings.node_url:
        return None
    tag = _kept(settings.data_dir / TAG_FILE, new_tag())
    if not TAG.fullmatch(tag):
        raise StartError(f"{settings.data_dir / TAG_FILE}: this is no tag; put back the file that was there")
    name = settings.node_name or _kept(settings.data_dir / NAME_FILE, _host_name(tag))
    return Node(name, tag, settings.node_url)


def _host_name(tag: str) -> str:
    """The computer's name, and enough of the tag to tell two nodes of one computer apart."""
    host = _UNFIT.sub("-", socket.gethostname().partition(".")[0]).strip("-._") or "node"
    return f"{host[: MAX_NAME - len(tag) - 1]}-{tag}"


def _kept(path: Path, made: str) -> str:
    """What a file says; made at first use."""
    try:
        if not path.exists():
            write_private_once(path, made.encode())
        return path.read_text("ascii").strip()
    except OSError as error:
        raise StartError(f"{path}: cannot be read or made ({error.strerror}); see the setting data_dir") from None
    except UnicodeDecodeError:
        raise StartError(f"{path}: this is not what was written there; put back the file that was there") from None
