"""What the terminal shows when the server is up: where to go, and the QR code for a phone."""

from __future__ import annotations

import io

import segno

from server.join import Door

_WHITE_ON_BLACK = "\x1b[97;40m{}\x1b[0m"


def where_to_go(http_port: int, door: Door | None, *, colours: bool) -> str:
    """The closing lines of the start, the only place where the token is printed."""
    lines = ["", f"On this computer:   http://localhost:{http_port}"]
    if door is None:
        return "\n".join([*lines, "Other devices:      not served (lan = false)", "", "Ctrl-C ends Visavis.", ""])
    lines += [f"On another device:  {door.url()}"]
    lines += [f"               or:  {door.url(host)}" for host in _others(door.hosts)]
    lines += [
        "                    The link lets in whoever has it. Its QR code:",
        "",
        qr_blocks(door.url(), colours=colours),
        "",
        f"The camera is off there, or the browser warns?  {door.trust_url}",
        "",
        "Ctrl-C ends Visavis.",
        "",
    ]
    return "\n".join(lines)


def _others(hosts: tuple[str, ...]) -> list[str]:
    """A few further ways: not every address of a computer with many, but always its name, which is last."""
    return [host for host in dict.fromkeys((*hosts[1:3], hosts[-1])) if host != hosts[0]]


def qr_blocks(url: str, *, colours: bool) -> str:
    """A QR code in half blocks. With ``colours`` it is dark on light whatever the terminal's own colours are."""
    out = io.StringIO()
    segno.make(url, error="l", micro=False).terminal(out=out, compact=True, border=2)
    rows = out.getvalue().rstrip("\n").split("\n")
    return "\n".join(f"  {_WHITE_ON_BLACK.format(row) if colours else row}" for row in rows)
