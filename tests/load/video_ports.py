"""How many UDP ports a session takes: ``python -m tests.load.video_ports``.

A server with a range of a few ports is sent one camera after another until it has no port left; beside that is counted
what it has bound.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

import aiohttp

from server.doctor.asking import is_visavis
from tests.server.loopback import Page

FIRST, COUNT, HTTP = 47_000, 6, 18_412


def bound() -> list[int]:
    """Ports of the range that are bound on this computer, once for each address."""
    found = []
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text("ascii").splitlines()[1:]:
                port = int(line.split()[1].rpartition(":")[2], 16)
                if FIRST <= port < FIRST + COUNT:
                    found.append(port)
    return found


async def fill(server: str) -> None:
    """One camera more each time, and what was bound after it."""
    async with aiohttp.ClientSession() as session:
        pages = []
        while True:
            page = Page()
            headers = {"Content-Type": "application/sdp", "Origin": server}
            async with session.post(f"{server}/api/v1/whip", data=await page.offer(), headers=headers) as response:
                answer = await response.text()
            if response.status != 201:
                print(f"camera {len(pages) + 1}: {response.status} {answer}")
                await page.close()
                break
            await page.accept(answer)
            await page.until(lambda page=page: page.results != [], 15, "a result")  # type: ignore[misc]
            pages.append(page)
            ports = bound()
            each = collections.Counter(ports)
            print(f"camera {len(pages)}: {len(each)} ports of the range, bound {len(ports)} times")
        await asyncio.gather(*(page.close() for page in pages))


def main() -> None:
    """Start, fill, end."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--no-lan", "--local-owner", "--http-port", str(HTTP), "--data-dir", folder, "--max-sessions", "50"]
        flags += ["--udp-ports", f"{FIRST}-{FIRST + COUNT - 1}"]
        with subprocess.Popen([sys.executable, "-m", "server", "serve", *flags], stdout=subprocess.DEVNULL) as server:
            try:
                for _ in range(100):
                    if is_visavis(f"http://localhost:{HTTP}"):
                        break
                    asyncio.run(asyncio.sleep(0.2))
                asyncio.run(fill(f"http://localhost:{HTTP}"))
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
