"""Gets what the browser tests drive: Chromium, Firefox and Node, from Debian's packages where that is allowed.

Where they do not, says which tests will be skipped and why. Never fails for it: the other tests need none of this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Program:
    """Something the tests run, by any of its names."""

    package: str
    names: tuple[str, ...]
    tests: str

    @property
    def missing(self) -> bool:
        return not any(shutil.which(name) for name in self.names)


PROGRAMS = (
    Program("chromium", ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"), "browser tests"),
    Program("firefox-esr", ("firefox-esr", "firefox"), "Firefox tests"),
    Program("simple-whip-client", ("whip-client",), "tests of a WHIP sender"),
    Program("tcc", ("cc", "tcc"), "tests of a WHIP sender"),  # for a library it needs: tests/load/whip_client.py
    Program("coturn", ("turnserver",), "tests of a TURN server"),
    Program("nftables", ("nft",), "tests of a router that forwards ports"),
    Program("postgresql", ("initdb", "pg_createcluster"), "tests of the store in PostgreSQL"),
    Program("nodejs", ("node", "nodejs"), "tests of the page's modules"),
)


def obstacle() -> str | None:
    """Why nothing can be installed here, or ``None``."""
    if shutil.which("apt-get") is None:
        return "there is no apt-get"
    if os.geteuid() != 0:
        return "only root may install packages"
    return None


def install(packages: list[str]) -> str | None:
    """Install Debian packages; returns why that failed, or ``None``."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "--quiet", *command], env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode and command[0] == "install":
            return (done.stderr.strip().splitlines() or ["apt-get failed"])[-1]
    return None


def main() -> None:
    missing = [program for program in PROGRAMS if program.missing]
    if not missing:
        return
    packages = [program.package for program in missing]
    why = obstacle()
    if why is None:
        print(f"Installing {', '.join(packages)} for the tests …", flush=True)
        why = install(packages)
    for program in missing:
        if program.missing:
            print(f"The {program.tests} will be skipped: {program.package} is not installed ({why}).", file=sys.stderr)


if __name__ == "__main__":
    main()
