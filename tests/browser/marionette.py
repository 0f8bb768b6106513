"""Just enough of Firefox's Marionette protocol to open a page and run a script: Debian has no geckodriver."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PREFS = {
    "marionette.port": 0,
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "media.gmp-manager.url": "http://127.0.0.1:1/",
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.security.https_first": False,
    "extensions.getAddons.cache.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:1/",
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """A session with one window."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._socket.settimeout(60)
        self._count = 0
        self._receive()
        self.command("WebDriver:NewSession", {"capabilities": {}})

    def command(self, name: str, parameters: dict[str, Any]) -> Any:
        """Run one command. Raises ``AssertionError`` with what Firefox says."""
        self._count += 1
        text = json.dumps([0, self._count, name, parameters])
        self._socket.sendall(f"{len(text.encode())}:{text}".encode())
        _, _, error, result = self._receive()
        assert error is None, error
        return result

    def open(self, url: str) -> None:
        """Go to a page."""
        self.command("WebDriver:Navigate", {"url": url})

    def run(self, script: str) -> Any:
        """Run a function body in the page and return what it returns."""
        done = self.command("WebDriver:ExecuteScript", {"script": script, "args": [], "sandbox": None})
        return done["value"]

    def click(self, selector: str) -> None:
        """Click an element as a person would."""
        found = self.command("WebDriver:FindElement", {"using": "css selector", "value": selector})
        self.command("WebDriver:ElementClick", {"id": next(iter(found["value"].values()))})

    def wait(self, script: str, seconds: float) -> Any:
        """Run ``script`` until it returns something true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"not within {seconds} s: {script}"
            time.sleep(0.1)
        return value

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.close()

    def _receive(self) -> Any:
        head = b""
        while not head.endswith(b":"):
            byte = self._socket.recv(1)
            assert byte, "Firefox has gone"
            head += byte
        size, body = int(head[:-1]), b""
        while len(body) < size:
            body += self._socket.recv(size - len(body))
        return json.loads(body)


@contextlib.contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """A headless Firefox with a fake camera."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    assert path is not None
    profile.mkdir(parents=True)
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFS.items()]
    (profile / "user.js").write_text("\n".join(lines))
    process = subprocess.Popen(
        [path, "--headless", "--no-remote", "--marionette", "--profile", str(profile)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile), "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
    )
    session = None
    try:
        session = Firefox(_port(profile, process))
        yield session
    finally:
        if session is not None:
            session.close()
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    file, end = profile / "MarionetteActivePort", time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, "Firefox ended at once"
        if file.exists() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.1)
    raise AssertionError("Firefox did not open its Marionette port")
