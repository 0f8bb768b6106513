"""The ports: free, or held by a Visavis; and those for video."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from server.doctor import asking
from server.doctor.finding import Finding, Patient

_ANYWHERE, _HERE = "0.0.0.0", "127.0.0.1"
FEW = 8  # cameras that any computer serves, where max_sessions leaves it to the processors


def ports(patient: Patient) -> Iterator[Finding]:
    """In the order of the settings."""
    settings = patient.settings
    yield port("http_port", settings.http_port, settings.http_address or _HERE, lambda: patient.running)
    if settings.lan:
        yield port("https_port", settings.https_port, _ANYWHERE, lambda: patient.serving_others)
        yield port("trust_port", settings.trust_port, _ANYWHERE, lambda: _is_trust_page(settings.trust_port))
    yield from udp_ports(patient)
    yield from firewall(patient)


def port(name: str, number: int, host: str, ours: Callable[[], bool]) -> Finding:
    """One of the TCP ports."""
    flag = "--" + name.replace("_", "-")
    if number == 0:
        return Finding(name, "good", "a free one is taken at each start")
    wrong = _bind(host, number, socket.SOCK_STREAM)
    if wrong is None:
        return Finding(name, "good", f"{number} is free")
    if wrong == errno.EADDRINUSE:
        if ours():
            return Finding(name, "good", f"{number}: a Visavis answers there")
        return Finding(name, "broken", f"another program has port {number}", f"visavis {flag} {_free()}")
    if wrong == errno.EACCES:
        return Finding(name, "broken", f"this user may not take port {number}", f"visavis {flag} {_free()}")
    return Finding(
        name, "broken", f"port {number}: {os.strerror(wrong)}", "ip address, and set http_address to one of these"
    )


def udp_ports(patient: Patient) -> Iterator[Finding]:
    """Each connection takes one port of the range on each address: a camera is one, and each picture of a viewer."""
    settings = patient.settings
    if settings.udp_ports is None:
        wrong = _bind(_ANYWHERE, 0, socket.SOCK_DGRAM)
        if wrong is not None:
            yield Finding(
                "udp_ports",
                "broken",
                f"no UDP port can be had: {os.strerror(wrong)}",
                "visavis --udp-ports 40000-40100",
            )
        else:
            yield Finding(
                "udp_ports", "good", "any free one; a firewall before this computer has to let all of them in"
            )
        return
    first, last = settings.udp_ports
    host = settings.bind_addresses[0] if settings.bind_addresses else _HERE
    if ":" in host:
        host = _HERE
    taken = [number for number in range(first, last + 1) if _bind(host, number, socket.SOCK_DGRAM) is not None]
    count, free = last - first + 1, last - first + 1 - len(taken)
    cameras = settings.max_sessions or FEW
    wanted = cameras + settings.max_viewers
    said = f"{first}-{last}: {free} of {count} are free"
    wider = f"visavis --udp-ports {first}-{min(65535, first + wanted - 1)}"
    if free == 0 and not patient.running:
        yield Finding("udp_ports", "broken", f"{said}: no video can come in", "visavis --udp-ports 40000-40100")
    elif count < cameras:
        words = f"{said}; a camera takes one, and {cameras} may come"
        yield Finding("udp_ports", "broken", words, f"{wider}, or --max-sessions {count}")
    elif count < wanted:
        words = f"{said}; {cameras} cameras and {settings.max_viewers} pictures of viewers may want {wanted}"
        yield Finding("udp_ports", "worth a look", words, f"{wider}, or --max-viewers {count - cameras}")
    else:
        yield Finding("udp_ports", "good", f"{said}; at most {wanted} are wanted")


def firewall(patient: Patient, root: Path = Path("/")) -> Iterator[Finding]:
    """A hint where one is on; nobody but an administrator may read its rules."""
    settings = patient.settings
    tcp = [settings.https_port, settings.trust_port] if settings.lan else []
    udp = None if settings.udp_ports is None else settings.udp_ports
    if not tcp:
        return
    name, cure = "", ""
    if "ENABLED=yes" in _text(root / "etc/ufw/ufw.conf"):
        name = "ufw"
        cure = " && ".join(
            [*(f"sudo ufw allow {number}/tcp" for number in tcp), f"sudo ufw allow {_range(udp, ':')}/udp"]
        )
    elif (root / "run/firewalld").exists():
        name = "firewalld"
        doors = [*(f"--add-port={number}/tcp" for number in tcp), f"--add-port={_range(udp, '-')}/udp"]
        cure = f"sudo firewall-cmd --permanent {' '.join(doors)} && sudo firewall-cmd --reload"
    elif sys.platform == "darwin" and "enabled" in _run(
        "/usr/libexec/ApplicationFirewall/socketfilterfw", "--getglobalstate"
    ):
        name, cure = (
            "the firewall of macOS",
            "System Settings → Network → Firewall: allow incoming connections to Python",
        )
    elif sys.platform == "win32" and "ON" in _run("netsh", "advfirewall", "show", "currentprofile", "state"):
        name = "the firewall of Windows"
        cure = f'netsh advfirewall firewall add rule name=Visavis dir=in action=allow program="{sys.executable}"'
    if name:
        yield Finding("firewall", "worth a look", f"{name} is on: it has to let other devices in", cure)
    else:
        yield Finding("firewall", "good", "none was found on this computer")


def _range(udp: tuple[int, int] | None, between: str) -> str:
    return f"{udp[0]}{between}{udp[1]}" if udp else f"32768{between}60999"


def _bind(host: str, number: int, kind: socket.SocketKind) -> int | None:
    """The errno with which a port cannot be had; ``None`` where it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, kind)) as sock:
        if os.name == "posix" and kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            sock.bind((host, number))
            if kind == socket.SOCK_STREAM:
                sock.listen(1)  # with SO_REUSEADDR a busy port is noticed here
        except OSError as error:
            return error.errno or errno.EINVAL
    return None


def _free() -> int:
    with contextlib.closing(socket.socket()) as sock:
        sock.bind((_HERE, 0))
        return int(sock.getsockname()[1])


def _is_trust_page(number: int) -> bool:
    try:
        return "Visavis" in asking.ask(f"http://127.0.0.1:{number}/").text
    except asking.NoAnswer:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _run(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, text=True, timeout=3, check=False).stdout
    return ""
