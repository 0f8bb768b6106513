"""What the terminal shows when the server is up: where to go, and the QR code for a phone."""

from __future__ import annotations

import io

import segno

from server.join import Door

_WHITE_ON_BLACK = "\x1b[97;40m{}\x1b[0m"


def where_to_go(page: str, owner: str | None, door: Door | None, token: str | None, *, colours: bool) -> str:
    """The closing lines of the start, the only place where links are printed. ``owner`` is the link that makes one,
    ``token`` what is in the one for a guest's camera."""
    lines = ["", f"On this computer:   {page.rstrip('/')}"]
    if owner is not None:
        lines += ["", f"Nobody can sign in yet. Open this to become the owner, within an hour and once:  {owner}", ""]
    if door is None or token is None:
        return "\n".join([*lines, "Other devices:      not served (lan = false)", "", "Ctrl-C ends Visavis.", ""])
    return "\n".join([*lines, joining(door, token, colours=colours), "", "Ctrl-C ends Visavis.", ""])


def joining(door: Door, token: str, *, colours: bool) -> str:
    """How a phone becomes a guest's camera."""
    lines = [
        f"On another device:  {door.page_url()}",
        *(f"               or:  {door.page_url(host)}" for host in _others(door.hosts)),
        "                    to sign in. To be a guest's camera, without signing in, a phone opens",
        f"                    {door.join_url(token)}",
        "                    or scans it:",
        "",
        qr_blocks(door.join_url(token), colours=colours),
        "",
        f"The camera is off there, or the browser warns?  {door.trust_url}",
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
