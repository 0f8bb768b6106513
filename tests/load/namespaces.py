"""Network namespaces of our own, for measurements that need a network to be broken (Linux, root)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

BROWSER = ("10.77.0.2", "10.77.0.3")  # addresses the browser may have
SERVER = "10.77.1.1"


def unavailable() -> str | None:
    """Why there can be none here."""
    if sys.platform != "linux" or shutil.which("ip") is None:
        return "network namespaces need Linux and `ip` (on Debian: apt-get install iproute2)"
    return None if os.geteuid() == 0 else "network namespaces need root"


def ip(*words: str) -> None:
    """Run ``ip``. Raises ``subprocess.CalledProcessError``."""
    subprocess.run(["ip", *words], check=True)


def inside(module: str, *arguments: str) -> str:
    """What ``python -m module`` prints in a namespace made for it alone, with an interface for the browser, which has
    the default route, and one for the server."""
    space = f"visavis-{os.getpid()}"
    ip("netns", "add", space)
    try:
        ip("-n", space, "link", "set", "lo", "up")
        for name, address in (("browser", BROWSER[0]), ("server", SERVER)):
            ip("-n", space, "link", "add", name, "type", "veth", "peer", "name", f"{name}-end")
            for end in (name, f"{name}-end"):
                ip("-n", space, "link", "set", end, "up")
            ip("-n", space, "addr", "add", f"{address}/24", "dev", name)
        ip("-n", space, "route", "add", "default", "dev", "browser", "src", BROWSER[0])
        command = ["ip", "netns", "exec", space, sys.executable, "-m", module, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    finally:
        ip("netns", "del", space)


def change_address(before: str, after: str) -> None:
    """In this namespace: the browser's address is another from now on, as in another network."""
    ip("addr", "del", f"{before}/24", "dev", "browser")
    ip("addr", "add", f"{after}/24", "dev", "browser")
    ip("route", "replace", "default", "dev", "browser", "src", after)


def block_udp() -> None:
    """In this namespace: prohibit UDP, loopback included; our rule goes before that of the local addresses."""
    ip("rule", "add", "pref", "10", "ipproto", "udp", "prohibit")
    ip("rule", "add", "pref", "20", "table", "local")
    ip("rule", "del", "pref", "0")
